"""When alerts begin, grow and end."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.alerts.labels import OF_EVERY_ALERT
from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.transition import Transition, to_columns
from monitor.alerts.verdict import Beside, Change, Facts, Failure, NewNormal, NewVersion, OddLabels, Status, Verdict
from monitor.config.model import Alerts
from monitor.evaluate.model import policy_of
from monitor.values import DAY_MS
from sinks.store.contract import TABLES
from tests.alerts.verdicts import WINDOW_MS, lifecycle, play, told, verdict

M = WINDOW_MS


def test_an_alarm_fires_at_once_and_resolves_after_quiet_time() -> None:
    log = play(lifecycle(), "", "amount", "", "", "", "")
    assert told(log) == [(2, "firing", ["amount"]), (5, "resolved", ["amount"])]
    firing, resolved = log
    assert (firing.starts_ms, firing.ends_ms) == (1 * M, 0)
    assert (resolved.starts_ms, resolved.ends_ms) == (1 * M, 2 * M)
    assert firing.alert_id == resolved.alert_id
    assert len(firing.alert_id) == 16
    assert int(firing.alert_id, 16) >= 0


def test_an_alarm_that_comes_back_in_time_keeps_its_alert_open() -> None:
    log = play(lifecycle(), "amount", "", "", "amount", "", "", "", "")
    assert told(log) == [(1, "firing", ["amount"]), (7, "resolved", ["amount"])]


def test_signals_that_start_together_share_an_alert() -> None:
    log = play(lifecycle(), "volume feature:a feature:b")
    assert told(log) == [(1, "firing", ["feature:a", "feature:b", "volume"])]


def test_a_signal_that_starts_within_two_windows_joins_with_an_update() -> None:
    log = play(lifecycle(), "a", "a", "a b", "a b")
    assert told(log) == [(1, "firing", ["a"]), (3, "updated", ["a", "b"])]
    assert [t.sequence for t in log] == [0, 1]


def test_a_signal_that_starts_later_has_a_cause_of_its_own() -> None:
    log = play(lifecycle(), "a", "a", "a", "a b", "a b c")
    assert told(log) == [(1, "firing", ["a"]), (4, "firing", ["b"]), (5, "updated", ["b", "c"])]
    assert log[1].alert_id == log[2].alert_id != log[0].alert_id


def test_a_member_that_alarms_again_stays_with_its_alert() -> None:
    # `b` is quiet while `a` keeps the first alert open and `c` starts another; then it comes back.
    log = play(lifecycle(), "a b", "a", "a", "a", "a c", "a b c")
    assert told(log) == [(1, "firing", ["a", "b"]), (5, "firing", ["c"])]


def test_strength_alone_is_no_update() -> None:
    alerts = lifecycle()
    alerts.step(M, [verdict(1, "a", effect=0.2)])
    assert alerts.step(2 * M, [verdict(2, "a", effect=9.0)]) == []


def test_join_within_zero_takes_only_what_starts_in_the_same_window() -> None:
    log = play(lifecycle(join_within=0), "a b", "a b c")
    assert told(log) == [(1, "firing", ["a", "b"]), (2, "firing", ["c"])]


@pytest.mark.parametrize(
    ("group_by", "alerts"),
    [
        (["model"], 1),
        (["model", "version"], 2),
        (["model", "segment"], 2),
        (["model", "version", "segment"], 4),
        ([], 1),
    ],
)
def test_signals_share_an_alert_only_within_their_group(group_by: list[str], alerts: int) -> None:
    series = [(version, segment) for version in ("v1", "v2") for segment in ("", "carrier=AA")]
    log = lifecycle(group_by=group_by).step(
        M, [verdict(1, "a", version=version, segment=segment) for version, segment in series]
    )
    assert len(log) == alerts
    assert sum(len(t.signals) for t in log) == 4
    assert {t.version for t in log} == ({"v1", "v2"} if "version" in group_by else {""})
    assert {t.segment for t in log} == ({"", "carrier=AA"} if "segment" in group_by else {""})


def test_a_segment_and_its_whole_share_an_alert_however_far_apart_they_are_found() -> None:
    alerts = lifecycle()
    (firing,) = alerts.step(1 * M, [verdict(1, "a")])
    for minute in range(2, 9):
        assert alerts.step(minute * M, [verdict(minute, "a")]) == []
    (updated,) = alerts.step(9 * M, [verdict(9, "a"), verdict(9, "a", segment="carrier=AA")])
    assert (updated.state, updated.alert_id) == ("updated", firing.alert_id)
    assert [entry["segment"] for entry in updated.signals] == ["", "carrier=AA"]


def test_a_whole_joins_the_alert_of_its_segment() -> None:
    alerts = lifecycle()
    (firing,) = alerts.step(1 * M, [verdict(1, "a", segment="carrier=AA")])
    of_segment = [verdict(minute, "a", segment="carrier=AA") for minute in range(2, 7)]
    assert [alerts.step(of_window.at_ms, [of_window]) for of_window in of_segment[:4]] == [[]] * 4
    (updated,) = alerts.step(6 * M, [of_segment[4], verdict(6, "a")])
    assert (updated.state, updated.alert_id) == ("updated", firing.alert_id)


@pytest.mark.parametrize("segment", ["", "carrier=AA"])
def test_metrics_share_an_alert_however_far_apart_they_are_found(segment: str) -> None:
    precision, accuracy = "performance:precision", "performance:accuracy"
    alerts = lifecycle()
    (firing,) = alerts.step(1 * M, [verdict(1, precision)])
    log = [t for minute in range(2, 9) for t in alerts.step(minute * M, [verdict(minute, precision)])]
    of_another = verdict(9, accuracy, segment=segment)
    (updated,) = alerts.step(9 * M, [verdict(9, precision), of_another])
    assert log == []
    assert (updated.state, updated.alert_id) == ("updated", firing.alert_id)
    assert {entry["signal"] for entry in updated.signals} == {precision, accuracy}


def test_coverage_and_metrics_of_another_version_have_alerts_of_their_own() -> None:
    alerts = lifecycle()
    for minute in range(1, 6):
        alerts.step(minute * M, [verdict(minute, "performance:recall")])
    others = [verdict(6, "coverage"), verdict(6, "performance:accuracy", version="v2")]
    log = alerts.step(6 * M, [verdict(6, "performance:recall"), *others])
    assert {transition.state for transition in log} == {"firing"}


@pytest.mark.parametrize(("signal", "version"), [("b", "v1"), ("a", "v2")])
def test_a_segment_of_another_signal_or_version_has_a_cause_of_its_own(signal: str, version: str) -> None:
    alerts = lifecycle()
    for minute in range(1, 6):
        alerts.step(minute * M, [verdict(minute, "a")])
    of_segment = verdict(6, signal, segment="carrier=AA", version=version)
    log = alerts.step(6 * M, [verdict(6, "a"), of_segment])
    assert [transition.state for transition in log] == ["firing"]


def in_version(minute: int, signal: str = "a", segment: str = "", *, was_off: bool = True) -> Verdict:
    facts = Facts(new_version=NewVersion("v2", 5 * M, "v1", was_off))
    return verdict(minute, signal, version="v2", segment=segment, facts=facts)


def test_a_fault_of_a_version_goes_on_with_its_alert_in_the_next_one_and_takes_segments_along() -> None:
    alerts = lifecycle()
    log = [transition for minute in range(1, 6) for transition in alerts.step(minute * M, [verdict(minute, "a")])]
    log += alerts.step(6 * M, [in_version(6)])
    log += alerts.step(7 * M, [in_version(7), verdict(7, "a", version="v2", segment="carrier=AA")])
    log += [transition for minute in range(8, 12) for transition in alerts.step(minute * M, [in_version(minute)])]
    assert told(log) == [(1, "firing", ["a"]), (6, "updated", ["a", "a"]), (7, "updated", ["a", "a", "a"])]
    assert len({transition.alert_id for transition in log}) == 1
    assert {transition.labels["version"] for transition in log} == {"v1"}
    assert log[-1].title == (
        "flights: a moved (PSI 0.3, 3× its limit; so did 1 segment), "
        "off under v1 already when version v2 came at 1970-01-01 00:05 UTC"
    )


@pytest.mark.parametrize("came", [in_version(6, was_off=False), in_version(6, "b"), verdict(6, "a", version="v2")])
def test_what_a_version_brings_begins_an_alert_of_its_own(came: Verdict) -> None:
    alerts = lifecycle()
    for minute in range(1, 6):
        alerts.step(minute * M, [verdict(minute, "a")])
    log = alerts.step(6 * M, [verdict(6, "a"), came])
    assert [(transition.state, transition.version) for transition in log] == [("firing", "v2")]


def test_a_fault_that_goes_on_in_a_version_joins_no_alert_of_another_segment_in_groups_by_segment() -> None:
    alerts = lifecycle(group_by=["model", "segment"])
    for minute in range(1, 6):
        alerts.step(minute * M, [verdict(minute, "a")])
    log = alerts.step(6 * M, [verdict(6, "a"), in_version(6, segment="carrier=AA")])
    assert [transition.state for transition in log] == ["firing"]


def test_a_title_tells_what_was_off_before_a_version_came_from_what_it_brought() -> None:
    (firing,) = lifecycle().step(6 * M, [in_version(6, "a", was_off=False), in_version(6, "b")])
    assert firing.title.endswith(" since version v2 came at 1970-01-01 00:05 UTC, after v1; b off before that already")


def test_a_fault_that_goes_on_in_a_version_does_so_after_a_restart() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [verdict(1, "a")])
    alerts.step(2 * M, [in_version(2)])
    restored = lifecycle()
    restored.restore(json.loads(json.dumps(alerts.snapshot())))
    log = [alerts.step(5 * M, [in_version(5, segment="carrier=AA")])[0].to_row()]
    assert log == [restored.step(5 * M, [in_version(5, segment="carrier=AA")])[0].to_row()]


def test_two_segments_without_their_whole_are_found_apart() -> None:
    alerts = lifecycle()
    for minute in range(1, 6):
        alerts.step(minute * M, [verdict(minute, "a", segment="carrier=AA")])
    both = [verdict(6, "a", segment=f"carrier={carrier}") for carrier in ("AA", "UA")]
    assert [transition.state for transition in alerts.step(6 * M, both)] == ["firing"]


def test_a_segment_joins_no_alert_of_another_group() -> None:
    alerts = lifecycle(group_by=["model", "version", "segment"])
    alerts.step(1 * M, [verdict(1, "a")])
    log = alerts.step(2 * M, [verdict(2, "a"), verdict(2, "a", segment="carrier=AA")])
    assert [transition.state for transition in log] == ["firing"]


def test_the_reason_of_a_whole_names_the_segment_that_moved_most() -> None:
    of_segments = [verdict(1, "a", effect=effect, segment=f"carrier={c}") for c, effect in (("AA", 0.9), ("UA", 2.0))]
    (firing,) = lifecycle().step(M, [verdict(1, "a", effect=0.5), *of_segments])
    assert firing.title == "flights: a moved (PSI 0.5, 5× its limit; most in carrier=UA: PSI 2, 20× its limit)"
    reasons = {entry["segment"]: entry["reason"] for entry in firing.signals}
    assert "; most in carrier=UA: PSI 2, 20× its limit" in reasons[""]
    assert "most in" not in reasons["carrier=AA"] + reasons["carrier=UA"]


def test_a_condition_must_hold_before_it_fires() -> None:
    log = play(lifecycle(**{"for": 2 * M}), "a", "a b", "b", "b")
    assert told(log) == [(1, "pending", ["a"]), (3, "firing", ["a", "b"])]
    assert [t.sequence for t in log] == [0, 1]
    assert log[1].starts_ms == 0


def test_a_condition_that_does_not_hold_is_cancelled_and_begins_anew() -> None:
    log = play(lifecycle(**{"for": 2 * M}), "a", "a", "", "a")
    assert told(log) == [(1, "pending", ["a"]), (3, "cancelled", ["a"]), (4, "pending", ["a"])]
    assert log[1].ends_ms == 2 * M
    assert log[1].alert_id == log[0].alert_id != log[2].alert_id


def test_windows_that_nobody_judged_are_quiet() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [verdict(1, "a")])
    log = alerts.step(5 * M, [verdict(5, "a")])
    assert told(log) == [(5, "resolved", ["a"]), (5, "firing", ["a"])]
    assert log[0].ends_ms == 1 * M


def test_a_gap_shorter_than_resolve_after_does_not_end_an_alert() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [verdict(1, "a")])
    assert alerts.step(4 * M, [verdict(4, "a")]) == []


def test_a_pending_condition_does_not_hold_over_a_gap() -> None:
    alerts = lifecycle(**{"for": 2 * M})
    alerts.step(1 * M, [verdict(1, "a")])
    assert told(alerts.step(4 * M, [verdict(4, "a")])) == [(4, "cancelled", ["a"]), (4, "pending", ["a"])]


def test_with_resolve_after_zero_the_first_quiet_window_ends_an_alert_and_alarmed_ones_do_not() -> None:
    log = play(lifecycle(resolve_after=0), "a", "a", "", "a")
    assert told(log) == [(1, "firing", ["a"]), (3, "resolved", ["a"]), (4, "firing", ["a"])]


def test_one_detector_is_enough_and_the_strongest_is_the_evidence() -> None:
    verdicts = [
        verdict(1, "a", effect=0.3, min_effect=0.1, detector="psi"),
        verdict(1, "a", effect=0.5, min_effect=0.05, detector="ks", p_value=0.001),
        verdict(1, "a", "ok", effect=9.0, detector="chi_squared"),
    ]
    (firing,) = lifecycle().step(M, verdicts)
    (signal,) = firing.signals
    assert (signal["detector"], signal["effect"], signal["p_value"]) == ("ks", 0.5, 0.001)


def test_signals_are_ranked_by_effect_over_limit_then_by_name() -> None:
    verdicts = [
        verdict(1, "c", effect=0.4),
        verdict(1, "b", effect=0.4),
        verdict(1, "weak", effect=5.0, min_effect=4.0),
        verdict(1, "strong", effect=0.2, min_effect=0.01),
    ]
    (firing,) = lifecycle().step(M, verdicts)
    assert [s["signal"] for s in firing.signals] == ["strong", "b", "c", "weak"]
    assert firing.labels["cause"] == "strong"


def test_an_entry_keeps_its_peak_and_says_when_its_signal_went_quiet() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [verdict(1, "a"), verdict(1, "b", effect=0.9)])
    alerts.step(2 * M, [verdict(2, "a"), verdict(2, "b", effect=0.2)])
    (updated,) = alerts.step(3 * M, [verdict(3, "a"), verdict(3, "b", "ok"), verdict(3, "c")])
    b = next(s for s in updated.signals if s["signal"] == "b")
    assert (b["effect"], b["peak_effect"], b["peak_at_ms"]) == (0.2, 0.9, 1 * M)
    assert (b["since_ms"], b["last_ms"], b["alarmed"], b["status"]) == (0, 2 * M, False, "ok")
    assert b["reason"].endswith("quiet since 1970-01-01 00:02 UTC")


def test_what_is_over_is_told_as_it_was_at_its_strongest() -> None:
    alerts = lifecycle(resolve_after=0)
    alerts.step(1 * M, [verdict(1, "a", effect=0.9), verdict(1, "b", effect=0.5)])
    alerts.step(2 * M, [verdict(2, "a", effect=0.2), verdict(2, "b", effect=0.4)])
    (resolved,) = alerts.step(3 * M, [])
    assert "strongest: a PSI 0.9," in resolved.title
    assert [(s["signal"], s["effect"]) for s in resolved.signals] == [("a", 0.9), ("b", 0.5)]
    assert "PSI 0.9," in resolved.signals[0]["reason"]
    assert resolved.signals[0]["last_ms"] == 2 * M


@pytest.mark.parametrize("status", ["no_data", "learning"])
def test_a_window_without_a_say_is_quiet_but_is_not_called_well(status: Status) -> None:
    alerts = lifecycle(resolve_after=0)
    alerts.step(1 * M, [verdict(1, "a")])
    (resolved,) = alerts.step(2 * M, [verdict(2, "a", status)])
    assert resolved.state == "resolved"
    assert resolved.signals[0]["status"] == status
    assert status.replace("_", " ") in resolved.signals[0]["reason"]


def test_severity_follows_the_gravest_member_and_never_sinks() -> None:
    alerts = lifecycle()
    (firing,) = alerts.step(1 * M, [verdict(1, "feature:a")])
    (updated,) = alerts.step(2 * M, [verdict(2, "prediction:score")])
    (resolved,) = alerts.step(9 * M, [])
    assert [t.severity for t in (firing, updated, resolved)] == ["warning", "critical", "critical"]
    assert [t.labels["severity"] for t in (firing, updated, resolved)] == ["warning", "critical", "critical"]


def test_after_a_change_of_configuration_the_youngest_alert_that_could_takes_a_signal() -> None:
    before, after = lifecycle(join_within=0), lifecycle(join_within=9 * M)
    first, second = play(before, "a", "a b")
    after.restore(before.snapshot())
    (updated,) = after.step(3 * M, [verdict(3, s) for s in ("a", "b", "c")])
    assert updated.alert_id == second.alert_id != first.alert_id


def test_after_a_change_of_configuration_severity_does_not_sink() -> None:
    before, after = lifecycle(), lifecycle(severity={"info": "*"})
    play(before, "prediction:score")
    after.restore(before.snapshot())
    (resolved,) = after.step(9 * M, [])
    assert (resolved.state, resolved.severity) == ("resolved", "critical")


def test_labels_say_who_the_alert_is_and_stay_the_same() -> None:
    log = play(lifecycle(), "feature:a", "feature:a feature:z", "", "", "", "")
    assert log[0].labels == {
        "alertname": "LeewayDrift",
        "alert_id": log[0].alert_id,
        "cause": "feature:a",
        "model": "flights",
        "namespace": "ops",
        "severity": "warning",
        "tier": "1",
        "version": "v1",
    }
    assert [t.labels for t in log] == [log[0].labels] * 3


@pytest.mark.parametrize(("versions", "labelled"), [(("v1", ""), "v1"), (("v1", "v2"), ""), (("",), "")])
def test_an_alert_over_versions_names_the_one_it_began_in(versions: tuple[str, ...], labelled: str) -> None:
    alerts = lifecycle(group_by=["model"])
    (firing,) = alerts.step(1 * M, [verdict(1, f"s{v}", version=v) for v in versions])
    assert (firing.version, firing.labels.get("version", "")) == (labelled, labelled)
    (updated,) = alerts.step(2 * M, [verdict(2, "late", version="v3")])
    assert updated.labels == firing.labels


def test_a_models_own_label_does_not_replace_one_of_ours() -> None:
    alerts = Lifecycle("flights", "ops", {"severity": "1", "model": "x", "segment": "y"}, policy_of(Alerts(), M), M)
    (firing,) = alerts.step(M, [verdict(1, "a")])
    assert (firing.labels["severity"], firing.labels["model"]) == ("warning", "flights")
    assert "segment" not in firing.labels


def test_a_row_has_the_columns_of_the_table_and_strict_sorted_json() -> None:
    alerts = lifecycle()
    of_numpy: Any = {"n": np.int64(7), "surprise": np.float64("inf")}
    worst = replace(verdict(1, "a", effect=math.inf, p_value=math.nan), **of_numpy)
    log = alerts.step(M, [worst])
    row = log[0].to_row()
    assert list(row) == [column.name for column in TABLES["alerts"].columns]
    signals = json.loads(row["signals"], parse_constant=pytest.fail)
    assert (signals[0]["effect"], signals[0]["surprise"], signals[0]["p_value"]) == (None, None, None)
    assert signals[0]["n"] == 7
    for name in ("labels", "signals"):
        again = json.dumps(json.loads(row[name]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert row[name] == again
    assert to_columns(log) == {name: [value] for name, value in row.items()}


def test_time_must_advance_and_verdicts_must_be_of_their_window() -> None:
    alerts = lifecycle()
    alerts.step(2 * M, [])
    with pytest.raises(ValueError, match="time must advance"):
        alerts.step(2 * M, [])
    with pytest.raises(ValueError, match="in the step at"):
        alerts.step(4 * M, [verdict(3, "a")])
    assert told(alerts.step(3 * M, [verdict(3, "a")])) == [(3, "firing", ["a"])]


def test_a_refused_verdict_is_never_taken_in() -> None:
    with pytest.raises(ValueError, match="unknown status 'warning'"):
        verdict(1, "a", "warning")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty window"):
        replace(verdict(1, "a"), window_start_ms=M)


def accepted(minute: int, signal: str) -> Verdict:
    """A quiet window in which somebody has accepted the level of a signal."""
    facts = Facts(new_normal=NewNormal("ann", "prices rose", (minute - 3) * M))
    return replace(verdict(minute, signal), status="ok", facts=facts)


def test_an_alert_of_which_every_level_is_accepted_ends_at_once_and_says_who_did() -> None:
    life = lifecycle()
    life.step(1 * M, [verdict(1, "a"), verdict(1, "b")])
    assert life.step(2 * M, [accepted(2, "a"), verdict(2, "b")]) == []
    again = lifecycle()
    again.restore(json.loads(json.dumps(life.snapshot())))
    [ended] = again.step(3 * M, [accepted(3, "b")])
    assert ended.state == "resolved"
    assert all("accepted by ann as the new normal from" in signal["reason"] for signal in ended.signals)


def test_an_accepted_level_that_moves_again_keeps_its_alert() -> None:
    life = lifecycle()
    life.step(1 * M, [verdict(1, "a"), verdict(1, "b")])
    life.step(2 * M, [accepted(2, "a"), verdict(2, "b")])
    life.step(3 * M, [verdict(3, "a"), verdict(3, "b")])
    assert life.step(4 * M, [accepted(4, "b")]) == []


def test_what_moves_after_an_acceptance_has_its_own_beginning() -> None:
    life = lifecycle()
    life.step(1 * M, [moves(1, "typical value", 2_500.0, 9.0), verdict(1, "b")])
    for minute in (2, 3):
        life.step(minute * M, [accepted(minute, "amount"), verdict(minute, "b")])
    [updated] = life.step(4 * M, [moves(4, "typical value", 25.0, 8.0), verdict(4, "b")])
    [entry] = [signal for signal in updated.signals if signal["signal"] == "amount"]
    assert (updated.state, entry["since_ms"], entry["onset_ms"], entry["peak_at_ms"]) == (
        "updated",
        3 * M,
        3 * M,
        4 * M,
    )
    assert "since 1970-01-01 00:03 UTC" in entry["reason"]


def test_an_acceptance_in_a_window_that_alarms_is_no_end() -> None:
    life = lifecycle()
    life.step(1 * M, [verdict(1, "a")])
    still = replace(verdict(2, "a"), facts=Facts(new_normal=NewNormal("ann", "prices rose", M)))
    assert life.step(2 * M, [still]) == []
    assert len(life.members()) == 1


def amount(minute: int, segment: str, before: float, after: float, **rest: Any) -> Verdict:
    """A level of all traffic, or of a segment, that passes its threshold in this very window."""
    facts = Facts(change=Change("typical value", before, after, by_day=False))
    return verdict(minute, "amount", segment=segment, facts=facts, surprise=9.0, surprise_limit=8.0, **rest)


def test_an_update_is_about_what_alarms_now_however_strong_what_went_quiet_was() -> None:
    """All came back but for a segment, whose level had been accepted: only that one moved."""
    alerts = lifecycle(resolve_after=9 * M)
    segments = {"land=DE": 3.0, "": 2.9, "land=AT": 2.6, "land=CH": 2.7}
    [firing] = alerts.step(1 * M, [amount(1, each, 19.9, 83.2, effect=far) for each, far in segments.items()])
    assert firing.title == "flights: amount moved (typical value 19.9 → 83.2; so did 3 segments)"
    quiet = [verdict(2, "amount", "ok", segment=each) for each in ("", "land=AT")]
    [updated] = alerts.step(2 * M, [*quiet, amount(2, "land=DE", 83.2, 19.9, effect=0.9)])
    assert updated.title == (
        "flights: amount [land=DE] moved (typical value 83.2 → 19.9); "
        "3 others alarm no longer (strongest: amount typical value 19.9 → 83.2)"
    )
    assert [s["segment"] for s in updated.signals] == ["land=DE", "", "land=CH", "land=AT"]
    first, *others = [s["reason"] for s in updated.signals]
    assert first.startswith("amount [land=DE]: typical value 83.2 → 19.9")
    assert "quiet" not in first
    assert [reason.rpartition("; ")[2] for reason in others] == [
        "quiet since 1970-01-01 00:01 UTC",
        "its newest window was not judged (no data)",
        "quiet since 1970-01-01 00:01 UTC",
    ]


def test_what_went_quiet_and_what_alarms_are_not_named_as_one_move() -> None:
    alerts = lifecycle(resolve_after=9 * M)
    alerts.step(1 * M, [amount(1, "", 19.9, 40.0, effect=0.9), amount(1, "land=DE", 19.9, 83.2, effect=3.0)])
    # The segment goes the other way while the whole is quiet, and later the whole while that is.
    [updated] = alerts.step(2 * M, [amount(2, "land=DE", 83.2, 9.0, effect=4.0)])
    assert updated.title == (
        "flights: amount [land=DE] moved (typical value 83.2 → 9); amount alarms no longer (typical value 19.9 → 40)"
    )
    assert all("most in" not in signal["reason"] for signal in updated.signals)
    [updated] = alerts.step(3 * M, [amount(3, "", 19.9, 10.0, effect=0.7)])
    assert updated.title == (
        "flights: amount moved (typical value 19.9 → 10); amount [land=DE] alarms no longer (typical value 83.2 → 9)"
    )
    restored = lifecycle(resolve_after=9 * M)
    restored.restore(json.loads(json.dumps(alerts.snapshot())))
    for each in (alerts, restored):
        [ended] = each.step(20 * M, [])
        # One move they are not at the end either.
        assert ended.title == "flights: amount moved (typical value 19.9 → 40; 1 segment moved the other way)"


def test_alerts_about_one_cause_in_two_versions_say_in_their_titles_which_is_which() -> None:
    alerts = lifecycle(resolve_after=2 * M, join_within=0)
    [first] = alerts.step(1 * M, [verdict(1, "a")])
    assert first.title == "flights: a moved (PSI 0.3, 3× its limit)", "no other version alarms"
    both = [verdict(2, "a"), verdict(2, "b"), verdict(2, "a", version="v2"), verdict(2, "c", version="")]
    fired = alerts.step(2 * M, both)
    assert [alert.title for alert in fired] == [
        "flights: c moved (PSI 0.3, 3× its limit)",
        "flights (version v1): b moved (PSI 0.3, 3× its limit)",
        "flights (version v2): a moved (PSI 0.3, 3× its limit)",
    ]
    restored = lifecycle(resolve_after=2 * M, join_within=0)
    restored.restore(json.loads(json.dumps(alerts.snapshot())))
    alerts.step(3 * M, [verdict(3, "a"), verdict(3, "b")])
    # The others are over, and what people read of these stays as it was.
    for each in (alerts, restored):
        ended = each.step(9 * M, [])
        titles = {alert.title for alert in ended if alert.version == "v1"}
        assert titles == {f"flights (version v1): {name} moved (PSI 0.3, 3× its limit)" for name in "ab"}


def test_what_is_of_no_version_tells_none_apart() -> None:
    alerts = lifecycle(resolve_after=2 * M, join_within=0)
    alerts.step(1 * M, [verdict(1, "a")])
    [volume] = alerts.step(2 * M, [verdict(2, "a"), verdict(2, "volume", version="")])
    assert volume.title == "flights: volume moved (PSI 0.3, 3× its limit)"
    assert {alert.title.partition(":")[0] for alert in alerts.step(9 * M, [])} == {"flights"}


def test_an_answer_that_is_known_to_be_stuck_is_told_once_whatever_is_expected_of_the_hour() -> None:
    alerts = lifecycle(resolve_after=9 * M)

    def stuck(minute: int, expected: float, share: float = 1.0, answer: str = "0.5") -> list[Transition]:
        failure = Failure("stuck", answer, 0.01, share)
        facts = Facts(change=Change("typical value", expected, 0.5, by_day=False), failure=failure)
        effect = abs(expected - 0.5)
        passes: dict[str, Any] = {"surprise": 9.0, "surprise_limit": 8.0}
        return alerts.step(minute * M, [verdict(minute, "prediction:p", effect=effect, facts=facts, **passes)])

    assert len(stuck(1, 0.4, share=0.9)) == 1
    # The hours lead away from it on both sides, ever further.
    assert [stuck(2, 0.7), stuck(3, 0.2), stuck(4, 0.9, share=0.8)] == [[], [], []]
    assert len(stuck(5, 0.9, answer="0.8")) == 1


def test_an_alert_of_several_versions_is_named_after_none() -> None:
    alerts = lifecycle(group_by=["model"], join_within=0)
    alerts.step(1 * M, [verdict(1, "a"), verdict(1, "a", version="v2")])
    [later] = alerts.step(2 * M, [verdict(2, "b", version="v2")])
    assert later.title == "flights (version v2): b moved (PSI 0.3, 3× its limit)"
    assert {alert.title.partition(":")[0] for alert in alerts.step(9 * M, [])} == {"flights", "flights (version v2)"}


def test_a_failure_that_is_over_is_no_headline_of_what_moves_now() -> None:
    alerts = lifecycle(resolve_after=9 * M)
    stuck = Facts(change=Change("spread", 1.0, 0.0, by_day=False), failure=Failure("stuck", "'no'", 0.5, 1.0))
    [firing] = alerts.step(1 * M, [verdict(1, "prediction:p", effect=0.9, facts=stuck)])
    assert firing.title == "flights: prediction:p is stuck at 'no' (50 % → 100 % of its answers)"
    [updated] = alerts.step(2 * M, [verdict(2, "prediction:p", "ok"), amount(2, "", 1.0, 2.0)])
    assert updated.title == (
        "flights: amount moved (typical value 1 → 2); "
        "prediction:p alarms no longer (stuck at 'no' (50 % → 100 % of its answers))"
    )


def moves(minute: int, what: str, after: float, effect: float) -> Verdict:
    """A signal whose evidence passes its threshold in this very window."""
    facts = Facts(change=Change(what, 1.0, after, by_day=False))
    return verdict(minute, "amount", effect=effect, surprise=9.0, surprise_limit=8.0, facts=facts)


def test_vectors_that_moved_are_told_once_whichever_directions_show_it() -> None:
    """An encoder that was turned was told anew of one more direction each hour, up to nine times in a day."""
    alerts = lifecycle(resolve_after=2 * DAY_MS)
    assert [t.state for t in alerts.step(M, [moves(1, "position along direction 2", 2.0, 1.0)])] == ["firing"]
    others = ["position along direction 7", "spread along direction 2", "spread over all directions"]
    for minute, contrast in enumerate(others, start=2):
        assert alerts.step(minute * M, [moves(minute, contrast, 0.3, 1.4)]) == []
    # Half as far again is news, and that hardly any two of them differ stays in front of what is elsewhere by that.
    [updated] = alerts.step(6 * M, [moves(6, "spread over all directions", 0.05, 12.0)])
    assert (updated.state, "nearly constant, spread over all directions" in updated.title) == ("updated", True)
    [later] = alerts.step(7 * M, [moves(7, "missing", 2.0, 1.0)])
    assert later.state == "updated"


def test_a_signal_that_moves_again_is_told_unless_it_is_a_move_that_was_told() -> None:
    alerts, a_day = lifecycle(resolve_after=2 * DAY_MS), DAY_MS // M
    assert [t.state for t in alerts.step(M, [moves(1, "typical value", 2.0, 1.0)])] == ["firing"]
    assert alerts.step(2 * M, [moves(2, "typical value", 2.2, 1.2)]) == []
    for minute, again in enumerate(
        (
            moves(3, "typical value", 2.5, 1.5),  # half as far again
            moves(4, "typical value", 0.5, 0.5),  # the other way
            moves(5, "missing", 2.0, 0.1),  # something else
        ),
        start=3,
    ):
        assert [t.state for t in alerts.step(minute * M, [again])] == ["updated"]
    assert alerts.step(6 * M, [moves(6, "missing", 2.0, 0.1)]) == []
    restarted = lifecycle(resolve_after=2 * DAY_MS)
    restarted.restore(json.loads(json.dumps(alerts.snapshot())))
    # Not even after a day, nor in turn with another: what began to vary moves in several ways, for as long as it does.
    assert restarted.step((5 + a_day) * M, [moves(5 + a_day, "missing", 2.0, 0.1)]) == []
    assert restarted.step((6 + a_day) * M, [moves(6 + a_day, "typical value", 0.5, 0.5)]) == []
    (told_again,) = restarted.step((7 + a_day) * M, [moves(7 + a_day, "typical value", 1.5, 0.5)])
    assert told_again.state == "updated"


def in_window(minute: int, usual: float, value: float, shift: float) -> Verdict:
    """A signal whose window has a typical value where another one is usual, and moved by so much on average."""
    facts = Facts(change=Change("typical value", usual, usual + shift, by_day=False, in_window=value))
    return verdict(minute, "amount", effect=abs(shift), surprise=9.0, surprise_limit=8.0, facts=facts)


def test_what_stays_where_people_know_it_is_no_news_whatever_is_usual_at_the_hour() -> None:
    alerts = lifecycle(resolve_after=2 * DAY_MS)
    states = []
    for minute, (usual, value) in enumerate(
        (
            (4.0, 5.0),
            (3.0, 5.1),  # further from what is usual by then
            (7.0, 5.0),  # the other way
            (7.0, 9.0),  # elsewhere
            (7.0, 5.0),  # and back
            (3.0, 5.0),
        ),
        start=1,
    ):
        restarted = lifecycle(resolve_after=2 * DAY_MS)
        restarted.restore(json.loads(json.dumps(alerts.snapshot())))
        alerts = restarted
        states += [(minute, t.state) for t in alerts.step(minute * M, [in_window(minute, usual, value, value - usual)])]
    assert states == [(1, "firing"), (4, "updated"), (5, "updated")]


def test_what_was_told_to_be_back_is_news_when_it_moves_again_and_comes_again_by_its_name() -> None:
    alerts = lifecycle(resolve_after=2 * M)
    back = moves(1, "missing", 2.0, 1.0)
    assert back.facts.change is not None
    back = replace(back, facts=Facts(change=back.facts.change._replace(is_back=True)))
    [firing] = alerts.step(M, [back])
    assert (firing.state, firing.title) == ("firing", "flights: amount moved (missing 100 % → 200 % and back)")
    assert [t.state for t in alerts.step(2 * M, [moves(2, "missing", 2.0, 1.0)])] == ["updated"]
    assert [t.state for t in alerts.step(4 * M, [])] == ["resolved"]
    [again] = alerts.step(5 * M, [moves(5, "missing", 2.0, 1.0)])
    assert again.title.endswith("(missing 100 % → 200 %); 2nd time since 1970-01-01")


def comes_again(minute: int) -> Verdict:
    """Values are missing that were all there before, of a signal of which something else stands."""
    again = moves(minute, "missing", 2.0, 0.1)
    assert again.facts.change is not None
    return replace(again, facts=Facts(change=again.facts.change._replace(is_anew=True)))


def test_an_outage_that_was_over_is_told_each_time_it_comes_again_but_not_while_it_flickers() -> None:
    alerts = lifecycle(resolve_after=3 * M)
    assert [t.state for t in alerts.step(M, [moves(1, "typical value", 2.0, 1.0)])] == ["firing"]
    states = []
    for minute in range(2, 12):
        outage = comes_again(minute) if minute in (2, 4, 5, 9) else moves(minute, "typical value", 2.0, 1.0)
        # A restart between any two windows remembers when it was told.
        restarted = lifecycle(resolve_after=3 * M)
        restarted.restore(json.loads(json.dumps(alerts.snapshot())))
        alerts = restarted
        states += [(minute, t.state) for t in alerts.step(minute * M, [outage])]
    assert states == [(2, "updated"), (5, "updated"), (9, "updated")]


def skewed(minute: int, effect: float) -> Verdict:
    """A signal whose typical value is so far from its reference."""
    facts = Facts(change=Change("typical value", 1.0, 1.0 + effect, by_day=True, against_reference=True))
    return verdict(minute, "amount", detector="skew", effect=effect, surprise=9.0, surprise_limit=8.0, facts=facts)


def changes(minute: int, what: str, effect: float) -> Verdict:
    return replace(moves(minute, what, 2.0, effect), detector="change")


@pytest.mark.parametrize(("what", "effect"), [("missing", 0.1), ("typical value", 0.3), ("typical value", 2.0)])
def test_a_change_is_told_of_a_signal_that_is_away_from_its_reference(what: str, effect: float) -> None:
    alerts = lifecycle()
    assert [t.state for t in alerts.step(M, [skewed(1, 2.0)])] == ["firing"]
    assert alerts.step(2 * M, [skewed(2, 2.0)]) == []
    (updated,) = alerts.step(3 * M, [skewed(3, 2.0), changes(3, what, effect)])
    assert updated.state == "updated"
    assert [(entry["detector"], entry["contrast"]) for entry in updated.signals] == [("change", what)]
    assert alerts.step(4 * M, [skewed(4, 2.0), changes(4, what, effect)]) == []


def test_a_skew_is_told_when_it_grows_by_half_or_is_of_what_has_not_moved() -> None:
    alerts = lifecycle()
    assert [t.state for t in alerts.step(M, [changes(1, "missing", 3.0)])] == ["firing"]
    states = []
    for minute, effect in enumerate((0.2, 0.25, 0.31, 0.4, 0.5), start=2):
        told = alerts.step(minute * M, [changes(minute, "missing", 3.0), skewed(minute, effect)])
        states += [(effect, t.state, t.signals[0]["contrast"]) for t in told]
    assert states == [(effect, "updated", "typical value") for effect in (0.2, 0.31, 0.5)]


@pytest.mark.parametrize("what", ["typical value", "spread"])
def test_that_values_which_have_moved_are_as_far_from_their_reference_is_no_news(what: str) -> None:
    alerts = lifecycle()
    assert [t.state for t in alerts.step(M, [changes(1, what, 1.0)])] == ["firing"]
    assert alerts.step(2 * M, [changes(2, what, 1.0), skewed(2, 1.2)]) == []
    assert [t.state for t in alerts.step(3 * M, [skewed(3, 1.6)])] == ["updated"]


USUAL = {"spread": 1.0, "missing": 0.0, "coverage": 0.99, "coverage of predicted 'yes'": 0.99}


def off(what: str, after: float, effect: float) -> Beside:
    """A contrast whose alarm stands; a typical value is usually 20."""
    return Beside(Change(what, USUAL.get(what, 20.0), after, by_day=False), effect)


def alarmed(minute: int, leading: Beside, *others: Beside, passes: bool = True) -> Verdict:
    """A window of a signal that names ``leading``, where evidence of it passes its threshold or its alarm stands."""
    numbers: dict[str, Any] = {"detector": "change", "effect": leading.effect, "surprise_limit": 8.0}
    facts = Facts(change=leading.change, beside=others)
    return verdict(minute, "amount", surprise=9.0 if passes else 0.0, facts=facts, **numbers)


LEVEL, SPREAD = off("typical value", 30.0, 0.8), off("spread", 1.12, 0.4)


def test_a_fault_stays_in_the_title_and_what_comes_besides_follows() -> None:
    alerts = lifecycle()
    [firing] = alerts.step(1 * M, [alarmed(1, LEVEL)])
    assert firing.title == "flights: amount moved (typical value 20 → 30)"
    further = off("typical value", 31.0, 0.9)
    [updated] = alerts.step(2 * M, [alarmed(2, SPREAD, further)])
    assert updated.title == "flights: amount moved (typical value 20 → 31; spread 1.12 times the usual)"
    [entry] = updated.signals
    assert (entry["contrast"], entry["effect"]) == ("typical value", 0.9)
    assert entry["reason"].startswith("amount: typical value 20 → 31, since 1970-01-01 00:00 UTC; ")
    assert "; spread 1.12 times the usual; " in entry["reason"]
    # What passed its threshold is not what the sentence begins with.
    assert "evidence 9" not in entry["reason"]
    # A restart in between remembers which of them is the fault, also where the other one is the larger by now.
    restarted = lifecycle()
    restarted.restore(json.loads(json.dumps(alerts.snapshot())))
    wide = off("spread", 3.0, 1.3)
    another = verdict(3, "volume", version="v1")
    [joined] = restarted.step(3 * M, [alarmed(3, wide, further, passes=False), another])
    assert [s["contrast"] for s in joined.signals] == ["typical value", ""]
    assert "typical value 20 → 31" in joined.title
    assert "; spread 3 times the usual" in joined.signals[0]["reason"]
    [resolved] = restarted.step(9 * M, [])
    assert "amount typical value 20 → 31" in resolved.title


def falls(minute: int, segment: str, what: str, effect: float, *others: Beside) -> Verdict:
    """A share of the whole, of a segment or of a part that falls by so much."""
    leading = Beside(Change(what, 0.99, 0.99 - effect / 4, by_day=False), effect)
    return replace(alarmed(minute, leading, *others), segment=segment)


def test_a_move_that_was_told_is_not_told_again_of_segments_and_parts_that_move_alike() -> None:
    alerts = lifecycle(resolve_after=DAY_MS)
    whole, of_yes = "coverage", "coverage of predicted 'yes'"
    [firing] = alerts.step(1 * M, [falls(1, "", whole, 0.8)])
    # Of the whole, a part; a segment that joins; and a part of that.
    assert alerts.step(2 * M, [falls(2, "", of_yes, 1.0, off(whole, 0.79, 0.8))]) == []
    assert alerts.step(3 * M, [falls(3, "", whole, 0.8), falls(3, "country=DE", whole, 1.1)]) == []
    assert alerts.step(4 * M, [falls(4, "", whole, 0.8), falls(4, "country=DE", of_yes, 1.1)]) == []
    # What is half as large again as what was told is news.
    another = falls(5, "country=FR", whole, 1.3)
    [updated] = alerts.step(5 * M, [falls(5, "", whole, 0.8), falls(5, "country=DE", whole, 1.1), another])
    assert (updated.state, updated.alert_id) == ("updated", firing.alert_id)
    assert [entry["segment"] for entry in updated.signals] == ["country=FR", "country=DE", ""]
    # So is the whole, however far a segment was, also after a restart.
    restarted = lifecycle(resolve_after=DAY_MS)
    restarted.restore(json.loads(json.dumps(alerts.snapshot())))
    assert [t.state for t in restarted.step(6 * M, [falls(6, "", whole, 1.3)])] == ["updated"]
    # A segment that moves the other way is no part of it.
    rises = replace(alarmed(7, off(whole, 1.0, 0.5)), segment="country=FR")
    assert [t.state for t in restarted.step(7 * M, [falls(7, "", whole, 1.3), rises])] == ["updated"]


def misses(minute: int, segment: str, effect: float, *, is_anew: bool = True, passes: bool = True) -> Verdict:
    """Values are missing of the whole or of a segment: since just before, or an alarm of them stands."""
    outage = off("missing", effect / 5, effect)
    outage = outage._replace(change=outage.change._replace(is_anew=is_anew and passes))
    return replace(alarmed(minute, outage, passes=passes), segment=segment)


def test_an_outage_that_stands_in_the_whole_is_not_told_again_of_segments_however_much_later_they_show_it() -> None:
    alerts = lifecycle(resolve_after=M // 4, join_within=0)
    [firing] = alerts.step(1 * M, [misses(1, "", 1.0)])
    # One after another they join, are as usual by chance for a window, and alarm again.
    in_segments = {2: ["DE"], 5: ["DE", "FR"], 9: ["FR"], 13: ["DE", "FR"]}
    for minute in range(2, 15):
        of_segments = [misses(minute, segment, 1.2) for segment in in_segments.get(minute, [])]
        assert alerts.step(minute * M, [misses(minute, "", 1.0, passes=False), *of_segments]) == []
        restarted = lifecycle(resolve_after=M // 4, join_within=0)
        restarted.restore(json.loads(json.dumps(alerts.snapshot())))
        alerts = restarted
    # Half as far again as the whole is news, and so is the whole where it goes further.
    [updated] = alerts.step(15 * M, [misses(15, "", 1.0, passes=False), misses(15, "FR", 1.6)])
    assert (updated.state, updated.alert_id) == ("updated", firing.alert_id)
    assert [t.state for t in alerts.step(16 * M, [misses(16, "", 1.7)])] == ["updated"]


def test_an_outage_of_a_segment_is_told_where_that_of_the_whole_is_over() -> None:
    alerts = lifecycle(resolve_after=M // 4, join_within=0)
    alerts.step(1 * M, [misses(1, "", 1.0)])
    level = alarmed(9, LEVEL, passes=False)
    alerts.step(2 * M, [misses(2, "", 1.0, passes=False), alarmed(2, LEVEL)])
    for minute in range(3, 9):
        alerts.step(minute * M, [alarmed(minute, LEVEL, passes=False)])
    assert [t.state for t in alerts.step(9 * M, [level, misses(9, "DE", 1.2)])] == ["updated"]


def test_an_answer_that_stands_in_the_whole_is_not_told_again_of_segments() -> None:
    def stands(minute: int, segment: str, answer: str, share: float, what: str = "share of equal pairs") -> Verdict:
        failure = Failure("stuck", answer, 0.01, share)
        verdict_on_it = replace(alarmed(minute, off(what, share, 3 * share)), segment=segment)
        return replace(verdict_on_it, facts=verdict_on_it.facts._replace(failure=failure))

    alerts = lifecycle(join_within=0)
    assert [t.state for t in alerts.step(1 * M, [stands(1, "", "0.28", 0.4)])] == ["firing"]
    assert [t.state for t in alerts.step(2 * M, [stands(2, "", "0.28", 1.0)])] == ["updated"]
    for minute, what in ((3, "spread"), (4, "typical value")):
        joined = stands(minute, f"device={minute}", "0.28", 1.0, what)
        assert alerts.step(minute * M, [stands(minute, "", "0.28", 1.0), joined]) == []
    # Over in the whole, it is the same one where a segment shows it in another way.
    later = stands(5, "device=4", "0.28", 1.0, "spread")
    assert alerts.step(5 * M, [later]) == []
    another = stands(6, "device=6", "0.9", 1.0)
    assert [t.state for t in alerts.step(6 * M, [stands(6, "", "0.28", 1.0), another])] == ["updated"]


def test_a_title_names_its_version_where_another_one_has_events_and_is_quiet() -> None:
    alerts = lifecycle(group_by=["model"])
    [alone] = alerts.step(1 * M, [verdict(1, "a")], {"v1"})
    assert alone.title == "flights: a moved (PSI 0.3, 3× its limit)"
    [joined] = alerts.step(2 * M, [verdict(2, "a"), verdict(2, "b")], {"v1", "v2"})
    assert joined.title.startswith("flights (version v1): a and b moved together")
    assert alerts.step(9 * M, [])[0].title.startswith("flights (version v1): "), "it keeps the name"
    [fired] = alerts.step(10 * M, [verdict(10, "a"), verdict(10, "a", version="v2")], {"v1", "v2"})
    assert fired.title.startswith("flights: a of versions v1, v2 moved together (strongest: a PSI 0.3"), "both are off"
    # What began with a version says so, and the one before it has its last events in the same window.
    came = Facts(change=Change("events", 1, 2, by_day=False), new_version=NewVersion("v2", 19 * M, "v1"))
    alerts.step(20 * M, [])
    [brought] = alerts.step(21 * M, [verdict(21, "a", version="v2", facts=came)], {"v1", "v2"})
    assert brought.title.startswith("flights: a moved (events 1 → 2) since version v2 came at ")


def test_what_a_notification_says_is_told_whatever_it_is_about() -> None:
    alerts = lifecycle(resolve_after=DAY_MS)
    alerts.step(1 * M, [falls(1, "", "coverage", 0.8)])
    # Something else is news, and with it is said how far the share has fallen by now.
    [updated] = alerts.step(2 * M, [falls(2, "", "coverage", 1.1), verdict(2, "volume")])
    assert "coverage" in updated.title
    assert alerts.step(3 * M, [falls(3, "", "coverage", 1.3)]) == []
    assert [t.state for t in alerts.step(4 * M, [falls(4, "", "coverage", 1.7)])] == ["updated"]


@pytest.mark.parametrize("segment", ["", "country=DE"])
def test_that_labels_of_a_class_no_longer_come_is_told_once_it_is_known(segment: str) -> None:
    def without_labels(minute: int, segment: str) -> Verdict:
        of_window = falls(minute, segment, "coverage", 0.8)
        return replace(of_window, facts=of_window.facts._replace(odd_labels=OddLabels(("class 'owl'",), True, True)))

    alerts = lifecycle(resolve_after=2 * M)
    alerts.step(1 * M, [falls(1, "", "coverage", 0.8), falls(1, "country=DE", "coverage", 0.8)])
    others = [falls(2, name, "coverage", 0.8) for name in {"", "country=DE"} - {segment}]
    [updated] = alerts.step(2 * M, [without_labels(2, segment), *others])
    of_series = {entry["segment"]: entry["reason"] for entry in updated.signals}
    assert "; most labels of class 'owl' no longer come" in of_series[segment]
    restarted = lifecycle(resolve_after=2 * M)
    restarted.restore(json.loads(json.dumps(alerts.snapshot())))
    # Of the whole it is news still, of a segment no longer.
    both = [without_labels(3, ""), without_labels(3, "country=DE")]
    assert [t.state for t in restarted.step(3 * M, both)] == ([] if not segment else ["updated"])
    [resolved] = restarted.step(9 * M, [])
    assert resolved.title.endswith("most labels of class 'owl' no longer come; so did 1 segment)")


def test_a_fault_that_grows_is_said_with_its_new_figure() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, LEVEL)])
    alerts.step(2 * M, [alarmed(2, SPREAD, LEVEL)])
    [updated] = alerts.step(3 * M, [alarmed(3, off("typical value", 60.0, 1.6), SPREAD)])
    assert updated.title == "flights: amount moved (typical value 20 → 60; spread 1.12 times the usual)"


def test_what_goes_on_is_said_when_the_fault_that_came_first_is_over() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, LEVEL)])
    alerts.step(2 * M, [alarmed(2, SPREAD, LEVEL)])
    [joined] = alerts.step(3 * M, [alarmed(3, SPREAD, passes=False), verdict(3, "volume", effect=0.1)])
    assert joined.title.endswith("moved together (strongest: amount spread 1.12 times the usual)")
    # Of all that it was, the level was what counted.
    [resolved] = alerts.step(9 * M, [])
    assert resolved.title.endswith("(strongest: amount typical value 20 → 30)")


@pytest.mark.parametrize(
    ("side_effect", "fault", "title"),
    [
        (off("spread", 2.0, 1.5), LEVEL, "typical value 20 → 30; spread 2 times the usual"),
        (
            off("coverage of predicted 'yes'", 0.0, 3.0),
            off("coverage", 0.0, 2.9),
            "coverage 0.99 → 0; coverage of predicted 'yes' 0.99 → 0",
        ),
    ],
)
def test_a_side_effect_gives_way_to_the_fault_whichever_was_found_first(
    side_effect: Beside, fault: Beside, title: str
) -> None:
    at_once = lifecycle().step(1 * M, [alarmed(1, side_effect, fault)])
    assert [t.title for t in at_once] == [f"flights: amount moved ({title})"]
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, side_effect)])
    [updated] = alerts.step(2 * M, [alarmed(2, fault, side_effect)])
    assert updated.title == at_once[0].title
    # It was in the title: that it passes its threshold, too, is no news.
    assert alerts.step(3 * M, [alarmed(3, fault, side_effect)]) == []


def test_a_fault_gives_way_to_one_that_is_half_as_large_again() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, off("missing", 0.01, 0.2))])
    [updated] = alerts.step(2 * M, [alarmed(2, LEVEL, off("missing", 0.01, 0.2))])
    assert updated.title == "flights: amount moved (typical value 20 → 30; missing 0 % → 1 %)"
    [updated] = alerts.step(3 * M, [alarmed(3, off("missing", 0.3, 1.1), LEVEL)])
    assert updated.title == "flights: amount moved (typical value 20 → 30; missing 0 % → 30 %)"


def test_new_values_are_said_with_the_share_that_they_have() -> None:
    alerts = lifecycle()
    new = Beside(Change("share of new values", 0.0, 0.3, by_day=False), 1.16, (("d", 36),))
    less = Beside(Change("share of 'b'", 0.302, 0.194, by_day=False), 0.25)
    alerts.step(1 * M, [alarmed(1, new)])
    [updated] = alerts.step(2 * M, [alarmed(2, less, new)])
    assert updated.title == "flights: amount moved (share of new values 0 % → 30 %; share of 'b' 30.2 % → 19.4 %)"
    assert "; new: 'd' (36); share of 'b' 30.2 % → 19.4 %; " in updated.signals[0]["reason"]


def test_that_values_are_away_from_their_reference_is_said_before_a_change_only_when_it_is_news() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, off("missing", 0.01, 0.2))])
    [updated] = alerts.step(2 * M, [skewed(2, 2.0), alarmed(2, off("missing", 0.01, 0.2), passes=False)])
    assert updated.title == "flights: amount moved (typical value 1 in the reference, 3 now; missing 0 % → 1 %)"
    still = [skewed(3, 2.0), alarmed(3, off("missing", 0.01, 0.2), passes=False)]
    [joined] = alerts.step(3 * M, [*still, verdict(3, "volume", effect=0.1)])
    assert joined.title.endswith("(strongest: amount missing 0 % → 1 %)")


def test_what_an_earlier_version_said_of_a_side_effect_gives_way_to_the_fault() -> None:
    alerts = lifecycle()
    alerts.step(1 * M, [alarmed(1, SPREAD)])
    snapshot = json.loads(json.dumps(alerts.snapshot()))
    for verdict_of in ("evidence", "peak"):
        del snapshot["live"][0]["members"][0][verdict_of]["facts"]["beside"]
    restarted = lifecycle()
    restarted.restore(snapshot)
    restarted.step(2 * M, [alarmed(2, SPREAD, LEVEL, passes=False)])
    [resolved] = restarted.step(9 * M, [])
    assert resolved.title == "flights: amount moved (typical value 20 → 30; spread 1.12 times the usual)"


def test_what_an_earlier_version_remembered_of_a_move_is_told_once_more() -> None:
    alerts = lifecycle()
    alerts.step(M, [moves(1, "missing", 2.0, 0.1)])
    snapshot = json.loads(json.dumps(alerts.snapshot()))
    (member,) = snapshot["live"][0]["members"]
    for name in ("moves_told", "moved_ms"):
        del member[name]
    member.update(told_ms=M, told_move="missing up", told_effect=0.1)
    restarted = lifecycle()
    restarted.restore(snapshot)
    assert [t.state for t in restarted.step(2 * M, [moves(2, "missing", 2.0, 0.1)])] == ["updated"]
    assert restarted.step(3 * M, [moves(3, "missing", 2.0, 0.1)]) == []


def test_an_entry_says_when_a_signal_most_likely_moved() -> None:
    facts = Facts(change=Change("missing", 0.1, 0.2, by_day=False, since_ms=2 * M))
    (fired,) = lifecycle().step(5 * M, [verdict(5, "amount", surprise=9.0, surprise_limit=8.0, facts=facts)])
    (entry,) = fired.signals
    assert (entry["onset_ms"], entry["since_ms"], fired.starts_ms) == (2 * M, 4 * M, 4 * M)
    assert "since about 1970-01-01 00:02 UTC" in entry["reason"]


def test_labels_of_the_model_stand_beside_those_of_every_alert_and_replace_none() -> None:
    own = dict.fromkeys([*OF_EVERY_ALERT, "team"], "mine")
    policy = policy_of(Alerts.model_validate({"group_by": ["model", "version", "segment"]}), WINDOW_MS)
    firing = Lifecycle("flights", "ops", own, policy, WINDOW_MS).step(M, [verdict(1, "amount")])
    (labels,) = [transition.labels for transition in firing if transition.state == "firing"]
    assert [name for name, value in labels.items() if value == "mine"] == ["team"]
    assert set(labels) - {"team"} <= set(OF_EVERY_ALERT)
