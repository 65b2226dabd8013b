"""From verdicts to alerts: one alert for one cause, with a start and an end in event time.

::

              for not reached                 for reached (at once with for = 0)
    quiet ──────────────────────► pending ──────────────────────► firing ─┐ updated: a signal joined
      ▲                              │                              ▲  │  │
      │◄──── cancelled: quiet ───────┘                              └──┼──┘
      └◄──── resolved: no member alarmed for resolve_after, ───────────┘
             or the levels of all members are accepted as new normals

Nothing here reads a clock, a file or a store: the same verdicts give the same transitions, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from monitor.alerts.foremost import OF_A_PART, WORSE, foremost, is_of_vectors, is_side_effect
from monitor.alerts.policy import SEVERITIES, AlertPolicy
from monitor.alerts.recurrence import OFTEN, Cause, PastSpells, Recurrence, Spell
from monitor.alerts.verdict import OF_NO_USE, Failure, NewNormal, NewVersion, Verdict
from monitor.alerts.wording import moved_most, reason, title
from monitor.events import SeriesKey

__all__ = ["ALERT_NAME", "POSTED", "Lifecycle", "Transition", "to_columns"]

ALERT_NAME = "LeewayDrift"
POSTED = "_posted"
"""What stands in the place of a model for alerts that others post, a name that no model can have."""

VECTORS = "vectors"
"""By what name moves of vectors are remembered, along whichever direction."""

METRIC = "performance:"
"""What the signals of metrics begin with."""

OF_SKEW = "skew of "
"""What stands before the name of a contrast that was told to differ from its reference."""

State = Literal["pending", "firing", "updated", "resolved", "cancelled"]
Group = tuple[str, ...]


@dataclass(frozen=True)
class Transition:
    """One step in the life of an alert; a row of the table ``alerts``.

    Attributes
    ----------
    model, alert_id : str
    sequence : int
        0, 1, 2 … within the alert.
    state : {"pending", "firing", "updated", "resolved", "cancelled"}
    at_ms : int
        End of the window that decided it.
    starts_ms, ends_ms : int
        The span of event time in which the condition held: start of the first alarmed window, and end of the
        last one; ``ends_ms`` is 0 until the alert is resolved or cancelled.
    version, segment : str
        What the alert is about, as the grouping says; without the version in the grouping, and of a fault that goes
        on in the next one, the version it began in. Empty if there are several.
    severity, title : str
    labels : dict of str to str
        Who the alert is, for receivers.  They stay as they were at the start, except a severity that rises.
    signals : list of dict
        What moved: in its last alarmed window, first what alarms now, strongest first, and then what does no longer;
        once the alert is over, in its strongest window, strongest first.
    """

    model: str
    alert_id: str
    sequence: int
    state: State
    at_ms: int
    starts_ms: int
    ends_ms: int
    version: str
    segment: str
    severity: str
    title: str
    labels: dict[str, str]
    signals: list[dict[str, Any]]

    def to_row(self) -> dict[str, Any]:
        """Return the row: column name to value, with ``labels`` and ``signals`` as JSON with sorted keys."""
        return vars(self) | {"labels": _json(self.labels), "signals": _json(self.signals)}


def to_columns(transitions: Sequence[Transition]) -> dict[str, list[Any]]:
    """Return ``transitions`` as columns of the table ``alerts``; no columns without transitions."""
    rows = [transition.to_row() for transition in transitions]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


class Told(NamedTuple):
    """A move of a contrast that people know of: which way, and how far, and when they were told."""

    is_up: bool
    effect: float
    at_ms: int = 0


@dataclass
class Member:
    """A series of an alert. Once a member, it stays one until the alert ends.

    ``moves_told`` are moves that people know of, by contrast, ``failure_told`` is a failure that they know of, and
    ``labels_told`` the classes of which they know that their labels do not come as they did. ``standing`` are the
    contrasts of which alarms stood in its last alarmed window. ``recurrence`` is how often it alarmed so of late.
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

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Member:
        """Return a member that begins with verdicts, strongest first."""
        verdict = verdicts[0]
        change, new_version = verdict.facts.change, _new_version(verdicts)
        moved_ms, failure = 0 if change is None else change.since_ms, verdict.facts.failure
        since_ms, at_ms = verdict.window_start_ms, verdict.at_ms
        return cls(since_ms, at_ms, verdict, verdict, moved_ms=moved_ms, new_version=new_version, failure=failure)

    def tell(self, verdict: Verdict, pause_ms: int, relatives: Sequence[Member] = ()) -> bool:
        """Return whether a move is news, and remember it if so.

        The same move is none, however often, unless it is larger by `WORSE`: a constant passes its threshold again and
        again where the season leads away from it, and what varies more moves in every way. But an outage that was over,
        and comes again ``pause_ms`` later or more, is another one. That values which have moved are now away from their
        reference is no news, unless further than they moved; that they move when they are away from it already is. Nor
        is what a segment or a part has of a move, or of a failure, that was told of its ``relatives``.
        """
        change, (contrast, move) = verdict.facts.change, _move_of(verdict)
        may_recur = change is not None and change.is_anew and change.what in OF_NO_USE
        earlier = self._told_of(contrast, is_up=move.is_up)
        if earlier is not None and move.effect < WORSE * earlier.effect:
            recurs = may_recur and verdict.at_ms - earlier.at_ms >= pause_ms
            if not recurs:
                return False
        told_of_others = self._told_of_others(verdict, pause_ms, relatives)
        # What people know of others they take it for.
        self.moves_told[contrast] = told_of_others or move
        return told_of_others is None

    def _told_of_others(self, verdict: Verdict, pause_ms: int, relatives: Sequence[Member]) -> Told | None:
        """Return what was told of another series or part that a move of a segment, or a part such as a class, is, too.

        Of the whole, or another segment, people were told that it moved the same way, and nearly as far. Values that
        are of no use again are part of an outage that people were told of just now, or of which the alarm of the whole
        stands.
        """
        change, (contrast, move) = verdict.facts.change, _move_of(verdict)
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
        names = {_whole_name(contrast), _whole_name(contrast.removeprefix(OF_SKEW))}
        known_moves = [
            each
            for name, each in told_moves
            if _whole_name(name) in names and each.is_up == move.is_up and move.effect < WORSE * each.effect
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
            contrast, move = _move_of(self.evidence)
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
        contrast, move = _move_of(self.evidence)
        return Cause(self.evidence.segment, self.evidence.signal, _whole_name(contrast), move.is_up)

    @property
    def causes(self) -> set[Cause]:
        """All that people know of it."""
        verdict = self.evidence
        moves = self.moves_told.items()
        return {Cause(verdict.segment, verdict.signal, _whole_name(name), move.is_up) for name, move in moves}

    @property
    def is_alarmed(self) -> bool:
        """Whether its newest window alarmed."""
        return self.status == "drift"

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
            **{
                key: None if written.get(key) is None else Failure(*written[key]) for key in ("failure", "failure_told")
            },
        }
        # Earlier versions remembered the last move alone: it is told once more.
        return cls(**{key: written[key] for key in written.keys() - {"told_ms", "told_move", "told_effect"}} | composed)


@dataclass
class Live:
    """An alert that has not ended; ``began_ms`` is the end of its first alarmed window.

    Once another version has had events in a window in which this was open, or another alert has been about one, the
    title names the version that this is about.
    """

    alert_id: str
    group: Group
    began_ms: int
    starts_ms: int
    labels: dict[str, str]
    firing: bool = False
    sequence: int = 0
    members: dict[SeriesKey, Member] = field(default_factory=dict)
    names_version: bool = False

    @property
    def versions(self) -> set[str]:
        """Those of its series; volumes are of none."""
        return {version for version, _, _ in self.members if version}

    @property
    def named_version(self) -> str | None:
        """The version that its title names; None where there is nothing to tell apart, or several are in it."""
        return next(iter(self.versions)) if self.names_version and len(self.versions) == 1 else None

    @property
    def names_new_version(self) -> bool:
        """Whether its title says of a version that something moved since it came, or went on in it."""
        return any(member.new_version is not None for member in self.members.values())

    @property
    def last_ms(self) -> int:
        return max(member.last_ms for member in self.members.values())

    def take(self, series: SeriesKey, verdicts: Sequence[Verdict], pause_ms: int = 0) -> bool:
        """Let a series become a member with the verdicts of its first alarmed window, strongest first.

        Returns
        -------
        bool
            Whether that is news: what a segment has of a move that was told is none.
        """
        member = self.members[series] = Member.of(verdicts)
        relatives = self._relatives(series)
        news = [each for each in verdicts if member.tell(each, pause_ms, relatives)]
        member.say(verdicts, verdicts, None, is_told=bool(news))
        member.peak = member.evidence
        return member.tell_labels(verdicts[0], relatives) or bool(news)

    def take_again(self, alarms: Mapping[SeriesKey, Sequence[Verdict]], pause_ms: int) -> bool:
        """Take in the verdicts of another alarmed window of members, and return whether one of them is news."""
        kin: dict[tuple[str, str], list[SeriesKey]] = {}
        for series in self.members:
            kin.setdefault((series[0], series[2]), []).append(series)
        news = False
        # The whole comes before its segments: what is told of it is no news of them.
        for series in sorted(self.members.keys() & alarms.keys()):
            relatives = [self.members[each] for each in kin[series[0], series[2]] if each != series]
            news |= self._take_again(series, alarms[series], pause_ms, relatives)
        return news

    def _take_again(
        self, series: SeriesKey, verdicts: Sequence[Verdict], pause_ms: int, relatives: Sequence[Member]
    ) -> bool:
        if self.members[series].new_normal is None:
            return self.members[series].alarm(verdicts, pause_ms, relatives)
        # What was accepted is over: this has another beginning.
        self.take(series, verdicts)
        return True

    def _relatives(self, series: SeriesKey) -> list[Member]:
        """Return the other members that are the same signal of the same version: the whole, and segments of it."""
        return [
            member
            for other, member in self.members.items()
            if other != series and (other[0], other[2]) == (series[0], series[2])
        ]

    def has_relative(self, series: SeriesKey) -> bool:
        """Whether the whole of which a series is a segment is a member, or a segment of it; of metrics, any one."""
        version, segment, signal = series
        return any(
            own == version and (not segment or of in ("", segment)) and _are_kin(other, signal)
            for own, of, other in self.members
        )

    @property
    def is_accepted(self) -> bool:
        """Whether the level of each of its signals is its new normal: there is nothing to wait for."""
        return all(member.new_normal is not None for member in self.members.values())

    def ranked(self, *, is_over: bool) -> list[Member]:
        """The members, strongest first, then by name: as of their strongest windows, if it is over.

        Else as of their last ones that alarmed, and those that alarm now before those that do no longer.
        """
        members = [member.at_its_peak() if is_over else member for member in self.members.values()]
        return sorted(
            members, key=lambda m: (not is_over and not m.is_alarmed, -m.evidence.strength, _by_name(m.evidence))
        )

    def to_json(self) -> dict[str, Any]:
        members = [member.to_json() for _, member in sorted(self.members.items())]
        return vars(self) | {"group": list(self.group), "labels": dict(self.labels), "members": members}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Live:
        members = [Member.from_json(member) for member in written["members"]]
        by_series = {member.evidence.series: member for member in members}
        return cls(**{**written, "group": tuple(written["group"]), "members": by_series})


class Lifecycle:
    """The alerts of one model.

    A series whose alarm begins at most ``join_within`` after a live alert of its group began joins that alert
    (the youngest, if there are several); one that begins later has a cause of its own and starts another alert.
    A series that belongs to a live alert stays with it, and so does what a new version has of it from the one before.
    Gaps between steps count as quiet time.

    Parameters
    ----------
    model, namespace : str
    labels : mapping of str to str
        Copied onto every alert; names that Leeway sets itself keep Leeway's value.
    policy : AlertPolicy
    window_ms : int
    alert_name : str
        The label ``alertname``.

    Examples
    --------
    >>> policy = AlertPolicy({}, ["model"], for_ms=0, resolve_after_ms=900_000, join_within_ms=600_000)
    >>> lifecycle = Lifecycle("flights", "default", {}, policy, window_ms=300_000)
    >>> verdict = Verdict("", "", "volume", "volume", "drift", 600_000, 300_000, effect=0.9, min_effect=0.3)
    >>> [(t.state, t.title) for t in lifecycle.step(600_000, [verdict])]
    [('firing', 'flights: volume moved (0.9, 3× its limit)')]
    >>> lifecycle.step(900_000, [])
    []
    >>> [(t.state, t.starts_ms, t.ends_ms) for t in lifecycle.step(1_500_000, [])]
    [('resolved', 300000, 600000)]
    """

    def __init__(
        self,
        model: str,
        namespace: str,
        labels: Mapping[str, str],
        policy: AlertPolicy,
        window_ms: int,
        alert_name: str = ALERT_NAME,
    ) -> None:
        self._model, self._alert_name = model, alert_name
        self._namespace = namespace
        self._labels = {key: value for key, value in labels.items() if key != "severity"}
        self._policy = policy
        self._window_ms = window_ms
        self._at_ms: int | None = None
        self._live: list[Live] = []
        self._past = PastSpells()

    def step(
        self, at_ms: int, verdicts: Iterable[Verdict], serving: AbstractSet[str] = frozenset()
    ) -> list[Transition]:
        """Take in the verdicts of the windows that end at ``at_ms``.

        Parameters
        ----------
        at_ms : int
            Later than at every step before.
        verdicts : iterable of Verdict
            In any order; a series without a verdict was not alarmed. Those that do not say drift matter for the
            series of :meth:`members` alone.
        serving : set of str
            Versions that have events in these windows, whether they alarm or not.

        Returns
        -------
        list of Transition
            At most one of each alert; endings first, then in the order in which alerts began.

        Raises
        ------
        ValueError
            If time does not advance, or a verdict is of another window.
        """
        at_ms = int(at_ms)
        if self._at_ms is not None and at_ms <= self._at_ms:
            raise ValueError(f"a step at {at_ms} after one at {self._at_ms}: time must advance")
        ordered = sorted(verdicts, key=_by_name)
        for verdict in ordered:
            if verdict.at_ms != at_ms:
                raise ValueError(f"a verdict of {verdict.at_ms} in the step at {at_ms}")
        self._at_ms = at_ms
        return [*self._after_a_gap(at_ms), *self._step(at_ms, ordered, serving)]

    def members(self) -> set[SeriesKey]:
        """The series, as (version, segment, signal), that belong to an alert that has not ended."""
        return {series for alert in self._live for series in alert.members}

    def snapshot(self) -> dict[str, Any]:
        """Return the state as strict JSON; :meth:`restore` continues from it as if nothing had happened."""
        live = [alert.to_json() for alert in self._live]
        return {"at_ms": self._at_ms, "live": live, "past": self._past.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from ``snapshot``."""
        self._at_ms = snapshot["at_ms"]
        self._live = [Live.from_json(alert) for alert in snapshot["live"]]
        # Earlier versions remembered nothing of what was over.
        self._past.restore(snapshot.get("past", ()))

    def _after_a_gap(self, at_ms: int) -> list[Transition]:
        """End the alerts that ended in windows without a verdict, before this window's alarms could extend them."""
        ended = []
        for alert in self._live:
            quiet_ms = at_ms - self._window_ms - alert.last_ms
            if quiet_ms > 0 and (not alert.firing or quiet_ms >= self._policy.resolve_after_ms):
                ended.append(alert)
        return [self._end(alert, at_ms) for alert in ended]

    def _step(self, at_ms: int, ordered: list[Verdict], serving: AbstractSet[str]) -> list[Transition]:
        for verdict in ordered:
            if verdict.facts.new_normal is not None:
                self._past.drop(verdict.segment, verdict.signal)
        changed = self._take_in(at_ms, _alarms(ordered), _statuses(ordered))
        self._take_in_new_normals(ordered)
        self._tell_versions_apart(serving)
        endings, others = [], []
        for alert in list(self._live):
            quiet_ms = at_ms - alert.last_ms
            if quiet_ms > 0 and (not alert.firing or alert.is_accepted or quiet_ms >= self._policy.resolve_after_ms):
                endings.append(self._end(alert, at_ms))
            elif not alert.firing and at_ms - alert.began_ms >= self._policy.for_ms:
                alert.firing = True
                others.append(self._transition(alert, "firing", at_ms))
            elif alert.alert_id in changed:
                others += self._grown(alert, at_ms)
        return endings + others

    def _grown(self, alert: Live, at_ms: int) -> list[Transition]:
        if alert.firing:
            return [self._transition(alert, "updated", at_ms)]
        return [self._transition(alert, "pending", at_ms)] if alert.began_ms == at_ms else []

    def _take_in(self, at_ms: int, alarms: dict[SeriesKey, list[Verdict]], statuses: dict[SeriesKey, str]) -> set[str]:
        """Give every alarm to an alert; return the alerts that began, grew, or of which a signal moved again."""
        changed = set()
        for alert in self._live:
            for series in alert.members.keys() - alarms.keys():
                alert.members[series].status = statuses.get(series, "no_data")
            if alert.take_again(alarms, self._policy.resolve_after_ms):
                changed.add(alert.alert_id)
        # A series stays with its alert until that ends: only one that no alert has may begin another.
        owned = {series for alert in self._live for series in alert.members}
        starting: dict[Group, dict[SeriesKey, list[Verdict]]] = {}
        for series in sorted(alarms.keys() - owned):
            relative = self._alert_of_relative(series, _new_version(alarms[series]))
            if relative is None:
                starting.setdefault(self._group(series), {})[series] = alarms[series]
            elif self._take(relative, series, alarms[series], self._policy.resolve_after_ms):
                changed.add(relative.alert_id)
        return changed.union(*(self._take_new(at_ms, group, new) for group, new in starting.items()))

    def _take_new(self, at_ms: int, group: Group, new: dict[SeriesKey, list[Verdict]]) -> set[str]:
        """Give what no alert has to alerts, and return them.

        Labels by which routes and silences know what comes often say nothing of what comes for the first time:
        that is an alert of its own.
        """
        often = {series: verdicts for series, verdicts in new.items() if self._comes_often(verdicts)}
        changed = {self._join_or_begin(at_ms, group, often, is_often=True)} if often else set()
        others: dict[SeriesKey, list[Verdict]] = {}
        for series in sorted(new.keys() - often.keys()):
            relative = self._alert_of_relative(series, _new_version(new[series])) if often else None
            if relative is None:
                others[series] = new[series]
            else:
                self._take(relative, series, new[series])
        return changed | {self._join_or_begin(at_ms, group, others, is_often=False)} if others else changed

    def _comes_often(self, verdicts: Sequence[Verdict]) -> bool:
        member = Member.of(verdicts)
        member.say(verdicts, verdicts, None, is_told=False)
        recurrence = self._past.recurrence(member.cause, member.since_ms)
        return recurrence is not None and recurrence.times >= OFTEN

    def _tell_versions_apart(self, serving: AbstractSet[str]) -> None:
        of_alerts = set[str]().union(*(alert.versions for alert in self._live))
        for alert in self._live:
            # What began with a version says so: that the one before it was there for some more minutes says nothing.
            others = of_alerts if alert.names_new_version else of_alerts | serving
            alert.names_version |= bool(alert.versions and others - alert.versions)

    def _take_in_new_normals(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            for alert in self._live if verdict.facts.new_normal is not None else ():
                member = alert.members.get(verdict.series)
                if member is not None and member.status != "drift":
                    member.new_normal = verdict.facts.new_normal

    def _join_or_begin(
        self, at_ms: int, group: Group, new: dict[SeriesKey, list[Verdict]], *, is_often: bool
    ) -> str:  # fmt: skip
        open_to_it = [
            alert
            for alert in self._live
            if alert.group == group
            and at_ms - alert.began_ms <= self._policy.join_within_ms
            and (is_often or "recurring" not in alert.labels)
        ]
        # Of several the youngest: its cause is the nearest in time.
        strongest = {series: verdicts[0] for series, verdicts in new.items()}
        alert = max(open_to_it, key=lambda a: a.began_ms) if open_to_it else self._begin(at_ms, group, strongest)
        for series, verdicts in new.items():
            self._take(alert, series, verdicts)
        if not open_to_it and is_often:
            alert.labels["recurring"] = "yes"
        return alert.alert_id

    def _take(self, alert: Live, series: SeriesKey, verdicts: Sequence[Verdict], pause_ms: int = 0) -> bool:
        """Let a series become a member, and note how often it alarmed so of late; return whether that is news."""
        is_news = alert.take(series, verdicts, pause_ms)
        member = alert.members[series]
        member.recurrence = self._past.recurrence(member.cause, member.since_ms)
        return is_news

    def _alert_of_relative(self, series: SeriesKey, version: NewVersion | None) -> Live | None:
        """Return the youngest alert that has the whole of which a series is a segment, or a segment of it.

        What a segment does moves the whole, sooner or later: both are one cause, however far apart they are found. So
        are metrics, which are made of the same labels, and a fault and what a new version has of it, also where alerts
        are grouped by version.
        """
        relatives = [series]
        if version is not None and version.was_off:
            relatives.append((version.former, *series[1:]))
        # A version that goes on with the alert of another one brings its segments along.
        group = self._group_of_any_version(series)
        alerts = [
            alert
            for alert in self._live
            if self._group_of_any_version(next(iter(alert.members))) == group
            and any(relative in alert.members or alert.has_relative(relative) for relative in relatives)
        ]
        return max(alerts, key=lambda alert: alert.began_ms) if alerts else None

    def _group_of_any_version(self, series: SeriesKey) -> Group:
        return self._group(("", *series[1:]))

    def _begin(self, at_ms: int, group: Group, new: dict[SeriesKey, Verdict]) -> Live:
        # A hash of what began it, not a random one: windows that are evaluated again give the alert its own name.
        identity = _json([self._model, list(group), at_ms, sorted(new)])
        alert_id = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
        top = min(new.values(), key=lambda v: (-v.strength, _by_name(v)))
        versions = {verdict.version for verdict in new.values() if verdict.version}
        named = dict(zip(self._policy.group_by, group, strict=True))
        labels = self._labels | {
            "alertname": self._alert_name,
            "alert_id": alert_id,
            "cause": top.signal,
            "model": self._model,
            "namespace": self._namespace,
            "recurring": "",
            "segment": named.get("segment", ""),
            "version": named.get("version", versions.pop() if len(versions) == 1 else ""),
        }
        starts_ms = min(verdict.window_start_ms for verdict in new.values())
        named_labels = {key: value for key, value in labels.items() if value}
        alert = Live(alert_id, group, at_ms, starts_ms, named_labels)
        self._live.append(alert)
        return alert

    def _group(self, series: SeriesKey) -> Group:
        values = {"model": self._model, "version": series[0], "segment": series[1]}
        return tuple(values[name] for name in self._policy.group_by)

    def _end(self, alert: Live, at_ms: int) -> Transition:
        self._live.remove(alert)
        self._past.forget_older(at_ms)
        for member in alert.members.values() if alert.firing else ():
            if member.new_normal is None:
                self._past.add(sorted(member.causes), Spell(member.since_ms, member.last_ms))
        return self._transition(alert, "resolved" if alert.firing else "cancelled", at_ms)

    def _transition(self, alert: Live, state: State, at_ms: int) -> Transition:
        is_over = state in ("resolved", "cancelled")
        ranked = alert.ranked(is_over=is_over)
        alert.labels["severity"] = self._severity(alert)
        alert.sequence += 1
        if state in ("firing", "updated"):
            for member in alert.members.values():
                member.note_told()
        return Transition(
            model=self._model,
            alert_id=alert.alert_id,
            sequence=alert.sequence - 1,
            state=state,
            at_ms=at_ms,
            starts_ms=alert.starts_ms,
            ends_ms=alert.last_ms if is_over else 0,
            version=alert.labels.get("version", ""),
            segment=alert.labels.get("segment", ""),
            severity=alert.labels["severity"],
            title=title(self._model, ranked, version=alert.named_version, is_over=is_over),
            labels=dict(alert.labels),
            signals=[member.entry(ranked, is_over=is_over) for member in ranked],
        )

    def _severity(self, alert: Live) -> str:
        """The gravest so far: membership only grows, so it could sink only by a changed configuration."""
        current = self._policy.severity_of(sorted(member.evidence.signal for member in alert.members.values()))
        return max(current, alert.labels.get("severity", current), key=SEVERITIES.index)


def _move_of(verdict: Verdict) -> tuple[str, Told]:
    """Return by which name a contrast is remembered, and its move."""
    change, effect = verdict.facts.change, verdict.effect if math.isfinite(verdict.effect) else 0.0
    if change is None:
        return "", Told(is_up=False, effect=effect, at_ms=verdict.at_ms)
    # Vectors that have moved lie elsewhere along many directions, on one side of each or on the other.
    contrast, is_up = (VECTORS, True) if is_of_vectors(change) else (change.what, change.after > change.before)
    return OF_SKEW + contrast if change.against_reference else contrast, Told(is_up, effect, verdict.at_ms)


def _moves_said(verdict: Verdict) -> Iterator[tuple[str, Told]]:
    """Yield what is said of a series: its foremost move, and what is said after it."""
    if verdict.facts.change is None:
        return
    yield _move_of(verdict)
    for beside in verdict.facts.beside:
        yield _move_of(replace(verdict, effect=beside.effect, facts=verdict.facts._replace(change=beside.change)))


def _whole_name(contrast: str) -> str:
    """Return by which name that is remembered which a contrast may be a part of."""
    return OF_A_PART.removesuffix(" of ") if contrast.startswith(OF_A_PART) else contrast


def _height(verdict: Verdict) -> tuple[bool, float]:
    """How much a window shows of a signal: no side effect shows more than what it comes along with."""
    return not is_side_effect(verdict.facts.change), verdict.strength


def _new_version(verdicts: Iterable[Verdict]) -> NewVersion | None:
    """Return the version with which a series began to alarm, whichever of its detectors says so."""
    return next((each.facts.new_version for each in verdicts if each.facts.new_version is not None), None)


def _are_kin(signal: str, other: str) -> bool:
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


def _alarms(ordered: list[Verdict]) -> dict[SeriesKey, list[Verdict]]:
    """Of each alarmed series its verdicts, strongest first; ``ordered`` is sorted, so ties go by name."""
    alarms: dict[SeriesKey, list[Verdict]] = {}
    for verdict in ordered:
        if verdict.status == "drift":
            alarms.setdefault(verdict.series, []).append(verdict)
    return {series: sorted(verdicts, key=lambda verdict: -verdict.strength) for series, verdicts in alarms.items()}


def _statuses(verdicts: list[Verdict]) -> dict[SeriesKey, str]:
    """Of each series the status that says most: one ``ok`` outweighs ``learning`` and ``no_data``."""
    order = ("no_data", "learning", "ok", "drift")
    statuses: dict[SeriesKey, str] = {}
    for verdict in verdicts:
        statuses[verdict.series] = max(statuses.get(verdict.series, "no_data"), verdict.status, key=order.index)
    return statuses


def _by_name(verdict: Verdict) -> tuple[str, ...]:
    return verdict.signal, verdict.segment, verdict.version, verdict.detector


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
