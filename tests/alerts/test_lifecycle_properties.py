"""What holds for every sequence of verdicts."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.transition import Transition
from monitor.alerts.verdict import Status, Verdict
from tests.alerts.verdicts import WINDOW_MS, lifecycle, verdict

Window = tuple[int, list[Verdict]]

SERIES = [
    (signal, version, segment)
    for signal in ("feature:a", "feature:b", "prediction:s", "volume")
    for version in ("v1", "v2")
    for segment in ("", "c=x")
]
STATUSES: list[Status] = ["drift", "drift", "ok", "no_data", "learning"]
EFFECTS = st.sampled_from([0.0, 0.05, 0.1, 0.3, 2.5, float("inf"), float("nan")])


@st.composite
def windows(draw: st.DrawFn) -> list[Window]:
    """Up to a dozen judged windows, with gaps, few alarms and several detectors."""
    minute, found = 0, []
    for _ in range(draw(st.integers(1, 12))):
        minute += draw(st.sampled_from([1, 1, 1, 2, 6]))
        said = draw(
            st.lists(
                st.tuples(
                    st.sampled_from(SERIES),
                    st.sampled_from(["psi", "ks"]),
                    st.sampled_from(STATUSES),
                    EFFECTS,
                ),
                max_size=6,
                unique_by=lambda item: item[:2],
            )
        )
        verdicts = [
            verdict(minute, signal, status, effect, version=version, segment=segment, detector=detector)
            for (signal, version, segment), detector, status, effect in said
        ]
        found.append((minute * WINDOW_MS, verdicts))
    return found


CONFIGS = st.fixed_dictionaries(
    {
        "for": st.sampled_from([0, WINDOW_MS, 3 * WINDOW_MS]),
        "resolve_after": st.sampled_from([0, WINDOW_MS, 90_000, 4 * WINDOW_MS]),
        "join_within": st.sampled_from([None, 0, 5 * WINDOW_MS]),
        "group_by": st.sampled_from([["model", "version"], ["model"], ["version", "segment"]]),
    }
)


def run(alerts: Lifecycle, seen: list[Window]) -> list[Transition]:
    return [transition for at_ms, verdicts in seen for transition in alerts.step(at_ms, verdicts)]


def lives(log: list[Transition]) -> list[list[Transition]]:
    """The transitions of each alert."""
    by_id: dict[str, list[Transition]] = defaultdict(list)
    for transition in log:
        by_id[transition.alert_id].append(transition)
    return list(by_id.values())


def members(transition: Transition) -> set[tuple[Any, ...]]:
    return {(s["version"], s["segment"], s["signal"]) for s in transition.signals}


@given(windows(), CONFIGS)
@settings(max_examples=150, deadline=None)
def test_every_alert_lives_one_orderly_life(seen: list[Window], config: dict[str, Any]) -> None:
    alerts = lifecycle(**config)
    quiet_ms = seen[-1][0] + max(config["resolve_after"], WINDOW_MS)
    log = run(alerts, [*seen, (quiet_ms, [])])

    assert alerts.snapshot()["live"] == [], "quiet for resolve_after ends everything"
    for life in lives(log):
        states = "".join(t.state[0] for t in life)  # (p)ending (f)iring (u)pdated (r)esolved (c)ancelled
        opened, _, _ = states.partition("u")
        assert opened.rstrip("rc") in ("f", "pf", "p")
        assert states[-1] == ("c" if opened.rstrip("rc") == "p" else "r")
        assert states.count("f") <= 1
        assert states.count("p") == (1 if config["for"] else 0)
        assert [t.sequence for t in life] == list(range(len(life)))
        assert all(t.ends_ms == 0 for t in life[:-1])
        assert len({(t.starts_ms, t.version, t.segment) for t in life}) == 1
        assert life[0].starts_ms < life[-1].ends_ms <= life[-1].at_ms
        for before, after in pairwise(life):
            assert before.at_ms < after.at_ms
            assert members(before) <= members(after)
            if after.state == "updated":
                assert members(before) < members(after)
        if states[-1] == "r":
            assert life[-1].at_ms - life[-1].ends_ms >= config["resolve_after"]


@given(windows(), CONFIGS)
@settings(max_examples=100, deadline=None)
def test_every_alarm_belongs_to_exactly_one_live_alert(seen: list[Window], config: dict[str, Any]) -> None:
    alerts = lifecycle(**config)
    for at_ms, verdicts in seen:
        alerts.step(at_ms, verdicts)
        live = json.loads(json.dumps(alerts.snapshot(), allow_nan=False))["live"]
        held = [
            (m["evidence"]["version"], m["evidence"]["segment"], m["evidence"]["signal"])
            for alert in live
            for m in alert["members"]
            if m["last_ms"] == at_ms
        ]
        assert sorted(held) == sorted({v.series for v in verdicts if v.status == "drift"})


@given(windows(), CONFIGS, st.data())
@settings(max_examples=100, deadline=None)
def test_a_restart_from_a_snapshot_changes_nothing(
    seen: list[Window], config: dict[str, Any], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(seen)))
    first, second = lifecycle(**config), lifecycle(**config)
    log = run(first, seen[:cut])
    second.restore(json.loads(json.dumps(first.snapshot(), allow_nan=False)))
    log += run(second, seen[cut:])

    unbroken = lifecycle(**config)
    assert [t.to_row() for t in log] == [t.to_row() for t in run(unbroken, seen)]
    assert second.snapshot() == unbroken.snapshot()


@given(windows(), CONFIGS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_verdicts_does_not_matter(
    seen: list[Window], config: dict[str, Any], chance: random.Random
) -> None:
    shuffled = [(at_ms, chance.sample(verdicts, len(verdicts))) for at_ms, verdicts in seen]
    assert [t.to_row() for t in run(lifecycle(**config), seen)] == [
        t.to_row() for t in run(lifecycle(**config), shuffled)
    ]


@given(windows(), CONFIGS)
@settings(max_examples=50, deadline=None)
def test_windows_without_alarms_may_be_left_out(seen: list[Window], config: dict[str, Any]) -> None:
    """Whether quiet windows are stepped through decides when an end is noticed, never how alerts are cut."""
    every = [(m * WINDOW_MS, dict(seen).get(m * WINDOW_MS, [])) for m in range(1, seen[-1][0] // WINDOW_MS + 1)]

    def cut(log: list[Transition]) -> set[tuple[Any, ...]]:
        return {(t.alert_id, t.starts_ms, t.ends_ms) for t in log if t.state in ("resolved", "cancelled")}

    # A quiet window at the end notices every end that is due.
    end: list[Window] = [(seen[-1][0] + 100 * WINDOW_MS, [])]
    assert cut(run(lifecycle(**config), [*seen, *end])) == cut(run(lifecycle(**config), [*every, *end]))
