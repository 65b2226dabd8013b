"""What becomes of outages that come again is counted by day, and printed by kind."""

from __future__ import annotations

import json
import sys

import pytest

from bench import outages
from bench.outages import DAYS, Outage, drawn, measured


def test_each_day_of_an_outage_is_told_late_or_missed() -> None:
    plain = Outage(1, "missing", hour=10, lasts=2, begins=21, every=7, events=500, levels=0.0, weekend=0.3)
    recurred = measured(plain)
    assert list(plain.days) == [21, 28, 35, 42, 49, 56]
    assert (recurred.told, recurred.late, recurred.missed) == (6, 0, 0)
    nothing = measured(Outage(1, "half missing", hour=10, lasts=0, begins=21, every=7, events=500, levels=0, weekend=0))
    assert (nothing.told, nothing.late, nothing.missed) == (0, 0, 6)


def test_draws_are_of_their_seed_and_of_all_kinds() -> None:
    some = [drawn(seed) for seed in range(200)]
    assert some == [drawn(seed) for seed in range(200)]
    assert {outage.what for outage in some} == set(outages.WHAT)
    assert 60 <= sum(outage.hour == 0 for outage in some) <= 140
    assert all(outage.hour + outage.lasts <= 24 for outage in some)
    assert all(outage.begins < DAYS for outage in some)


def test_it_prints_a_line_of_each_kind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["outages", "--numbers", "2"])
    outages.main()
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[:6] == ["outages", "numbers", "times", "told", "late", "missed"]
    assert first.split()[:2] == ["all", "2"]

    monkeypatch.setattr(sys, "argv", ["outages", "--numbers", "2", "--json"])
    outages.main()
    found = json.loads(capsys.readouterr().out)
    times = [len(Outage(**one["outage"]).days) for one in found]
    assert [one["told"] + one["late"] + one["missed"] for one in found] == times
