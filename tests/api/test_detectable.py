"""What can be found of a signal is said before there is anything to find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.api import hours
from tests.api.hours import PER_HOUR, world
from tests.api.world import Client, World, serving
from tests.cli.console import Console
from tests.monitor.streams import HOUR_MS, START_MS, replayed_lines


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(world())


def shifts_of(client: Client, signal: str) -> dict[str, dict[str, Any]]:
    [row] = client.items("/v1/series", model="loans", signal=signal)
    return {shift["contrast"]: shift for shift in row["detectable"]}


def test_more_time_finds_smaller_shifts(client: Client) -> None:
    shifts = [shift for signal in ("feature:country", "volume") for shift in shifts_of(client, signal).values()]
    assert {shift["contrast"] for shift in shifts} >= {"share of 'DE'", "missing", "events"}
    for shift in shifts:
        assert shift["day_shift"] >= shift["week_shift"] > 0
        assert shift["window_shift"] is None or shift["window_shift"] >= shift["day_shift"]


def test_shifts_are_in_the_units_of_the_data(client: Client) -> None:
    share = shifts_of(client, "feature:country")["share of 'DE'"]
    assert share["unit"] == "share"
    assert 0.4 < share["day_low"] < share["week_low"] < share["usual"] < share["week_high"] < share["day_high"] < 0.8
    assert share["usual"] == pytest.approx(0.6, abs=0.03)
    events = shifts_of(client, "volume")["events"]
    assert 0 < events["window_low"] < events["day_low"] < PER_HOUR < events["day_high"] < events["window_high"]


def test_of_what_never_happens_only_an_increase_can_be_found(client: Client) -> None:
    missing = shifts_of(client, "feature:country")["missing"]
    assert (missing["usual"], missing["window_low"], missing["week_low"]) == (0, None, None)
    assert 0.003 < missing["day_high"] < missing["window_high"] < 0.5


def test_too_few_values_a_window_find_no_spread_and_say_so(tmp_path: Path) -> None:
    store, _ = replayed_lines(tmp_path, hours.lines()[: 5 * 24 * PER_HOUR : 12], hours.watched())
    shifts = shifts_of(Client(World(store=store, configuration=hours.watched())), "feature:amount")
    spread = shifts["spread"]
    assert (spread["judged"], spread["usual"], spread["week_shift"]) == ("too_few", None, None)
    assert shifts["missing"]["week_high"] > 0
    assert shifts["typical value"]["week_shift"] > 0


def test_values_beyond_their_reference_have_no_spread_and_say_so(tmp_path: Path) -> None:
    rng, events = np.random.default_rng(3), []
    for number in range(2 * 24 * PER_HOUR):
        # Ten hours make the reference, for two days: the twelfth is far beyond it, and so is all that follows.
        amount = 10 + 2 * float(rng.normal()) + 30 * (number >= 12 * PER_HOUR)
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        events.append(json.dumps({"id": str(number), "ts": at_ms, "amount": amount, "country": "DE"}).encode())
    store, _ = replayed_lines(tmp_path, events, hours.watched())
    client = Client(World(store=store, configuration=hours.watched()))
    shifts = shifts_of(client, "feature:amount")
    assert shifts["typical value"]["week_shift"] > 0
    assert (shifts["spread"]["judged"], shifts["spread"]["week_shift"]) == ("unresolved", None)
    at_ms = hours.end_ms(40) - 1
    explained = client.get("/v1/explain", model="loans", signal="feature:amount", at=str(at_ms)).json()
    actual = {contrast["contrast"]: contrast["actual"] for contrast in explained["contrasts"]}
    assert actual["typical value"] == pytest.approx(40, rel=0.1)
    assert actual["spread"] is None


def test_a_signal_that_is_not_named_is_not_computed(client: Client) -> None:
    assert {len(row["detectable"]) for row in client.items("/v1/series", model="loans")} == {0}


def test_forms_beside_json_hold_them_too(client: Client) -> None:
    text = client.get("/v1/series", model="loans", signal="volume", format="csv").text
    assert '""contrast"":""events""' in text


def test_the_command_shows_them_below_the_series(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(world()) as url:
        out = Console(capsys)("status", "loans", "feature:country", "--url", url).out
        assert "alarm nine times in ten" in out
        [line] = [line for line in out.splitlines() if "share of 'DE'" in line and "below" in line]
        assert line.count("below") >= 2
        assert "alarm nine times" not in Console(capsys)("status", "loans", "--url", url).out
