"""What a configuration is made ready as."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from detectors.sketch import CategoryLayout, CategorySummary, NumericSummary
from monitor.errors import InputError
from monitor.watch import Watch, compile_watch
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


def of_data_set(path: Path, text: str, features: dict[str, Any], where: dict[str, Any] | None = None) -> Watch:
    path.write_text(text)
    watch = changed(
        sources=[{**SPEC["sources"][0], "where": where or {}}],
        schema={"features": features},
        segments=[],
        detect={},
        baseline={"kind": "dataset", "uri": str(path)},
    )
    assert isinstance(watch, Watch)
    return watch


def test_a_path_comes_before_a_column_of_the_name(tmp_path: Path) -> None:
    lines = "".join(f'{{"amount": 1, "features": {{"amount": {i}}}, "country": "text {i}"}}\n' for i in range(50))
    nested = of_data_set(tmp_path / "events.jsonl", lines, {"amount": {"type": "numeric", "path": "features.amount"}})
    assert nested.layouts["feature:amount"].id == layout_of(range(50), tmp_path).id

    flat = of_data_set(
        tmp_path / "train.csv",
        "amount\n" + "".join(f"{i}\n" for i in range(50)),
        {"amount": {"type": "numeric", "path": "features.amount"}},
    )
    assert flat.layouts["feature:amount"].id == nested.layouts["feature:amount"].id


def size(watch: Watch) -> int:
    summary = watch.reference["", "feature:amount"]
    assert isinstance(summary, NumericSummary)
    return summary.n


def layout_of(values: Iterable[int], folder: Path) -> Any:
    text = "amount\n" + "".join(f"{value}\n" for value in values)
    return of_data_set(folder / "plain.csv", text, {"amount": {"type": "numeric"}}).layouts["feature:amount"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_of_a_data_set_only_those_rows_count_that_where_asks_for(suffix: str, tmp_path: Path) -> None:
    rows = [{"kind": "fraud", "amount": i} for i in range(50)] + [{"kind": "churn", "amount": -i} for i in range(50)]
    lines = [json.dumps(row) for row in rows]
    if suffix == ".csv":
        lines = ["kind,amount", *(f"{row['kind']},{row['amount']}" for row in rows)]
    text, amount = "\n".join(lines) + "\n", {"amount": {"type": "numeric"}}

    fraud = of_data_set(tmp_path / f"events{suffix}", text, amount, where={"kind": "fraud", "header:region": "eu"})

    assert size(fraud) == 50
    assert fraud.layouts["feature:amount"].id == layout_of(range(50), tmp_path).id
    whole = of_data_set(tmp_path / f"events{suffix}", text, amount, where={"market": "DE"})
    assert size(whole) == 100, "a data set without the field is of this model"
    with pytest.raises(InputError, match=r"no row of it is this model's: `where` asks for kind=risk"):
        of_data_set(tmp_path / f"events{suffix}", text, amount, where={"kind": "risk"})


def test_empty_cells_of_csv_are_missing_and_no_category(tmp_path: Path) -> None:
    text = "country,amount\n" + 'DE,1\n,2\n"",\nNA,4\n' * 10
    watch = of_data_set(tmp_path / "train.csv", text, {"country": {"type": "category"}, "amount": {"type": "numeric"}})
    layout, summary = watch.layouts["feature:country"], watch.reference["", "feature:country"]
    assert isinstance(layout, CategoryLayout)
    assert isinstance(summary, CategorySummary)
    assert layout.known == ("DE", "NA")
    assert summary.missing == 20
