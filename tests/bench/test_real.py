"""The bench of real data watches what it says, at the budget that it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from bench.real import WEATHER, accepted_in, day_of, main, observations, parsed, replayed
from monitor.values import DAY_MS


def test_a_budget_accepts_so_many_false_alarms() -> None:
    assert accepted_in(365, "1 per 30d") == pytest.approx(365 / 30)
    assert accepted_in(28, "2 per 1w") == pytest.approx(8)


def test_what_is_printed_is_the_answer_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def an_event(file: Path) -> dict[str, float]:
        file.write_text(json.dumps({"event_id": "1", "ts": 1_357_016_400_000, "model": "flights", "features": {}}))
        return {"flights": 30.0}

    structlog.reset_defaults()
    monkeypatch.setattr("bench.real.write", an_event)
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"accepted": {"flights": 1.0}, "alerts": []}


def test_weather_that_goes_missing_is_an_alert_of_its_day(tmp_path: Path) -> None:
    file, start_ms = tmp_path / "events.jsonl", 1_357_016_400_000
    with file.open("w") as events:
        for hour in range(40 * 24):
            values = {name: 10 * i + hour % 24 + (hour * 7919 % 101) / 50 for i, name in enumerate(WEATHER)}
            features = values if hour < 35 * 24 else dict.fromkeys(values)
            event = {"event_id": str(hour), "ts": start_ms + hour * DAY_MS // 24, "model": "weather-LGA"}
            events.write(json.dumps(event | {"features": features}) + "\n")
    (alert,) = replayed(tmp_path, file, parsed([]))
    assert (alert.model, day_of(alert)) == ("weather-LGA", "2013-02-05")
    assert f"{len(WEATHER)} features moved together" in alert.title
    assert "missing 0 % →" in alert.title


def test_a_dew_point_that_rose_for_weeks_is_not_said_to_have_been_far_away_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rose to 72, and `58.5 → 158 over the day and back` was said of it."""
    events = sorted((event for event in observations() if event["model"] == "weather-EWR"), key=lambda of: of["ts"])
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    monkeypatch.setattr("bench.real.models", lambda: {"weather-EWR": (WEATHER, False)})
    alerts = replayed(tmp_path, file, parsed([]))
    assert {"2013-06-30", "2013-12-05"} <= {day_of(alert) for alert in alerts}
    assert not [alert.title for alert in alerts if "and back" in alert.title]
