"""``leeway detectors``: the detectors, with their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, as_table
from monitor.errors import nearest_hint

if TYPE_CHECKING:
    from detectors.contract import Described, Unsuited
    from monitor.config.references import Windowed

__all__ = ["command", "described"]


@click.command("detectors")
@click.argument("name", required=False)
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(name: str | None, *, json_: bool) -> None:
    """List detectors with their parameters, or show NAME alone."""
    table = described()
    if name is not None:
        table = [_named(name, table)]
    if json_:
        as_json(table if name is None else table[0])
    else:
        _show(table)


def described() -> list[dict[str, Any]]:
    """Return every detector with its parameters, in the order of the list."""
    return [*_windowed(), *_per_event()]


def _windowed() -> list[dict[str, Any]]:
    from monitor.config.references import WINDOWED

    return [
        {
            "name": detector.name,
            "kind": detector.kind,
            "summary": detector.summary,
            "fits": sorted(detector.fits),
            "parameters": [_min_effect(detector)],
        }
        for detector in WINDOWED.values()
    ]


def _min_effect(detector: Windowed) -> dict[str, Any]:
    return {
        "name": "min_effect",
        "kind": "float",
        "default": detector.default_min_effect,
        "low": 0.0,
        "high": detector.largest_effect,
        "unit": "effect",
        "meaning": "Smallest change that matters.",
        "choices": [],
    }


def _per_event() -> list[dict[str, Any]]:
    from detectors.anomaly import SCORERS, with_levels
    from detectors.contract import DOMAINS
    from detectors.drift import DETECTORS

    changes = [
        _described("per event", detector, ["numeric"])
        | {"values": DOMAINS[detector.domain], "unsuited": [*map(_unsuited, detector.unsuited)]}
        for detector in DETECTORS.values()
    ]
    fits = {name: ["numeric", "vector"] if scorer.vectors else ["numeric"] for name, scorer in SCORERS.items()}
    return changes + [_described("anomaly", with_levels(scorer), fits[name]) for name, scorer in SCORERS.items()]


def _described(kind: str, detector: Described, fits: list[str]) -> dict[str, Any]:
    return {
        "name": detector.name,
        "kind": kind,
        "summary": detector.summary,
        "fits": fits,
        "statistic": detector.statistic,
        "reference": detector.reference,
        "parameters": [vars(parameter) for parameter in detector.parameters],
    }


def _unsuited(unsuited: Unsuited) -> dict[str, str]:
    from detectors.contract import SIGNALS

    return {**vars(unsuited), "meaning": SIGNALS[unsuited.signals]}


def _named(name: str, table: list[dict[str, Any]]) -> dict[str, Any]:
    from monitor.config.references import ALIASES
    from monitor.errors import InputError

    by_name = {detector["name"]: detector for detector in table}
    canonical_name = ALIASES.get(name, name)
    if canonical_name not in by_name:
        hint = nearest_hint(name, by_name, cutoff=0.5)
        raise InputError(f"there is no detector {name!r}; {hint}the detectors are {', '.join(by_name)}")
    return by_name[canonical_name]


def _show(table: list[dict[str, Any]]) -> None:
    as_table(
        ("detector", "kind", "for", "what it says"),
        [(d["name"], d["kind"], d.get("values", ", ".join(d["fits"])), d["summary"]) for d in table],
    )
    as_table(
        ("detector", "parameter", "default", "from", "to", "unit", "meaning"),
        [
            (d["name"], p["name"], _value(p["default"]), *_limits(p), p["unit"], p["meaning"])
            for d in table
            for p in d["parameters"]
        ],
    )
    if unsuited := [(d["name"], u) for d in table for u in d.get("unsuited", ())]:
        as_table(
            ("detector", "not for", "take", "what happens"),
            [(name, u["meaning"], u["instead"], u["reason"]) for name, u in unsuited],
        )


def _limits(parameter: dict[str, Any]) -> tuple[str, str]:
    if parameter["kind"] == "choice":
        return " | ".join(parameter["choices"]), ""
    return _value(parameter["low"]), _value(parameter["high"])


def _value(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
