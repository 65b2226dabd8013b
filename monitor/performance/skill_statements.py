"""Whether a model is still shown to be better than what costs nothing: a condition that stands until it is, again.

Labels of a series are added up, by whole days, until the interval of its skill says enough: that the model is better,
or that it reaches 0 and ends at little. One such block may be chance; two in a row are said. Each block begins without
the labels of the one before, so that blocks are independent as far as days are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from detectors.chart.legend import DRIFT, LEARNING, OK, P_KIND, STATUS, SURPRISE, THRESHOLD
from detectors.distance.contract import EFFECT, NO_TEST, STATISTIC
from detectors.performance import Binary, Losses, Skill, Sums, Truth, losses_of, losses_of_field, skill_of
from detectors.performance.sums import Count
from monitor.alerts.change_words import SKILL_VALUE
from monitor.alerts.verdict import Change, Facts, Failure
from monitor.config.naive import Naive
from monitor.config.performance import PerformancePlan
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.verdict_columns import Measured, Verdicts
from monitor.events import SeriesKey
from monitor.performance.contrasts import JudgedRow
from monitor.performance.evidence import FORGOTTEN_MS, JudgedHours
from monitor.performance.label_mix import LabelMix
from monitor.values import DAY_MS

__all__ = ["DETECTOR", "IN_A_ROW", "LITTLE", "LONGEST_DAYS", "SkillStatements"]

DETECTOR = "skill"
"""The name of the test in scores and alerts."""

LITTLE = 0.1
"""An interval that reaches 0 decides only if it ends below this: a wide one may be for lack of labels."""

IN_A_ROW = 2
"""Blocks that reach 0, until it is said."""

IDLE_MS = 7 * DAY_MS
"""Of a series that has had no label for so long, such as a version that no longer serves, nothing is said."""

LONGEST_DAYS = 28
"""A block that decides nothing ends after so many days."""


@dataclass(frozen=True)
class _State:
    """What is known of the skill of one series.

    Attributes
    ----------
    from_ms : int
        When the block began.
    checked_ms : int
        Up to which whole day of the block it was asked what it says.
    last_ms : int
        End of the newest window with labels.
    reached : int
        Blocks in a row whose interval reached 0.
    newest, better : Skill or None
        Of the last block that decided something, and of the last one that was better.
    stands, is_accepted : bool
        Whether the condition holds, and whether somebody has accepted that.
    since_ms : int
        When the first of the blocks in a row began.
    sums : Sums or None
        Of the block.
    """

    from_ms: int
    checked_ms: int
    last_ms: int
    reached: int = 0
    newest: Skill | None = None
    better: Skill | None = None
    stands: bool = False
    is_accepted: bool = False
    since_ms: int = 0
    sums: Sums | None = field(default=None, repr=False)


class SkillStatements:
    """The skills of a model that alarm, by version and segment.

    Parameters
    ----------
    plan : PerformancePlan
    step_ms : int
        Length of a window, which divides a day.
    """

    def __init__(self, plan: PerformancePlan, step_ms: int) -> None:
        self._plan, self._step_ms = plan, step_ms
        self._naive = [naive for naive in plan.naive if naive.metric in plan.alarm_on]
        self._states: dict[SeriesKey, _State] = {}
        self._mixes: dict[SeriesKey, LabelMix] = {}
        self._marks: Sequence[Mark] = ()

    def decide(self, marks: Sequence[Mark]) -> None:
        """Take in what people say of signals, for windows to come; each time all of it."""
        self._marks = [mark for mark in marks if mark.says == "accepted"]

    def advance(self, hours: JudgedHours, ends_ms: range) -> list[Verdicts]:
        """Return the verdicts on windows, by series."""
        written: dict[SeriesKey, list[tuple[int, int, _State]]] = {}
        for end_ms in ends_ms if self._naive else ():
            self._accept(end_ms)
            rows = hours.get(end_ms, {})
            labelled = {(*key, naive.metric): row for key, row in rows.items() if row.labelled for naive in self._naive}
            for key in sorted(labelled.keys() | self._standing(end_ms)):
                state, row = self._state(key, end_ms), labelled.get(key)
                # A day may end at night, when there is nothing.
                state = self._checked(key, state, end_ms - self._step_ms)
                if row is not None:
                    state = self._with(key, state, row, end_ms)
                self._states[key] = state = self._checked(key, state, end_ms)
                written.setdefault(key, []).append((end_ms, 0 if row is None else row.labelled, state))
        self._forget(ends_ms[-1])
        return [self._verdicts(key, of_series) for key, of_series in sorted(written.items())]

    def _with(self, key: SeriesKey, state: _State, row: JudgedRow, end_ms: int) -> _State:
        """Add the labels of a window, unless those of a class no longer come: a constant is right for all others."""
        mix = self._mixes.setdefault(key, LabelMix())
        mix.take(row.predictions, row.labelled, row.label_counts, end_ms)
        if mix.missing():
            return replace(state, last_ms=end_ms)
        sums = row.sums if state.sums is None else state.sums + row.sums
        return replace(state, sums=sums, last_ms=end_ms)

    def _standing(self, end_ms: int) -> set[SeriesKey]:
        """Series that are said to be no better, though there may be no labels in the window."""
        return {key for key, state in self._states.items() if state.stands and state.last_ms >= end_ms - IDLE_MS}

    def _forget(self, end_ms: int) -> None:
        self._states = {key: each for key, each in self._states.items() if each.last_ms >= end_ms - FORGOTTEN_MS}
        self._mixes = {key: mix for key, mix in self._mixes.items() if key in self._states}

    def _of(self, key: SeriesKey) -> Naive:
        return next(naive for naive in self._naive if naive.metric == key[2])

    def _state(self, key: SeriesKey, end_ms: int) -> _State:
        state = self._states.get(key)
        if state is None or state.last_ms < end_ms - FORGOTTEN_MS:
            return _State(end_ms - self._step_ms, end_ms - self._step_ms, end_ms)
        return state

    def _checked(self, key: SeriesKey, state: _State, at_ms: int) -> _State:
        """Ask the block what it says at the end of its last whole day, once."""
        day_ms = state.from_ms + (at_ms - state.from_ms) // DAY_MS * DAY_MS
        return self._closed(self._of(key), state, day_ms) if day_ms > state.checked_ms else state

    def _accept(self, end_ms: int) -> None:
        for mark in self._marks:
            if end_ms - self._step_ms < mark.effective_ms <= end_ms:
                for key, state in self._states.items():
                    if mark.is_about(key) and state.stands:
                        self._states[key] = replace(state, stands=False, is_accepted=True)

    def _closed(self, naive: Naive, state: _State, end_ms: int) -> _State:
        """End the block, if it decides something or lasts for too long."""
        skill = self._skill(naive, state.sums)
        # Nothing loses less than an answer that is never wrong.
        is_little = skill.high <= LITTLE or (skill.verdict == "no_better" and math.isnan(skill.low))
        if skill.verdict == "unknown" or not (skill.verdict == "better" or is_little):
            is_long = end_ms - state.from_ms >= LONGEST_DAYS * DAY_MS
            state = replace(state, checked_ms=end_ms)
            return replace(state, from_ms=end_ms, sums=None) if is_long else state
        if skill.verdict == "better":
            return _State(end_ms, end_ms, state.last_ms, newest=skill, better=skill)
        since_ms = state.since_ms if state.reached else state.from_ms
        reached = state.reached + 1
        stands = reached >= IN_A_ROW and not state.is_accepted
        state = replace(state, reached=reached, newest=skill, stands=stands, since_ms=since_ms)
        return replace(state, from_ms=end_ms, checked_ms=end_ms, sums=None)

    def _skill(self, naive: Naive, sums: Sums | None) -> Skill:
        if sums is None or sums.count(Count.MANY_CLASSES):
            return Skill()
        if naive.signal is not None:
            return skill_of(losses_of_field(sums), self._plan.min_labels)
        answer = Truth.of([sums]).answer(naive.loss) if naive.answer is None else naive.answer
        if answer is None:
            return Skill()
        scheme = self._plan.scheme
        threshold = scheme.threshold if isinstance(scheme, Binary) else 0.5
        return skill_of(losses_of(sums, naive.loss, answer, threshold) or Losses(), self._plan.min_labels)

    def _verdicts(self, key: SeriesKey, written: Sequence[tuple[int, int, _State]]) -> Verdicts:
        measured = Measured.unwritten(len(written), 1)
        measured.numbers[:] = np.nan
        measured.codes[:] = 0
        measured.codes[:, :, P_KIND] = NO_TEST
        for t, (_, _, state) in enumerate(written):
            skill = Skill() if state.newest is None else state.newest
            measured.numbers[t, 0, STATISTIC] = skill.value
            measured.numbers[t, 0, SURPRISE] = min(state.reached, IN_A_ROW)
            measured.numbers[t, 0, THRESHOLD] = IN_A_ROW
            measured.numbers[t, 0, EFFECT] = max(LITTLE - skill.low, 0.0)
            measured.codes[t, 0, STATUS] = DRIFT if state.stands else LEARNING if state.newest is None else OK
        ends_ms, counts = (np.array([each[at] for each in written], dtype=np.int64) for at in (0, 1))
        words = self._of(key).words

        def facts(of_series: Verdicts, t: int, d: int) -> Facts:
            return _facts(words, written[t][2], int(of_series.ends_ms[t]), self._plan.judge_at_ms[0])

        least = np.array([LITTLE])
        return Verdicts(key, [DETECTOR], least, self._step_ms, ends_ms, counts, measured, facts)

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        return [
            {"key": list(key), "mix": self._mixes[key].snapshot() if key in self._mixes else None, **_written(state)}
            for key, state in sorted(self._states.items())
        ]

    def restore(self, states: Iterable[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        metrics = {naive.metric for naive in self._naive}
        for stored in states:
            version, segment, signal = stored["key"]
            if signal not in metrics:
                continue
            of_state = {name: _read(name, value) for name, value in stored.items() if name not in ("key", "mix")}
            self._states[version, segment, signal] = _State(**of_state)
            # Checkpoints from before it was noted have none.
            if stored.get("mix") is not None:
                self._mixes[version, segment, signal] = mix = LabelMix()
                mix.restore(stored["mix"])


def _facts(words: str, state: _State, end_ms: int, age_ms: int) -> Facts:
    skill = state.newest
    if skill is None:
        days = (end_ms - state.from_ms) // DAY_MS
        return Facts("too_early", min(days, LONGEST_DAYS), LONGEST_DAYS, "days")
    usual = math.nan if state.better is None else state.better.value
    change = Change(SKILL_VALUE, usual, skill.value, by_day=True, since_ms=state.since_ms, age_ms=age_ms)
    if not state.stands:
        return Facts(change=change)
    return Facts(change=change, failure=Failure("no_better", words, skill.naive, skill.model))


def _written(state: _State) -> dict[str, Any]:
    blocks = {"newest": state.newest, "better": state.better}
    skills = {name: None if skill is None else asdict(skill) for name, skill in blocks.items()}
    return {**vars(state), **skills, "sums": None if state.sums is None else state.sums.to_row()}


def _read(name: str, value: Any) -> Any:
    if value is None or name not in ("sums", "newest", "better"):
        return value
    return Sums.from_row(value) if name == "sums" else Skill(**value)
