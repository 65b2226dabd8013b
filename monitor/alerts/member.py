"""A series of an alert: what people know of it, and what is news."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from monitor.alerts.foremost import OF_A_PART, WORSE, foremost, is_of_vectors, is_side_effect
from monitor.alerts.recurrence import Cause, Recurrence
from monitor.alerts.titles import moved_most
from monitor.alerts.verdict import OF_NO_USE, Change, Failure, NewNormal, NewVersion, Verdict
from monitor.alerts.wording import reason

__all__ = ["Member", "Told", "are_kin", "by_name", "move_of", "new_version_of", "whole_name"]

VECTORS = "vectors"
"""By what name moves of vectors are remembered, along whichever direction."""

METRIC = "performance:"
"""What the signals of metrics begin with."""

TYPICAL_VALUE = "typical value"

STAYS = 0.25
"""Part of what a typical value had moved by, when people were told, within which it is where it was then."""

OF_SKEW = "skew of "
"""What stands before the name of a contrast that was told to differ from its reference."""


OF_WAY_BACK = "way back of "
"""What stands before the name of a contrast that was told to be as usual again: what it does next is news."""


class Told(NamedTuple):
    """A move of a contrast that people know of: which way, and how far, and when they were told."""

    is_up: bool
    effect: float
    at_ms: int = 0


class Level(NamedTuple):
    """What a window had whose typical value people were told, and how far from that others have it, too."""

    value: float
    reach: float


@dataclass
class Member:
    """A series of an alert. Once a member, it stays one until the alert ends.

    ``moves_told`` are moves that people know of, by contrast, ``failure_told`` is a failure that they know of, and
    ``labels_told`` the classes of which they know that their labels do not come as they did. ``standing`` are the
    contrasts of which alarms stood in its last alarmed window. ``recurrence`` is how often it alarmed so of late.
    ``level_told`` is the typical value that people know, for as long as windows have it.
    """

    since_ms: int
    last_ms: int
    evidence: Verdict
    peak: Verdict
    status: str = "drift"
    new_normal: NewNormal | None = None
    moved_ms: int = 0
    new_version: NewVersion | None = None
    moves_told: dict[str, Told] = field(default_factory=dict)
    failure: Failure | None = None
    labels_told: list[str] = field(default_factory=list)
    failure_told: Failure | None = None
    standing: list[str] = field(default_factory=list)
    recurrence: Recurrence | None = None
    level_told: Level | None = None

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Member:
        """Return a member that begins with verdicts, strongest first."""
        verdict = verdicts[0]
        change, new_version = verdict.facts.change, new_version_of(verdicts)
        moved_ms, failure = 0 if change is None else change.since_ms, verdict.facts.failure
        since_ms, at_ms = verdict.window_start_ms, verdict.at_ms
        return cls(since_ms, at_ms, verdict, verdict, moved_ms=moved_ms, new_version=new_version, failure=failure)

    def tell(self, verdict: Verdict, pause_ms: int, relatives: Sequence[Member] = ()) -> bool:
        """Return whether a move is news, and remember it if so.

        The same move is none, however often, unless it is larger by `WORSE`: a constant passes its threshold again and
        again where the season leads away from it, and what varies more moves in every way. But an outage that was over,
        and comes again ``pause_ms`` later or more, is another one. That values which have moved are now away from their
        reference is no news, unless further than they moved; that they move when they are away from it already is. Nor
        is what a segment or a part has of a move, or of a failure, that was told of its ``relatives``. Nor is a typical
        value that is what people know, though something else is usual at this hour.
        """
        change, (contrast, move) = verdict.facts.change, move_of(verdict)
        level = _level_of(change)
        if self.level_told is not None and level is not None and _is_at(level, self.level_told):
            return False
        may_recur = change is not None and change.is_anew and change.what in OF_NO_USE
        earlier = self._told_of(contrast, is_up=move.is_up)
        if earlier is not None and move.effect < WORSE * earlier.effect:
            recurs = may_recur and verdict.at_ms - earlier.at_ms >= pause_ms
            if not recurs:
                return False
        told_of_others = self._told_of_others(verdict, pause_ms, relatives)
        # What people know of others they take it for.
        self.moves_told[contrast] = told_of_others or move
        self.level_told = level or self.level_told
        return told_of_others is None

    def _told_of_others(self, verdict: Verdict, pause_ms: int, relatives: Sequence[Member]) -> Told | None:
        """Return what was told of another series or part that a move of a segment, or a part such as a class, is, too.

        Of the whole, or another segment, people were told that it moved the same way, and nearly as far. Values that
        are of no use again are part of an outage that people were told of just now, or of which the alarm of the whole
        stands.
        """
        change, (contrast, move) = verdict.facts.change, move_of(verdict)
        if verdict.facts.failure is not None:
            told_failures = [member.failure_told for member in relatives if member.is_alarmed]
            is_known = bool(verdict.segment) and any(_is_same(verdict.facts.failure, each) for each in told_failures)
            return move if is_known else None
        if change is None or (not verdict.segment and not contrast.startswith(OF_A_PART)):
            return None
        recent_ms = verdict.at_ms - pause_ms if change.is_anew and change.what in OF_NO_USE else -math.inf
        told_moves = [
            (name, each)
            for member in (self, *relatives)
            if member.is_alarmed
            for name, each in member.moves_told.items()
            if (member is not self or name != contrast) and (each.at_ms >= recent_ms or member.stands_as_a_whole(name))
        ]
        # What has moved is away from its reference, too.
        names = {whole_name(contrast), whole_name(contrast.removeprefix(OF_SKEW))}
        known_moves = [
            each
            for name, each in told_moves
            if whole_name(name) in names and each.is_up == move.is_up and move.effect < WORSE * each.effect
        ]
        if not known_moves:
            return None
        furthest = max(known_moves, key=lambda each: each.effect)
        return furthest._replace(effect=min(furthest.effect, move.effect))

    def stands_as_a_whole(self, contrast: str) -> bool:
        """Whether it is a whole signal, and the alarm of one of its contrasts stands."""
        return not self.evidence.segment and contrast in self.standing

    def note_told(self) -> None:
        """Remember what a notification says of it: how far off it is by now."""
        if not self.is_alarmed:
            return
        self.failure_told = self.failure
        for contrast, move in _moves_said(self.evidence):
            earlier = self.moves_told.get(contrast)
            if earlier is None or earlier.is_up != move.is_up:
                self.moves_told[contrast] = move
            elif move.effect > earlier.effect:
                self.moves_told[contrast] = earlier._replace(effect=move.effect)

    def tell_labels(self, verdict: Verdict, relatives: Sequence[Member] = ()) -> bool:
        """Return whether labels of a class do not come as they did, and nobody knows of it yet; remember it if so.

        Of a segment it is no news where it was told of the whole, or of another segment.
        """
        odd = verdict.facts.odd_labels
        classes = [] if odd is None else [name for name in odd.classes if name not in self.labels_told]
        if not classes:
            return False
        self.labels_told += classes
        if self.peak.facts.odd_labels is None:
            self.peak = replace(self.peak, facts=self.peak.facts._replace(odd_labels=odd))
        of_relatives = {name for member in relatives for name in member.labels_told}
        return not verdict.segment or not of_relatives.issuperset(classes)

    def say(
        self, verdicts: Sequence[Verdict], news: Sequence[Verdict], former: Verdict | None, *, is_told: bool
    ) -> None:
        """Say the foremost of some verdicts, which people know of from now on if it is told."""
        self.evidence = foremost(verdicts, news, former)
        self.standing = sorted({name for verdict in verdicts for name, _ in _moves_said(verdict)})
        if is_told:
            contrast, move = move_of(self.evidence)
            self.moves_told.setdefault(contrast, move)

    def _told_of(self, contrast: str, *, is_up: bool) -> Told | None:
        """Return what people were told of that a move may be the same as."""
        newest = self.moves_told.get(contrast)
        if newest is not None:
            return newest if newest.is_up == is_up else None
        if not contrast.startswith(OF_SKEW):
            return None
        # Values that have moved are away from their reference, in this way and in others.
        is_of_no_use = contrast.removeprefix(OF_SKEW) in OF_NO_USE
        moves = [move for name, move in self.moves_told.items() if (name in OF_NO_USE) == is_of_no_use]
        return max(moves, key=lambda move: move.effect, default=None)

    @property
    def onset_ms(self) -> int:
        """When it most likely moved, if that can be said: else the start of its first alarmed window."""
        return min(self.since_ms, self.moved_ms or self.since_ms)

    def alarm(self, verdicts: Sequence[Verdict], pause_ms: int, relatives: Sequence[Member] = ()) -> bool:
        """Take in the verdicts of another alarmed window, strongest first, and return whether one of them is news."""
        self._follow_level(verdicts)
        moves = [verdict for verdict in verdicts if verdict.tells_of_a_move and not self._is_stuck_still(verdict)]
        news = [verdict for verdict in moves if self.tell(verdict, pause_ms, relatives)]
        strongest = verdicts[0]
        # Whoever was told what the signal has is told once that it has nothing any more.
        falls_silent = strongest.facts.no_value is not None and self.evidence.facts.no_value is None
        self.failure = _worse(self.failure, (news[0] if news else strongest).facts.failure)
        self.say(verdicts, news, self.evidence, is_told=bool(news))
        self.last_ms, self.status = strongest.at_ms, "drift"
        if _height(self.evidence) > _height(self.peak):
            self.peak = self.evidence
        has_odd_labels = self.tell_labels(strongest, relatives)
        return bool(news) or falls_silent or has_odd_labels

    @property
    def cause(self) -> Cause:
        """What of it is foremost."""
        contrast, move = move_of(self.evidence)
        return Cause(self.evidence.segment, self.evidence.signal, whole_name(contrast), move.is_up)

    @property
    def causes(self) -> set[Cause]:
        """All that people know of it."""
        verdict = self.evidence
        moves = self.moves_told.items()
        return {Cause(verdict.segment, verdict.signal, whole_name(name), move.is_up) for name, move in moves}

    @property
    def is_alarmed(self) -> bool:
        """Whether its newest window alarmed."""
        return self.status == "drift"

    def _follow_level(self, verdicts: Sequence[Verdict]) -> None:
        """Forget the typical value that people know once a window has another one."""
        changes = [verdict.facts.change for verdict in verdicts]
        changes += [beside.change for verdict in verdicts for beside in verdict.facts.beside]
        levels = [level for change in changes if (level := _level_of(change)) is not None]
        if self.level_told is not None and not all(_is_at(level, self.level_told) for level in levels):
            self.level_told = None

    def _is_stuck_still(self, verdict: Verdict) -> bool:
        """Whether the answer that is known to stand for many is what moves, as the season goes by beneath it."""
        earlier, failure = self.failure, verdict.facts.failure
        return failure is not None and failure.kind == "stuck" and _is_same(failure, earlier)

    def entry(self, ranked: Sequence[Member], *, is_over: bool) -> dict[str, Any]:
        """Return what the alert, whose members are ``ranked``, says of this series; None for numbers not finite."""
        verdict, version = self.evidence, self.new_version
        # What has gone quiet moved in windows of its own.
        peers = [member for member in ranked if is_over or member.is_alarmed == self.is_alarmed]
        is_first = next((member for member in ranked if member.failure is not None), self) is self
        return {
            "version": verdict.version,
            "segment": verdict.segment,
            "signal": verdict.signal,
            "detector": verdict.detector,
            "former_version": None if version is None or version.was_off else version.former,
            "contrast": "" if verdict.facts.change is None else verdict.facts.change.what,
            "failure": None if self.failure is None else self.failure.kind,
            "answer": None if self.failure is None else self.failure.answer,
            "answer_before": None if self.failure is None else self.failure.before,
            "answer_after": None if self.failure is None else self.failure.after,
            "since_ms": self.since_ms,
            "onset_ms": self.onset_ms,
            "last_ms": self.last_ms,
            "statistic": _finite(verdict.statistic),
            "effect": _finite(verdict.effect),
            "min_effect": _finite(verdict.min_effect),
            "peak_effect": _finite(self.peak.effect),
            "peak_detector": self.peak.detector,
            "peak_at_ms": self.peak.at_ms,
            "surprise": _finite(verdict.surprise),
            "surprise_limit": _finite(verdict.surprise_limit),
            "p_value": _finite(verdict.p_value),
            "n": verdict.n,
            "baseline_n": verdict.baseline_n,
            "baseline_from_ms": verdict.baseline_from_ms,
            "baseline_to_ms": verdict.baseline_to_ms,
            "alarmed": self.is_alarmed,
            "status": self.status,
            "times": 1 if self.recurrence is None else self.recurrence.times,
            "daily_since_ms": None if self.recurrence is None else self.recurrence.daily_since_ms,
            "reason": reason(self, moved_most(self, peers), advises=is_first),
        }

    def at_its_peak(self) -> Member:
        """Return it with what its strongest window says in the place of the last one."""
        return replace(self, evidence=self.peak)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"evidence": self.evidence.to_json(), "peak": self.peak.to_json()}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Member:
        verdicts = {key: Verdict.from_json(written[key]) for key in ("evidence", "peak")}
        normal, version = written.get("new_normal"), written.get("new_version")
        moves_told = {contrast: Told(*move) for contrast, move in written.get("moves_told", {}).items()}
        composed = {
            **verdicts,
            "new_normal": None if normal is None else NewNormal(*normal),
            "new_version": None if version is None else NewVersion(*version),
            "moves_told": moves_told,
            "recurrence": Recurrence.from_json(written.get("recurrence")),
            "level_told": None if written.get("level_told") is None else Level(*written["level_told"]),
            **{
                key: None if written.get(key) is None else Failure(*written[key]) for key in ("failure", "failure_told")
            },
        }
        # Earlier versions remembered the last move alone: it is told once more.
        return cls(**{key: written[key] for key in written.keys() - {"told_ms", "told_move", "told_effect"}} | composed)


def move_of(verdict: Verdict) -> tuple[str, Told]:
    """Return by which name a contrast is remembered, and its move."""
    change, effect = verdict.facts.change, verdict.effect if math.isfinite(verdict.effect) else 0.0
    if change is None:
        return "", Told(is_up=False, effect=effect, at_ms=verdict.at_ms)
    # Vectors that have moved lie elsewhere along many directions, on one side of each or on the other.
    contrast, is_up = (VECTORS, True) if is_of_vectors(change) else (change.what, change.after > change.before)
    of_what = OF_SKEW if change.against_reference else OF_WAY_BACK if change.is_back else ""
    return of_what + contrast, Told(is_up, effect, verdict.at_ms)


def _level_of(change: Change | None) -> Level | None:
    """Return the typical value of a window alone; None where a change is of something else."""
    if change is None or change.what != TYPICAL_VALUE or change.against_reference or change.in_window is None:
        return None
    return Level(change.in_window, STAYS * abs(change.in_window - change.before))


def _is_at(level: Level, known_level: Level) -> bool:
    return abs(level.value - known_level.value) <= known_level.reach


def _moves_said(verdict: Verdict) -> Iterator[tuple[str, Told]]:
    """Yield what is said of a series: its foremost move, and what is said after it."""
    if verdict.facts.change is None:
        return
    yield move_of(verdict)
    for beside in verdict.facts.beside:
        yield move_of(replace(verdict, effect=beside.effect, facts=verdict.facts._replace(change=beside.change)))


def whole_name(contrast: str) -> str:
    """Return by which name that is remembered which a contrast may be a part of, or the way back of it."""
    contrast = contrast.removeprefix(OF_WAY_BACK)
    return OF_A_PART.removesuffix(" of ") if contrast.startswith(OF_A_PART) else contrast


def _height(verdict: Verdict) -> tuple[bool, float]:
    """How much a window shows of a signal: no side effect shows more than what it comes along with."""
    return not is_side_effect(verdict.facts.change), verdict.strength


def new_version_of(verdicts: Iterable[Verdict]) -> NewVersion | None:
    """Return the version with which a series began to alarm, whichever of its detectors says so."""
    return next((each.facts.new_version for each in verdicts if each.facts.new_version is not None), None)


def are_kin(signal: str, other: str) -> bool:
    """Whether signals are one, or are both metrics of the same labels."""
    return signal == other or (signal.startswith(METRIC) and other.startswith(METRIC))


def _is_same(failure: Failure, earlier: Failure | None) -> bool:
    """Whether a failure is one that is known: the same answer stands, for about as many."""
    if earlier is None or (earlier.kind, earlier.answer) != (failure.kind, failure.answer):
        return False
    return failure.after < WORSE * earlier.after


def _worse(former: Failure | None, newest: Failure | None) -> Failure | None:
    """Of two failures the one whose answer has the larger share; a window at night, with few events, shows none."""
    if former is None or newest is None:
        return newest or former
    return newest if newest.after >= former.after else former


def by_name(verdict: Verdict) -> tuple[str, ...]:
    """Return by what verdicts are ordered that say as much."""
    return verdict.signal, verdict.segment, verdict.version, verdict.detector


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
