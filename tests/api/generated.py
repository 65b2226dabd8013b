"""Requests that are generated from the OpenAPI document, valid and invalid ones, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from tests.api.full_world import SUBSCRIPTION
from tests.api.world import NOW_MS

__all__ = ["PHASES", "Outcome", "outcomes"]

PHASES = ("examples", "coverage", "fuzzing", "stateful")
"""Examples in the document, bounds of every parameter, chance, and requests that follow each other."""

KNOWN: dict[str, list[str]] = {
    "model": ["fraud", "churn"],
    "namespace": ["fraud-team"],
    "signal": ["feature:amount", "feature:country", "volume"],
    "segment": [""],
    "version": ["v1"],
    "detector": ["psi"],
    "at": ["500000", "2500"],
    "from": ["0", "-1h", "10000"],
    "to": ["now", "20000", str(NOW_MS)],
    "against_from": ["0"],
    "against_to": ["10000"],
    "step": ["1h", "auto"],
    "alert_id": ["a", "b"],
    "incident_id": ["a", "b"],
    "silence_id": ["quiet"],
    "name": ["quiet"],
    "subscription": [SUBSCRIPTION.id],
    "token": ["ci"],
    "job": ["keep_lifetimes"],
    "stream": ["fraud", "churn"],
    "matcher": ['severity="warning"'],
    "filter": ['severity="warning"'],
    "receiver": ["log"],
    "link": ["https://example.org/7"],
}
"""What the world has, by name of a parameter or of a member of a body: chance would not find it."""

# A schema does not say everything: which text is a time or a matcher, and what does not go together. What is valid by
# its schema may be refused, but never fail.
REFUSED = ["2xx", 400, 404, 409, 412, 422]


@dataclass
class Outcome:
    """What became of the requests of one operation.

    Attributes
    ----------
    statuses : Counter
        How often each status was answered.
    failures : dict
        From a failed check and its message to a command that shows it.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()


def outcomes(
    app: FastAPI, examples: int, seed: int = 1, phases: Sequence[str] = PHASES, token: str = ""
) -> dict[str, Outcome]:
    """Send requests to an application, in process, and return their outcomes by operation.

    Parameters
    ----------
    app : FastAPI
    examples : int
        How many requests of each operation are left to chance.
    seed : int
    phases : sequence of str
        Some of :data:`PHASES`.
    token : str
        With which requests are sent; whether others are refused is tried too.
    """
    # Here, since whoever only collects tests need not have it.
    from schemathesis import engine, openapi

    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def schema(phases: Sequence[str]) -> Any:
        configuration = _configuration(examples, seed, phases, token)
        return openapi.from_asgi("/openapi.json", app, config=configuration, headers=headers)

    everything = schema(phases)
    operations: Any = everything.get_all_operations()
    result = {operation.ok().label: Outcome() for operation in operations}
    _run(engine.from_schema(everything), result)
    # Beside the operations that make what they delete, those that delete are sent few requests.
    scarce = [label for label, outcome in result.items() if outcome.requests < examples]
    if scarce and "fuzzing" in phases:
        _run(engine.from_schema(schema(["fuzzing"]).include(name=scarce)), result)
    return result


def _run(engine: Any, result: dict[str, Outcome]) -> None:
    event: Any
    for event in engine.execute():
        kind = type(event).__name__
        if kind == "FatalError":
            raise event.exception
        if kind == "NonFatalError":
            result.setdefault(event.label, Outcome()).failures[repr(event.value)] = ""
        if kind == "ScenarioFinished":
            _add(result, event.recorder)


def _add(result: dict[str, Outcome], recorder: Any) -> None:
    for case_id, node in recorder.cases.items():
        outcome = result.setdefault(node.value.operation.label, Outcome())
        interaction = recorder.interactions.get(case_id)
        if interaction is not None and interaction.response is not None:
            outcome.statuses[interaction.response.status_code] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.failure_info is not None:
                failure = check.failure_info.failure
                text = f"{check.name}: {failure.title}: {failure.message}"
                outcome.failures.setdefault(text, check.failure_info.code_sample)


def _configuration(examples: int, seed: int, phases: Sequence[str], token: str) -> Any:
    from schemathesis.config import SchemathesisConfig

    locations = ("path", "query", "body")
    auth = {"auth": {"openapi": {"bearer": {"bearer": token}}}} if token else {}
    return SchemathesisConfig.from_dict(
        {
            **auth,
            "seed": seed,
            "cache": {"enabled": False},
            "continue-on-failure": True,
            # Hardly any body of events is wrong.
            "suppress-health-check": ["filter_too_much"],
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
            "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
            "checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}},
            "dictionaries": {name: {"values": values} for name, values in KNOWN.items()},
            "parameters": {
                f"{location}.{name}": {"dictionary": name, "probability": 0.7}
                for name in KNOWN
                for location in locations
            },
        }
    )
