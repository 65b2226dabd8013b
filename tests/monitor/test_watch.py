"""What a configuration is made ready as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detectors.sketch import CategoryLayout
from monitor.watch import compile_watch
from tests.monitor.streams import SPEC, configured, detecting

WATCH = compile_watch(configured(), "loans")


def changed(**spec: Any) -> Any:
    return compile_watch(configured(**spec), "loans")


def test_as_many_names_are_told_apart_as_the_configuration_says() -> None:
    features = {"country": {"type": "category", "max_values": 7}}
    layout = changed(schema={"features": features}, segments=[]).layouts["feature:country"]
    assert isinstance(layout, CategoryLayout)
    assert layout.sample == 7


@pytest.mark.parametrize(
    "spec",
    [
        {"baseline": {"kind": "rolling", "span": "7d"}},
        {"detect": detecting(false_alarms="1 per 7d")},
        {"detect": detecting(defaults={"window": "12h"})},
        {"detect": detecting(rules=[*SPEC["detect"]["rules"], {"on": "feature:*", "use": ["wasserstein"]}])},
    ],
)
def test_what_is_compared_with_what_concerns_evaluations_only(spec: dict[str, Any]) -> None:
    assert changed(**spec).config_hash != WATCH.config_hash
    assert changed(**spec).fold_hash == WATCH.fold_hash


@pytest.mark.parametrize(
    "spec",
    [
        {"schema": {**SPEC["schema"], "id": "other"}},
        {"segments": [{"by": ["country"], "values": ["DE", "PL"]}]},
        {"detect": detecting(pane="30m")},
        {"detect": detecting(rules=[])},
        {"sources": [{**SPEC["sources"][0], "allowed_lateness": "2h"}]},
    ],
)
def test_what_panes_and_detectors_depend_on_concerns_folds_and_evaluations(spec: dict[str, Any]) -> None:
    assert changed(**spec).config_hash != WATCH.config_hash
    assert changed(**spec).fold_hash != WATCH.fold_hash


def test_how_alarms_are_told_concerns_neither() -> None:
    other = changed(alerts={"resolve_after": "3h"})
    assert (other.config_hash, other.fold_hash) == (WATCH.config_hash, WATCH.fold_hash)


def test_a_data_set_has_what_stands_at_the_path_of_a_field(tmp_path: Path) -> None:
    data = tmp_path / "events.jsonl"
    data.write_text("".join(f'{{"features": {{"amount": {i}}}, "land of": "DE"}}\n' for i in range(50)))
    features = {
        "amount": {"type": "numeric", "path": "features.amount"},
        "country": {"type": "category", "path": "land of"},
        "absent": {"type": "numeric", "path": "features.amount.cents"},
    }
    watch = changed(
        schema={"features": features}, segments=[], detect={}, baseline={"kind": "dataset", "uri": str(data)}
    )
    assert {signal for _, signal in watch.reference} == {"feature:amount", "feature:country"}
    assert watch.layouts["feature:amount"].id != watch.layouts["feature:absent"].id
