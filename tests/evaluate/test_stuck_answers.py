"""A model that gives one answer for all, or for many: metrics may look better, and that it is named as what it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from detectors.sketch import NumericLayout, quantile_layout, share_layout, universal_layout
from monitor.alerts.foremost import EQUAL_PAIRS
from monitor.alerts.verdict import Change
from monitor.checkpoint import decode_state, encode_state
from monitor.config import Configuration
from monitor.evaluate.answers import Answers, Described
from monitor.evaluate.change import Changes
from monitor.evaluate.contrasts import share_at
from monitor.evaluate.expectations import read_day
from monitor.evaluate.fallback import FALLBACK, FallbackContrasts, failed_back, fallbacks_in
from monitor.evaluate.number_contrasts import AnswerContrasts
from monitor.evaluate.window_contrasts import measured_windows
from monitor.evaluate.windows import Windows, first_window_end
from monitor.panes.distributions import Part
from monitor.panes.reading import read_panes
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Store
from tests.evaluate.earlier_checkpoints import take_out
from tests.evaluate.summaries import summary_of, windows_of
from tests.evaluate.test_expectations import in_rows
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

HOURS, PER_HOUR = 8 * 24 + 13, 60
BROKEN_MS = START_MS + 8 * DAY_MS + 10 * HOUR_MS

Stored = tuple[Store, Watch]


def watched() -> Configuration:
    detect = {"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    source = {"type": "category", "fallback": "default"}
    prediction = {"answer": {"type": "category"}, "score": {"type": "numeric"}, "source": source}
    schema = {"id": "id", "features": {"country": {"type": "category"}}, "prediction": prediction}
    return configured(detect=detect, schema=schema, segments=[])


def asked() -> list[dict[str, Any]]:
    """Three questions in twenty have the answer yes, and the model is right in 80 of 100; it breaks in two ways.

    From a time on all answers are no, and four scores in ten are 0.25, the default, which one in fifty is before.
    """
    rng, events = np.random.default_rng(1), []
    for number in range(HOURS * PER_HOUR):
        truth, is_right, score = bool(rng.random() < 0.15), bool(rng.random() < 0.8), float(rng.beta(2, 5))
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        is_broken = at_ms >= BROKEN_MS
        answer = False if is_broken else truth == is_right
        is_default = rng.random() < (0.4 if is_broken else 0.02)
        fields = {"truth": truth, "country": "DE", "answer": answer, "score": 0.25 if is_default else score}
        fields |= {"source": "default" if is_default else "model"}
        events.append({"id": str(number), "ts": at_ms} | fields)
    return events


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    lines = [json.dumps(event).encode() for event in asked()]
    store, _ = replayed_lines(tmp_path_factory.mktemp("stream"), lines, watched())
    return store, compile_watch(watched(), "loans")


def test_a_constant_that_raises_accuracy_is_named_within_two_windows(stored: Stored) -> None:
    correct = [[e["answer"] == e["truth"] for e in asked() if (e["ts"] >= BROKEN_MS) == broken] for broken in (0, 1)]
    assert np.mean(correct[1]) > np.mean(correct[0]) + 0.01

    steps = [step for step in rows(stored[0], "alerts") if step["at_ms"] <= BROKEN_MS + 2 * HOUR_MS]
    assert min(step["at_ms"] for step in steps) > BROKEN_MS
    signals = [moved for step in steps for moved in json.loads(step["signals"])]
    [moved, *_] = [m for m in signals if (m["signal"], m["segment"]) == ("prediction:answer", "")]
    assert (moved["failure"], moved["answer"], moved["answer_after"]) == ("stuck", "'false'", 1.0)
    assert 0.6 < moved["answer_before"] < 0.8
    assert moved["reason"].startswith("prediction:answer is stuck at 'false' (")
    # Once in an alert is enough.
    for step in steps:
        reasons = [moved["reason"] for moved in json.loads(step["signals"])]
        advising = ["may look better meanwhile: that number is the symptom" in each for each in reasons]
        assert advising == [True, *[False] * (len(reasons) - 1)]


def test_a_fallback_for_some_answers_is_named_within_two_windows(stored: Stored) -> None:
    steps = [step for step in rows(stored[0], "alerts") if step["at_ms"] <= BROKEN_MS + 2 * HOUR_MS]
    signals = [moved for step in steps for moved in json.loads(step["signals"])]
    [moved, *_] = [m for m in signals if (m["signal"], m["segment"]) == ("prediction:score", "")]
    assert (moved["failure"], moved["answer"], moved["contrast"]) == ("stuck", "0.25", EQUAL_PAIRS)
    assert moved["answer_before"] < 0.05
    assert moved["answer_after"] == pytest.approx(0.4, abs=0.12)
    assert moved["reason"].startswith("prediction:score is about 0.25 too often (")
    assert all("% of its answers)" in step["title"] for step in steps)


def test_a_declared_default_is_a_rate_that_alarms_under_its_name(stored: Stored) -> None:
    steps = [step for step in rows(stored[0], "alerts") if step["at_ms"] <= BROKEN_MS + 2 * HOUR_MS]
    signals = [moved for step in steps for moved in json.loads(step["signals"])]
    [moved, *_] = [m for m in signals if m["signal"] == "prediction:source"]
    assert (moved["failure"], moved["answer"], moved["contrast"]) == ("fallback", "'default'", "fallback")
    assert moved["answer_before"] == pytest.approx(0.02, abs=0.01)
    assert moved["answer_after"] == pytest.approx(0.4, abs=0.12)
    assert moved["reason"].startswith("prediction:source is the default 'default' too often (")


@pytest.mark.parametrize(("signal", "contrast", "share"), [("score", EQUAL_PAIRS, 0.16), ("source", FALLBACK, 0.4)])
def test_a_window_that_is_looked_at_again_says_the_same(
    stored: Stored, signal: str, contrast: str, share: float
) -> None:
    expected = [row for row in rows(stored[0], "expectations") if row["signal"] == f"prediction:{signal}"]
    part = Part(BROKEN_MS, BROKEN_MS + HOUR_MS, "", "")
    [measured] = measured_windows(*stored, part, f"prediction:{signal}", [read_day(expected[-1])])
    counted, events = measured[contrast]
    assert counted / events == pytest.approx(share, abs=0.1)


def advanced(kind: Changes, stored: Stored, ends: range) -> list[Any]:
    store, watch = stored
    verdicts = list(kind.advance(read_panes(store, watch, ends[0] - HOUR_MS, ends[-1]), ends))
    return [(each.key, end_ms, drift) for each in verdicts for end_ms, drift in each.drifts.items()]


def ends_of(watch: Watch) -> range:
    return range(first_window_end(watch, START_MS), START_MS + HOURS * HOUR_MS + 1, HOUR_MS)


def restored(stored: Stored, states: list[Any]) -> Changes:
    kind = Changes(stored[1], None)
    kind.restore(decode_state(encode_state(states)))
    return kind


def test_batches_and_restarts_make_no_difference_to_what_is_said(stored: Stored) -> None:
    ends = ends_of(stored[1])
    whole = advanced(Changes(stored[1], None), stored, ends)
    kind, in_parts = Changes(stored[1], None), []
    for start in range(0, len(ends), 50):
        kind = restored(stored, kind.snapshot())
        in_parts += advanced(kind, stored, ends[start : start + 50])
    assert sorted(map(repr, in_parts)) == sorted(map(repr, whole))
    assert len(whole) >= 4


def test_a_checkpoint_from_before_equal_pairs_goes_on_with_what_it_has_learned(stored: Stored) -> None:
    ends = ends_of(stored[1])
    kind = Changes(stored[1], None)
    assert advanced(kind, stored, ends[:40]) == []
    states = kind.snapshot()
    found = {each[:2] for each in advanced(restored(stored, states), stored, ends[40:])}
    expected = {each for each in found if each[0][2] == "prediction:answer"}
    as_earlier_versions_wrote_it(states)
    kind = restored(stored, states)
    found = {(key, end_ms) for key, end_ms, _ in advanced(kind, stored, ends[40:])}
    assert {each for each in found if each[0][2] == "prediction:answer"} == expected
    assert ("", "", "prediction:score") in {key for key, _ in found}
    # A new contrast learns for some days, as that of a new signal does.
    days = [read_day(row) for row in in_rows(kind.expectations()) if row["signal"] == "prediction:score"]
    assert [EQUAL_PAIRS in {contrast.name for contrast in day.contrasts} for day in days] == [False, *[True] * 6]


def as_earlier_versions_wrote_it(states: list[Any]) -> None:
    """Take the contrast of equal pairs, and what names a failure, out of a checkpoint."""
    of_charts, *of_signals = states
    take_out(states, AnswerContrasts.ALIKE, lambda signal: signal == "prediction:score")
    # Nor did they count what shares add up to.
    del of_charts["charts"]["tallies"]
    for of_signal in of_signals:
        of_signal.pop("answers", None)


@pytest.mark.parametrize(
    ("added", "answer"),
    [
        # Nearly certain that all flights are late: a cell at the end holds many different answers.
        (lambda rng: 1 - 0.003 * rng.random(300), None),
        # So do cells beside each other, of answers that are alike.
        (lambda rng: rng.normal(0.6, 0.006, 300), None),
        (lambda rng: np.full(300, 0.6), "0.6"),
        (lambda rng: np.full(300, 1.0), "1"),
        (lambda rng: np.full(300, 0.0), "0"),
        (lambda rng: np.full(300, -1.0), "-1"),
    ],
)
@pytest.mark.parametrize("layout", [share_layout(), universal_layout()])
def test_only_one_value_is_named_as_an_answer_for_many(layout: NumericLayout, added: Any, answer: str | None) -> None:
    rng = np.random.default_rng(4)
    usual = [rng.beta(2, 5, 450) for _ in range(3)]
    windows, columns = windows_of(layout, [*usual, np.append(rng.beta(2, 5, 450), added(rng))])
    reference = Described(summary_of(layout, rng.beta(2, 5, 2_000)), 0.16)
    failures = dict(Answers(layout).failures(windows, columns, reference))
    # Cells beyond a share are wide, so that one may hold many values.
    is_named = answer is not None and (layout.kind == "universal" or answer != "-1")
    expected = [(3, answer)] if is_named else []
    assert [(t, failure.answer) for t, failure in failures.items()] == expected


def test_batches_make_no_difference_to_what_is_named() -> None:
    layout, rng = universal_layout(), np.random.default_rng(2)
    windows_of_scores = [np.append(rng.beta(2, 5, 30), [0.5] * (20 * (t > 3))) for t in range(8)]
    windows, columns = windows_of(layout, windows_of_scores)
    counts, sums = windows.counts, windows.sums
    reference = Described(summary_of(layout, rng.beta(2, 5, 500)), 0.16)

    whole = dict(Answers(layout).failures(windows, columns, reference))
    assert sorted(whole) == [4, 5, 6, 7]
    assert (whole[4].answer, whole[4].after, whole[4].is_exact) == ("0.5", 0.42, False)

    first, second = Answers(layout), Answers(layout)
    early = Windows(windows.ends_ms[:5], counts[:5], sums[:5], windows.extremes[:5])
    in_parts = dict(first.failures(early, columns, reference))
    second.restore(first.snapshot())
    in_parts |= {5 + t: failure for t, failure in second.failures(windows.since(5), columns, reference)}
    assert in_parts == whole


def test_a_default_has_a_cell_of_its_own_and_is_compared_with_the_data_set_that_is_the_baseline() -> None:
    layout = quantile_layout(np.random.default_rng(3).beta(2, 5, 1_000), own=(0.3,))
    summary = summary_of(layout, [*[0.3] * 40, *[0.3001] * 30, *[0.2999] * 30])
    assert fallbacks_in(summary, layout, 0.3) == (40.0, 100.0)
    [[expectation, variance]] = FallbackContrasts(0.3, layout, summary).reference()
    assert share_at(expectation) == pytest.approx(0.4, abs=0.01)
    assert variance == 0.01
    # Where it is counted with others, the alert says so.
    change = Change(FALLBACK, 0.02, 0.4, by_day=False)
    failures = [failed_back(change, 0.3, counted_in) for counted_in in (layout, share_layout((0.3,)), share_layout())]
    assert [failure is not None and failure.is_exact for failure in failures] == [True, True, False]


@pytest.mark.parametrize("digits", [6, 2])
def test_answers_that_came_one_by_one_are_no_single_answer(digits: int) -> None:
    layout, rng = share_layout(), np.random.default_rng(5)
    moved = np.round(rng.beta(2, 16, 2_000), digits)
    windows, columns = windows_of(layout, [[value] for value in moved])
    reference = Described(summary_of(layout, rng.beta(4, 8, 2_000)), 0.13)
    assert dict(Answers(layout).failures(windows, columns, reference)) == {}


def test_one_answer_that_comes_once_a_window_is_named_after_some_and_after_a_restart_alike() -> None:
    layout, rng = share_layout(), np.random.default_rng(6)
    # Another number of the same cell is another answer, and begins anew.
    windows, columns = windows_of(layout, [[0.0572], *[[0.0571]] * 20])
    reference = Described(summary_of(layout, rng.beta(4, 8, 2_000)), 0.13)
    failures = dict(Answers(layout).failures(windows, columns, reference))
    assert list(failures) == list(range(13, 21))
    assert {failure.answer for failure in failures.values()} == {"0.0571"}

    in_parts: dict[int, Any] = {}
    state: dict[str, Any] | None = None
    for t in range(len(windows.ends_ms)):
        answers = Answers(layout)
        answers.restore(state)
        one = Windows(
            windows.ends_ms[: t + 1], windows.counts[: t + 1], windows.sums[: t + 1], windows.extremes[: t + 1]
        )
        for _, failure in answers.failures(one.since(t), columns, reference):
            in_parts[t] = failure
        state = decode_state(encode_state([answers.snapshot()]))[0]
    assert in_parts == failures
