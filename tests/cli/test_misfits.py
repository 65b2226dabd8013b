"""A configuration that does not fit its messages says so, before and while it watches nothing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.console import Console
from tests.service import shop


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [log], _ = shop.traffic(6, windows=5, per_window=60, partitions=1)
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_bytes(b"\n".join(log))
    return path


def configured(folder: Path, source: dict[str, Any] | None = None, path: str = "amount") -> Path:
    schema = copy.deepcopy(shop.SCHEMA)
    schema["features"]["amount"]["path"] = path
    return shop.configured(folder, shop.model("shop", {"kafka": "events", **(source or {})}, schema=schema))


MISPLACED = (
    "shop: none of 301 events of events has a value of feature:amount, which is looked for at `amuont`. "
    "Did you mean `amount`?"
)
UNMATCHED = "shop: none of 301 messages of events became an event; `where` asks for country=XX. `country` is "
REJECTED = "shop: none of 301 messages of events became an event; most were rejected: no_event_time."


@pytest.mark.parametrize("command", ["replay", "check"])
def test_a_field_that_no_message_has_is_told_with_the_nearest_that_there_is(
    command: str, leeway: Console, events: Path, tmp_path: Path
) -> None:
    said = leeway(command, configured(tmp_path, path="amuont"), "--events", events)
    assert said.code == 0
    assert f"warning: {MISPLACED}" in said.err


@pytest.mark.parametrize("command", ["replay", "check"])
@pytest.mark.parametrize(
    ("source", "sentence"), [({"where": {"country": "XX"}}, UNMATCHED), ({"event_time": "tss"}, REJECTED)]
)
def test_a_model_without_any_event_is_an_error(
    command: str, source: dict[str, Any], sentence: str, leeway: Console, events: Path, tmp_path: Path
) -> None:
    said = leeway(command, configured(tmp_path, source), "--events", events)
    assert said.code == 2
    assert f"error: {sentence}" in said.err
    assert ('`country` is "DE"' in said.err) == ("where" in source)


@pytest.mark.parametrize(("unit", "in_it"), [("s", "after 2199"), ("us", "1970-01-20")])
def test_times_of_another_unit_are_an_error_that_names_theirs(
    unit: str, in_it: str, leeway: Console, events: Path, tmp_path: Path
) -> None:
    config = configured(tmp_path, {"event_time": {"path": "ts", "unit": unit}})

    said = leeway("check", config, "--events", events)

    assert said.code == 2
    assert "none of 301 messages of events became an event; most were rejected: event_time_out_of_bounds" in said.err
    assert f"in {unit} is {in_it}; in ms it is 2023-11-14: is `unit: ms` meant?" in said.out


def test_a_model_of_which_much_is_rejected_is_named(leeway: Console, events: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.jsonl"
    in_s = [b'{"id": "s%d", "ts": 1700000000.5}' % number for number in range(60)]
    mixed.write_bytes(b"\n".join([*events.read_bytes().splitlines(), *in_s]))

    said = leeway("check", configured(tmp_path), "--events", mixed)

    assert said.code == 0
    sentence = "shop: 60 of 361 messages of events are rejected, and count nowhere, most of them as "
    assert f"warning: {sentence}event_time_out_of_bounds" in said.err
    assert "in ms is 1970-01-20; in s it is 2023-11-14: is `unit: s` meant?" in said.out
    assert "fine" not in said.out
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_bytes(b"\n".join([*events.read_bytes().splitlines(), *in_s[:9]]))
    assert leeway("check", configured(tmp_path), "--events", fewer).out.endswith("fine: 1 model\n")


def test_a_check_says_what_becomes_of_messages(leeway: Console, events: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(events.read_bytes() + b'\n{broken\n{"id": "x", "ts": "never"}')
    said = leeway("check", configured(tmp_path), "--events", odd)
    assert said.code == 0, said.err
    assert "not_json: 1, first at events/0/301" in said.out
    assert "event_time_unreadable: 1, first at events/0/302: never" in said.out.replace('"', "")
    assert said.out.endswith("fine: 1 model\n")
    document = json.loads(leeway("check", configured(tmp_path, path="amuont"), "-e", odd, "--json").out)
    assert document["ok"]
    assert (document["events"]["messages"], document["events"]["events"]) == (303, 301)
    assert [misfit["says"] for misfit in document["events"]["misfits"]] == [MISPLACED]


def test_a_field_that_comes_late_is_none_that_never_comes(leeway: Console, events: Path, tmp_path: Path) -> None:
    lines = events.read_bytes().splitlines()
    for number, line in enumerate(lines[:-1]):
        lines[number] = line.replace(b'"amount"', b'"amuont"')
    late = tmp_path / "late.jsonl"
    late.write_bytes(b"\n".join(lines))
    assert "none of" not in leeway("replay", configured(tmp_path), "--events", late).err


def test_numbers_whose_cells_do_not_tell_them_apart_are_named_with_what_does(leeway: Console, tmp_path: Path) -> None:
    rng, at_ms = np.random.default_rng(5), 1_704_067_200_000
    rows = [
        {"ts": at_ms + 60_000 * i, "lat": 52.75 + 0.02 * rng.normal(), "wide": rng.normal(20, 3), "floor": i % 4}
        for i in range(400)
    ]
    events = tmp_path / "places.jsonl"
    events.write_text("\n".join(json.dumps(row) for row in rows))

    def checked(name: str, lat: dict[str, Any], *options: str) -> Any:
        features = {"lat": lat, "wide": {"type": "numeric"}, "floor": {"type": "numeric"}}
        (folder := tmp_path / name).mkdir(exist_ok=True)
        file = shop.configured(folder, {
            "apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "places"},
            "spec": {"sources": [{"kafka": "places", "event_time": {"path": "ts", "unit": "ms"}}],
                     "schema": {"features": features}},
        })  # fmt: skip
        return leeway("check", file, "--events", events, *options)

    coarse = checked("coarse", {"type": "numeric"})
    assert coarse.code == 0
    assert "warning: places: values of feature:lat are told apart in steps of 0.5 only" in coarse.err
    [close] = json.loads(checked("coarse", {"type": "numeric"}, "--json").out)["events"]["too_close"]
    assert (close["signal"], close["step"]) == ("feature:lat", 0.5)
    assert f"`usual_range: {close['usual_range']}`" in coarse.err
    fine = checked("fine", {"type": "numeric", "usual_range": close["usual_range"]})
    assert "told apart" not in fine.err
