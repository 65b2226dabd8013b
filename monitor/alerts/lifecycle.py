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
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from monitor.alerts.live import Group, Live
from monitor.alerts.member import Member, by_name, new_version_of
from monitor.alerts.policy import SEVERITIES, AlertPolicy
from monitor.alerts.recurrence import OFTEN, LocalTime, PastSpells, Spell
from monitor.alerts.titles import title
from monitor.alerts.transition import State, Transition, as_json
from monitor.alerts.verdict import NewVersion, Verdict
from monitor.events import SeriesKey

__all__ = ["ALERT_NAME", "Lifecycle"]

ALERT_NAME = "LeewayDrift"


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
        self._past = PastSpells(LocalTime(policy.time_zone, window_ms), policy.holidays)

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
        ordered = sorted(verdicts, key=by_name)
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
            relative = self._alert_of_relative(series, new_version_of(alarms[series]))
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
            relative = self._alert_of_relative(series, new_version_of(new[series])) if often else None
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
        identity = as_json([self._model, list(group), at_ms, sorted(new)])
        alert_id = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
        top = min(new.values(), key=lambda v: (-v.strength, by_name(v)))
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
