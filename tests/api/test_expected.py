"""What was expected of a signal over time is what each window of it was explained by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.api import expected
from monitor.values import DAY_MS
from tests.api import hours, test_judged_signals
from tests.api.world import Client, World, serving
from tests.cli.console import Console
from tests.monitor.streams import HOUR_MS, START_MS, configured, replayed_lines

judged = test_judged_signals.client
LAST_DAY = range(10 * 24, 11 * 24 - 1)
"""The hours of it that have ended: no event came behind the last one."""
EXPLAINED = ("contrast", "unit", "expected", "actual", "alarms_below", "alarms_above", "judged")


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(hours.world())


def asked(client: Client, signal: str = "feature:amount", **parameters: Any) -> list[dict[str, Any]]:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    return client.items("/v1/expected", model="loans", signal=signal, **named)


@pytest.mark.parametrize("signal", ["feature:amount", "feature:country", "volume"])
def test_every_window_of_a_day_has_the_contrasts_by_which_it_is_explained(client: Client, signal: str) -> None:
    rows = asked(client, signal, from_=hours.end_ms(LAST_DAY[4]), to=hours.end_ms(LAST_DAY[-1]) + 1)
    for hour in (LAST_DAY[4], hours.CHANGE - 1, hours.CHANGE, hours.CHANGE + 3, LAST_DAY[-1]):
        window = client.get("/v1/explain", model="loans", signal=signal, at=hours.end_ms(hour) - 1).json()
        of_hour = [row for row in rows if row["window_end_ms"] == hours.end_ms(hour)]
        assert [{name: row[name] for name in EXPLAINED} for row in of_hour] == window["contrasts"]
        assert {(row["outcome"], row["n"], row["window_start_ms"]) for row in of_hour} == {
            (window["outcome"], window["n"], window["window_start_ms"])
        }


def test_the_band_holds_quiet_windows_and_not_those_that_alarm(client: Client) -> None:
    rows = asked(client, contrast="typical value", from_=hours.end_ms(LAST_DAY[0]), to="2100-01-01")
    assert [row["window_end_ms"] for row in rows] == [hours.end_ms(hour) for hour in LAST_DAY]
    quiet = [row for row in rows if row["window_end_ms"] < hours.end_ms(hours.CHANGE)]
    assert all(row["alarms_below"] < row["actual"] < row["alarms_above"] for row in quiet)
    # In the units of the data: 10, and a season of up to 3 in these hours.
    assert max(row["expected"] for row in quiet) - min(row["expected"] for row in quiet) > 2
    [alarmed] = [row for row in rows if row["window_end_ms"] == hours.end_ms(hours.CHANGE)]
    assert (alarmed["outcome"], alarmed["actual"] > alarmed["alarms_above"]) == ("alarmed", True)


def test_of_many_windows_each_step_shows_the_one_that_went_furthest(client: Client) -> None:
    everything: dict[str, Any] = {"contrast": "missing", "from_": 0, "to": "2100-01-01"}
    rows, few = asked(client, **everything), asked(client, **everything, points=12)
    assert len(few) <= 13 < len(rows)
    assert all(row in rows for row in few)
    outage = [row for row in few if row["outcome"] == "alarmed" and row["actual"] > 0.5]
    assert [row["window_end_ms"] for row in outage] == [hours.end_ms(hours.OUTAGE[0])]


def test_without_a_start_a_week_is_shown(client: Client) -> None:
    ends_ms = [row["window_end_ms"] for row in asked(client, "volume")]
    assert (ends_ms[0], ends_ms[-1]) == (
        hours.end_ms(LAST_DAY[-1]) - 7 * 24 * HOUR_MS + HOUR_MS,
        hours.end_ms(LAST_DAY[-1]),
    )


def test_what_labels_make_has_a_band_too(judged: Client) -> None:
    rows = judged.items("/v1/expected", model="fraud", signal="performance:accuracy")
    at_ms = test_judged_signals.at(test_judged_signals.DROP - 5.5)
    window = judged.get("/v1/explain", model="fraud", signal="performance:accuracy", at=at_ms).json()
    [row] = [row for row in rows if row["window_start_ms"] < at_ms < row["window_end_ms"]]
    assert {name: row[name] for name in EXPLAINED} == window["contrasts"][0]


def test_a_span_of_too_many_windows_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "MOST_WINDOWS", 100)
    answer = client.get("/v1/expected", model="loans", signal="volume", **{"from": 0})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "from"
    assert len(asked(client, "volume", from_=hours.end_ms(LAST_DAY[0]))) == len(LAST_DAY)


def test_where_nothing_was_expected_there_are_no_rows(client: Client) -> None:
    assert asked(client, to=hours.end_ms(3)) == []
    assert asked(client, contrast="typical valu", to=hours.end_ms(3)) == []


@pytest.mark.parametrize(
    ("misspelled", "status", "nearest"),
    [
        ({"signal": "feature:amuont"}, 404, "did you mean 'feature:amount'?"),
        ({"contrast": "typical valu"}, 422, "did you mean 'typical value'?"),
        ({"contrast": "<b>"}, 422, "known are 'typical value', "),
    ],
)
def test_a_name_that_nothing_has_is_not_an_empty_answer(
    misspelled: dict[str, str], status: int, nearest: str, client: Client
) -> None:
    answer = client.get("/v1/expected", **({"model": "loans", "signal": "feature:amount"} | misspelled))
    assert (answer.status_code, nearest in answer.json()["detail"]) == (status, True), answer.text


def test_a_terminal_shows_it(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    asked_for = ("--model", "loans", "--signal", "volume", "--from", str(hours.end_ms(LAST_DAY[-1])))
    with serving(hours.world()) as url:
        shown = Console(capsys)("expected", *asked_for, "--url", url)
    assert "alarms by itself below" in shown.out
    assert len(shown.out.strip().splitlines()) == 3


def test_in_the_first_days_what_is_quiet_lies_within_what_would_alarm(tmp_path: Path) -> None:
    """Levels differ from window to window, from the second day on: only the windows of the day so far tell."""
    rng = np.random.default_rng(5)
    levels, events = 2 * rng.normal(size=2 * 288), []
    levels[:300] = 0
    for number in range(2 * 288 * 20):
        at_ms = START_MS + number * 15_000
        amount = 10 + levels[number // 20] + 2 * float(rng.normal())
        events.append(json.dumps({"id": str(number), "ts": at_ms, "amount": amount}).encode())
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "5m", "defaults": {"window": "5m"}}
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}}}
    watched = configured(detect=detect, schema=schema, segments=[])
    store, _ = replayed_lines(tmp_path, events, watched)
    rows = asked(
        Client(World(store=store, configuration=watched)), contrast="typical value", from_=START_MS, to="2100-01-01"
    )
    quiet = [row for row in rows if row["outcome"] == "quiet" and row["alarms_below"] is not None]
    assert len(quiet) > 200
    assert all(row["alarms_below"] < row["actual"] < row["alarms_above"] for row in quiet)


def test_ten_times_the_values_are_not_a_hundred_times_as_sure_how_alike_they_are(tmp_path: Path) -> None:
    """The rule lets them count for twice as many pairs as windows usually have, and all pairs were counted here."""
    rng, events = np.random.default_rng(9), []
    for hour in range(9 * 24):
        for number in range(1_000 if hour == 8 * 24 + 12 else 100):
            at_ms, score = START_MS + hour * HOUR_MS + number * 3_000, round(float(rng.beta(2, 5)), 2)
            event = {"id": f"{hour}/{number}", "ts": at_ms, "amount": float(rng.normal()), "score": score}
            events.append(json.dumps(event).encode())
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    prediction = {"score": {"type": "numeric", "range": [0, 1]}}
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}}, "prediction": prediction}
    watched = configured(detect=detect, schema=schema, segments=[])
    store, _ = replayed_lines(tmp_path, events, watched)
    client = Client(World(store=store, configuration=watched))
    span: dict[str, Any] = {"from_": hours.end_ms(8 * 24 + 10), "to": hours.end_ms(8 * 24 + 12) + 1}
    for signal, contrast in (("feature:amount", "concentration"), ("prediction:score", "share of equal pairs")):
        *_, usual, busy = asked(client, signal, contrast=contrast, **span)
        rooms = [row["alarms_above"] - row["expected"] for row in (usual, busy)]
        assert (busy["n"], rooms[1] > 0.65 * rooms[0]) == (1_000, True)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A number, a category and a volume, each of which is off for an hour or some now and then, by little or by far."""
    rng, events = np.random.default_rng(8), []
    off: dict[int, tuple[str, float]] = {}
    for day in range(6, 20):
        hour, lasts = int(rng.integers(0, 20)), int(rng.choice([1, 2, 4]))
        signal = ("amount", "missing", "country", "volume", "odd")[day % 5]
        off |= {24 * day + hour + later: (signal, 2.0 * (day // 5) - 1) for later in range(lasts)}
    for hour in range(20 * 24):
        what, size = off.get(hour, ("", 0.0))
        for number in range(int(rng.poisson(80 * (np.exp(-size) if what == "volume" else 1)))):
            at_ms, moved = START_MS + hour * HOUR_MS + number * 20_000, size * (what == "amount")
            amount = float(rng.normal(np.sin(np.pi * hour / 12) + moved)) - 50 * (what == "odd" and rng.random() < 0.2)
            amount_or_none = None if rng.random() < 0.02 + 0.1 * size * (what == "missing") else amount
            country = "DE" if rng.random() < 0.6 - 0.1 * size * (what == "country") else "FR"
            events.append(
                {"id": f"{hour}/{number}", "ts": at_ms, "amount": amount_or_none, "country": country}
            )  # fmt: skip
    detect = {
        "rule": "change", "false_alarms": "1 per 7d", "pane": "1h", "defaults": {"window": "1h"},
        "rules": [{"on": "feature:amount", "use": [{"robust_z": {"false_alarm_rate": 0.001}}]}],
    }  # fmt: skip
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}, "country": {"type": "category"}}}
    watched = configured(detect=detect, schema=schema, segments=[])
    lines = [json.dumps(event).encode() for event in events]
    store, _ = replayed_lines(tmp_path_factory.mktemp("troubled"), lines, watched)
    return Client(World(store=store, configuration=watched))


def is_beyond(row: dict[str, Any]) -> bool:
    actual, low, high = row["actual"], row["alarms_below"], row["alarms_above"]
    return actual is not None and ((low is not None and actual < low) or (high is not None and actual > high))


@pytest.mark.parametrize("signal", ["feature:amount", "feature:country", "volume"])
def test_what_would_have_alarmed_did(troubled: Client, signal: str) -> None:
    """Behind an alarm of the same day it was said by a level that had been forgotten when that alarm was over."""
    span: dict[str, Any] = {"from_": START_MS, "to": START_MS + 20 * DAY_MS}
    rows = asked(troubled, signal, points=5000, **span)
    assert any(row["outcome"] == "alarmed" for row in rows)
    assert [row for row in rows if row["outcome"] == "quiet" and is_beyond(row)] == []
    outcomes = {row["window_end_ms"]: row["outcome"] for row in rows}
    ends_ms = [end_ms for end_ms in sorted(outcomes) if outcomes[end_ms] == "quiet"]
    over_ms = [end_ms for end_ms in ends_ms if outcomes.get(end_ms - HOUR_MS) in ("alarmed", "stands")]
    of_over = [row for row in rows if row["window_end_ms"] in over_ms]
    assert of_over
    assert all(row["alarms_below"] is None and row["alarms_above"] is None for row in of_over)
    words = troubled.get("/v1/explain", model="loans", signal=signal, at=over_ms[0] - 1).json()["words"]
    assert "an alarm was over in it, and everything begins anew: nothing would have alarmed in it by itself" in words


def test_a_job_within_an_hour_lies_within_what_would_alarm(tmp_path: Path) -> None:
    """For a quarter of an hour each night amounts are higher by far, which is no news then, and would be later."""
    rng, events, windows = np.random.default_rng(6), [], 96
    for number in range(8 * windows * 20):
        at_ms = START_MS + number * 45_000
        is_job = number // 20 % windows == 9
        events.append(json.dumps({"id": str(number), "ts": at_ms, "amount": 10 + 6 * is_job + float(rng.normal())}))
    detect = {"rule": "change", "false_alarms": "1 per 30d", "pane": "15m", "defaults": {"window": "15m"}}
    schema = {"id": "id", "features": {"amount": {"type": "numeric"}}}
    watched = configured(detect=detect, schema=schema, segments=[])
    store, _ = replayed_lines(tmp_path, [event.encode() for event in events], watched)
    asked_for: dict[str, Any] = {"from_": START_MS + 7 * DAY_MS, "to": START_MS + 8 * DAY_MS}
    rows = asked(Client(World(store=store, configuration=watched)), contrast="typical value", **asked_for)
    job, other = max(rows, key=lambda row: row["actual"]), rows[60]
    assert job["actual"] > other["actual"] + 4
    assert {row["outcome"] for row in rows} == {"quiet"}
    assert all(row["alarms_below"] < row["actual"] < row["alarms_above"] for row in rows)
    assert job["alarms_above"] > other["alarms_above"] + 2
