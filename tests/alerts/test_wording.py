"""What people read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest

from monitor.alerts.recurrence import Recurrence
from monitor.alerts.titles import title
from monitor.alerts.verdict import Change, Expected, Facts, Failure, NewNormal, NewVersion, Plain, Share, Verdict, Why
from monitor.alerts.wording import detail, reason

DAY_MS = 86_400_000
FEB_9 = 1_360_386_000_000  # 2013-02-09 05:00 UTC


@dataclass(frozen=True)
class Moved:
    evidence: Verdict
    since_ms: int = FEB_9 - DAY_MS
    onset_ms: int = FEB_9 - DAY_MS
    last_ms: int = FEB_9
    status: str = "drift"
    new_version: NewVersion | None = None
    new_normal: NewNormal | None = None
    failure: Failure | None = None
    recurrence: Recurrence | None = None


def moved(signal: str, **rest: Any) -> Moved:
    known: dict[str, Any] = {"segment": "", "detector": "psi", "effect": 1.43, "min_effect": 0.1} | rest
    return Moved(
        Verdict(
            version="v1",
            signal=signal,
            status="drift",
            at_ms=FEB_9,
            window_start_ms=FEB_9 - DAY_MS,
            n=24_311,
            baseline_n=751_802,
            **known,
        )
    )


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [
        (["feature:hour"], "feature:hour moved (PSI 1.43, 14× its limit)"),
        (
            ["feature:hour", *(f"feature:f{i}" for i in range(10)), "volume"],
            "volume and 11 features moved together (strongest: feature:hour PSI 1.43, 14× its limit)",
        ),
        (
            ["feature:a", "prediction:p", "prediction:q", "missing:a"],
            "2 predictions, feature:a and missing:a moved together (strongest: feature:a PSI 1.43, 14× its limit)",
        ),
        (
            ["custom:a", "custom:b"],
            "2 custom signals moved together (strongest: custom:a PSI 1.43, 14× its limit)",
        ),
    ],
)
def test_a_title_counts_what_moved_and_names_the_strongest(ranked: list[str], expected: str) -> None:
    assert title("flights", [moved(signal) for signal in ranked]) == f"flights: {expected}"


def test_a_title_says_in_which_segments() -> None:
    one, other = moved("feature:hour", segment="carrier=AA"), moved("feature:hour", segment="carrier=UA")
    assert title("flights", [one]) == "flights: feature:hour [carrier=AA] moved (PSI 1.43, 14× its limit)"
    assert title("flights", [one, other]) == (
        "flights: feature:hour in 2 segments moved together "
        "(strongest: feature:hour [carrier=AA] PSI 1.43, 14× its limit)"
    )
    for segments, named in (([one], "1 segment"), ([one, other], "2 segments")):
        assert title("flights", [*segments, moved("volume")]) == (
            f"flights: volume and feature:hour in all traffic and {named} moved together "
            "(strongest: feature:hour [carrier=AA] PSI 1.43, 14× its limit)"
        )


def test_a_title_names_the_version_with_which_the_strongest_began() -> None:
    version = NewVersion("sha256:" + "f" * 64, FEB_9, "")
    began, other = replace(shifted("", 12.3, 13.6, 0.5), new_version=version), moved("feature:y", effect=0.2)
    named = f" since version sha256:{'f' * 33} came at 2013-02-09 05:00 UTC, after none"
    assert title("fraud", [began]) == f"fraud: feature:x moved (typical value 12.3 → 13.6){named}"
    assert title("fraud", [began, other]).endswith(
        f"moved together (strongest: feature:x typical value 12.3 → 13.6){named}"
    )
    assert "version" not in title("fraud", [other, began])
    assert f"; it began when version sha256:{'f' * 33} came at " in reason(began)


def shifted(segment: str, before: float, after: float, effect: float, what: str = "typical value") -> Moved:
    change = Change(what, before, after, by_day=False)
    return moved("feature:x", segment=segment, effect=effect, facts=Facts(change=change))


@pytest.mark.parametrize(
    ("what", "before", "after", "in_window", "alone"),
    [
        ("missing", 0.0, 0.007, 0.048, ", which by itself has 4.8 %; compared"),
        ("missing", 0.0, 0.007, 0.009, ", compared"),
        ("typical value", 50.0, 60.0, 44.0, ", which by itself has 44; compared"),
        ("typical value", 50.0, 60.0, 57.0, ", compared"),
        ("spread", 1.0, 2.0, 9.0, ", compared"),
        ("events", 24.4, 8.4, None, ", compared"),
        ("events", 24.4, 8.4, 0.0, ", compared"),
    ],
)
def test_a_reason_tells_a_window_apart_from_what_there_is_on_average(
    what: str, before: float, after: float, in_window: float | None, alone: str
) -> None:
    change = Change(what, before, after, by_day=False, in_window=in_window)
    window = f"24,311 events in the window up to 2013-02-09 05:00 UTC{alone} with the same hours of earlier days"
    assert window in reason(moved("feature:x", facts=Facts(change=change)))


def test_what_a_day_shows_says_nothing_of_an_empty_window_at_its_end() -> None:
    change = Change("typical value", 50.0, 60.0, by_day=True)
    said = moved("feature:x", facts=Facts(change=change))
    assert "; over the day up to 2013-02-09 05:00 UTC, compared with the same hours of earlier days" in reason(
        replace(said, evidence=replace(said.evidence, n=0))
    )


def test_a_title_names_the_segment_in_which_a_whole_signal_moved_most() -> None:
    whole, most = shifted("", 12.3, 13.6, 0.5), shifted("country=DE", 12.1, 25.0, 3.1)
    assert title("fraud", [most, whole, shifted("country=FR", 12.4, 14.4, 0.9)]) == (
        "fraud: feature:x moved (typical value 12.3 → 13.6; most in country=DE: 12.1 → 25)"
    )
    other = shifted("country=DE", 0.02, 0.53, 3.1, what="missing")
    assert title("fraud", [other, whole]) == (
        "fraud: feature:x moved (typical value 12.3 → 13.6; most in country=DE: missing 2 % → 53 %)"
    )
    assert title("fraud", [most, whole, moved("feature:y")]).endswith(
        "moved together (strongest: feature:x typical value 12.3 → 13.6; most in country=DE: 12.1 → 25)"
    )


@pytest.mark.parametrize(
    ("what", "before", "after", "expected"),
    [
        ("typical value", 172.4, 1.724, "172 → 1.72"),
        ("typical value", 9.9612, 9.9308, "9.961 → 9.931"),
        ("typical value", 10_000.0, 10_120.0, "10,000 → 10,120"),
        ("typical value", -0.00123, -0.001219, "-0.001230 → -0.001219"),
        ("typical value", 0.0, 0.0, "0 → 0"),
        ("missing", 0.0081, 0.64, "0.81 % → 64 %"),
        ("missing", 0.9912, 0.9987, "99.12 % → 99.87 %"),
        ("events", 892.3, 461.0, "892 → 461"),
        ("events", 1_204.2, 1_260.0, "1,204 → 1,260"),
        ("events", 1.04, 0.96, "1.040 → 0.960"),
        ("events", 0.31, 0.29, "0.310 → 0.290"),
        ("events", 1.2, 0.96, "1.2 → 1"),
    ],
)
def test_what_changed_is_written_so_that_both_can_be_told_apart(
    what: str, before: float, after: float, expected: str
) -> None:
    assert title("fraud", [shifted("", before, after, 0.3, what)]) == f"fraud: feature:x moved ({what} {expected})"


def test_a_reason_says_when_a_signal_most_likely_moved_and_how_far_for_its_spread() -> None:
    series = replace(shifted("", 10.0, 10.2, 0.204), onset_ms=FEB_9 - 3 * DAY_MS)
    assert reason(series) == (
        "feature:x: typical value 10.00 → 10.20, since about 2013-02-06 05:00 UTC; about 0.20 standard deviations; "
        "24,311 events in the window up to 2013-02-09 05:00 UTC, compared with the same hours of earlier days"
    )
    assert "standard deviations" not in reason(shifted("", 0.0, 1.0, 0.204, "missing"))
    assert "standard deviations" not in reason(shifted("", 0.0, 1e6, 9.0))


def of_metric(segment: str, after: float, effect: float, n: int, what: str = "accuracy") -> Moved:
    facts = Facts(change=Change(what, 0.83, after, by_day=False, unit="%", better="higher", age_ms=3_600_000))
    series = moved(
        "performance:accuracy", segment=segment, detector="change", effect=effect, min_effect=0.05, facts=facts
    )
    return replace(series, evidence=replace(series.evidence, n=n))


def test_a_segment_that_moved_the_other_way_is_not_where_a_signal_moved_most() -> None:
    whole, other_way = of_metric("", 0.725, 0.2, 720), of_metric("seg=c", 1.0, 0.8, 144)
    said = title("clf", [other_way, whole])
    assert (
        said
        == "clf: performance:accuracy moved (accuracy 83 % → 72.5 %, which is worse; 1 segment moved the other way)"
    )
    of_class = of_metric("seg=c", 1.0, 0.8, 144, "coverage of predicted 'a'")
    assert "most in" not in title("clf", [of_class, whole])
    that_way = of_metric("seg=b", 0.5, 0.7, 144)
    assert title("clf", [other_way, that_way, whole]).endswith("; most in seg=b: 83 % → 50 %, which is worse)")


def test_few_events_do_not_make_a_segment_the_one_that_moved_most() -> None:
    whole, few = of_metric("", 0.725, 0.2, 720), of_metric("seg=c", 0.5, 0.7, 6)
    assert "most in" not in title("clf", [few, whole])
    # As many windows as it took to find out have more of them.
    long_ago = replace(few, onset_ms=few.since_ms - 11 * DAY_MS)
    assert "; most in seg=c: 83 % → 50 %" in title("clf", [long_ago, whole])


def test_of_segments_that_moved_further_the_one_that_explains_most_is_named() -> None:
    whole, rare = of_metric("", 0.725, 0.2, 720), of_metric("seg=c", 0.4, 0.9, 40)
    frequent = of_metric("seg=b", 0.55, 0.6, 240)
    assert "; most in seg=b: 83 % → 55 %" in title("clf", [rare, frequent, whole])


def test_no_segment_is_named_where_all_moved_alike() -> None:
    whole, segment = shifted("", 12.3, 13.6, 0.9), shifted("country=DE", 12.1, 13.5, 1.0)
    assert title("fraud", [segment, whole]) == "fraud: feature:x moved (typical value 12.3 → 13.6; so did 1 segment)"
    assert "most in" not in title("fraud", [segment])


@pytest.mark.parametrize(
    ("detector", "effect", "limit", "expected"),
    [
        ("chi_squared", 0.25, 0.1, "chi squared 0.25, 2.5× its limit"),
        ("ks", 0.3, 0.1, "KS 0.3, 3× its limit"),
        ("cramer_von_mises", 0.15, 0.075, "Cramér–von Mises 0.15, 2× its limit"),
        ("total_variation", 0.3, 0.1, "total variation 0.3, 3× its limit"),
        ("pai", 1.0, 0.5, "PAI excess 1, 2× its limit"),
        ("psi", 0.3, 0.0, "PSI 0.3"),
        ("psi", 12_345.6, 1.0, "PSI 12,346, 12,346× its limit"),
        ("psi", float("nan"), 0.1, "PSI nan"),
        ("psi", float("inf"), 0.1, "PSI inf"),
    ],
)
def test_numbers_are_written_for_people(detector: str, effect: float, limit: float, expected: str) -> None:
    assert title("m", [moved("feature:a", detector=detector, effect=effect, min_effect=limit)]) == (
        f"m: feature:a moved ({expected})"
    )


def test_a_reason_says_what_moved_by_how_much_against_what_since_when() -> None:
    series = moved(
        "feature:hour",
        surprise=8.1,
        surprise_limit=4.2,
        baseline_from_ms=FEB_9 - 29 * DAY_MS,
        baseline_to_ms=FEB_9 - DAY_MS,
        facts=Facts(new_values=(("LH", 12), ("OS", 3))),
    )
    assert reason(series) == (
        "feature:hour moved since 2013-02-08 05:00 UTC: PSI 1.43, 14× its limit of 0.1; "
        "surprise 8.1 against a limit of 4.2; "
        "24,311 events up to 2013-02-09 05:00 UTC compared with "
        "751,802 from 2013-01-11 05:00 UTC to 2013-02-08 05:00 UTC; "
        "new: 'LH' (12), 'OS' (3)"
    )


def test_a_reason_leaves_out_what_is_not_known() -> None:
    assert reason(moved("volume", detector="volume")) == (
        "volume moved since 2013-02-08 05:00 UTC: 1.43, 14× its limit of 0.1; "
        "24,311 events up to 2013-02-09 05:00 UTC compared with 751,802 of the baseline"
    )


def test_a_rate_is_told_by_its_shares_rather_than_by_its_effect_size() -> None:
    facts = Facts(shares=(Share(1, 999), Share(93, 7)), new_values=(("N/A", 4),))
    debts = moved("feature:debts", detector="missing_rate", effect=2.98, min_effect=0.2, facts=facts)
    assert title("m", [debts]) == "m: feature:debts moved (missing rate 0.1 % → 93 %, 15× its limit)"
    assert reason(debts) == (
        "feature:debts moved since 2013-02-08 05:00 UTC: missing rate 0.1 % → 93 %, effect 2.98 (Cohen's h), "
        "15× its limit of 0.2; 24,311 events up to 2013-02-09 05:00 UTC compared with 751,802 of the baseline; "
        "new: 'N/A' (4)"
    )


def test_a_volume_which_has_no_baseline_of_events_is_not_compared_with_none_of_them() -> None:
    volume = moved("volume", detector="volume", facts=Facts(expected=Expected(901.2, 6, "weeks")))
    verdict = replace(volume.evidence, baseline_n=0)
    assert reason(replace(volume, evidence=verdict)).endswith(
        "; 24,311 events up to 2013-02-09 05:00 UTC; 24311 events, 901 expected from 6 earlier weeks"
    )


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ("ok", "; quiet since 2013-02-09 05:00 UTC"),
        ("no_data", "; its newest window was not judged (no data)"),
        ("learning", "; its newest window was not judged (learning)"),
    ],
)
def test_a_reason_says_whether_it_still_holds(status: str, ending: str) -> None:
    assert reason(replace(moved("feature:a"), status=status)).endswith(ending)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts("too_few", needed=100, unit="events"), "24311 of 100 events needed"),
        (Facts("no_baseline", 3, 10, "windows"), "baseline: 3 of 10 windows seen"),
        (Facts("no_baseline", 3, 10, "events"), "baseline: 3 of 10 events seen"),
        (Facts("no_baseline", 1, 1), "the baseline's data set lacks this field"),
        (Facts("no_baseline", unit="days"), "too few earlier days at this time"),
        (Facts("nothing"), "nothing to compare"),
        (Facts("too_early", 3, 10, "windows"), "learning: 3 of 10 windows seen"),
        (Facts("too_early", 2, 3, "days"), "learning: 2 of 3 days seen"),
        (Facts("not_material"), "not material: effect 1.43 is below 0.1"),
        (Facts("not_surprising"), "not surprising: 2.0 of 4.5 of its usual variation"),
        (Facts("not_unusual", 63, 10, reached=3), "not unusual: reached 3 times in 63 windows"),
        (Facts("chance", shares=(Share(1, 99), Share(3, 97))), "chance explains it: p = 0.25"),
        (Facts("chance", new_values=(("LH", 1),)), "chance explains it: p = 0.25; new: 'LH' (1)"),
        (
            Facts("chance", expected=Expected(30_000.4, 6, "weeks")),
            "24311 events, 30000 expected from 6 earlier weeks; chance explains it: p = 0.25",
        ),
    ],
)
def test_a_detail_says_why_a_test_is_quiet(facts: Facts, words: str) -> None:
    numbers = {"surprise": 2.0, "surprise_limit": 4.5, "p_value": 0.25}
    verdict = moved("feature:a", facts=facts, **numbers).evidence
    assert detail(replace(verdict, status="ok")) == words


def test_every_reason_has_its_words() -> None:
    words = {why: detail(moved("feature:a", facts=Facts(why, unit="windows")).evidence) for why in get_args(Why)}
    assert not words.pop("")
    assert all(words.values())
    assert len(set(words.values())) == len(words)


def test_a_verdict_survives_a_checkpoint_with_its_facts() -> None:
    facts = Facts("", 1, 2, "windows", 3, (Share(1, 999), Share(93, 7)), (("N/A", 4),), Expected(901.2, 6, "weeks"))
    plain = Plain(share=0.1, mostly=-999.0, low=32.3, is_more=True, usual_median=50.0, median=49.4)
    facts = facts._replace(change=Change("typical value", 50.0, 49.4, by_day=False, plain=plain))
    verdict = moved("feature:a", facts=facts, surprise=float("inf")).evidence
    assert repr(Verdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False)))) == repr(verdict)


def test_a_verdict_of_an_earlier_version_is_shown_with_the_sentence_that_it_holds() -> None:
    written = moved("feature:a", p_value=0.25, surprise=8.1, surprise_limit=4.2, statistic=0.2).evidence.to_json()
    del written["facts"]
    verdict = Verdict.from_json({**written, "detail": "0.1 % → 93 %"})
    assert reason(Moved(verdict)).endswith("; 0.1 % → 93 %")


def test_a_title_says_how_many_fail_and_how_many_move_besides() -> None:
    stuck = replace(shifted("", 12.3, 13.6, 0.5), failure=Failure("stuck", "'no'", 0.9, 1.0))
    other = replace(shifted("country=DE", 12.3, 13.6, 0.4), failure=Failure("fallback", "0.5", 0.02, 0.4, False))
    ranked = [moved("feature:y"), stuck, other, replace(other)]
    assert title("fraud", ranked) == (
        "fraud: feature:x is stuck at 'no' (90 % → 100 % of its answers); 2 more as well; 1 other moved"
    )
    assert reason(other, advises=False).startswith(
        "feature:x [country=DE] is the default about 0.5 too often (2 % → 40 % of its answers), since "
    )
    assert "symptom" in reason(other)
    assert "symptom" not in reason(other, advises=False)
    for sure in (stuck.failure, Failure("fallback", "'default'", 0.02, 0.95), Failure("stuck", "0.5", 0.02, 0.4)):
        assert "many cases are alike" not in reason(replace(other, failure=sure))
    for unsure in (other.failure, Failure("stuck", "0.5", 0.02, 0.4, False), Failure("stuck", "'late'", 0.2, 0.93)):
        assert "or many cases are alike now" in reason(replace(other, failure=unsure))


@pytest.mark.parametrize(("segment", "after", "is_said"), [("", 61, True), ("", 400, False), ("city=DE", 61, False)])
def test_a_volume_that_sinks_says_where_to_look_for_late_events(segment: str, after: float, is_said: bool) -> None:
    facts = Facts(change=Change("events", 213, after, by_day=False))
    sentence = reason(moved("volume", segment=segment, detector="change", facts=facts))
    assert ("; events that came late count in no window: `leeway explain` says" in sentence) == is_said
