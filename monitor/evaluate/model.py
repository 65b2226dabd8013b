"""All series of a model: panes in, verdicts out, and from these the life of its alerts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from monitor.alerts.conditions import meet
from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.policy import AlertPolicy
from monitor.alerts.transition import Transition
from monitor.config.model import Alerts
from monitor.evaluate.admitted_versions import AdmittedVersions
from monitor.evaluate.change import Changes
from monitor.evaluate.kinds import KINDS
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.verdict_columns import Verdicts
from monitor.events import SeriesKey
from monitor.panes.reading import PaneRows
from monitor.watch import Watch
from sinks.store.batch import Rows, joined

__all__ = ["ModelSeries", "follow", "lifecycle_of", "policy_of"]


class ModelSeries:
    """The series of a model, of every kind.

    Parameters
    ----------
    watch : Watch
    shown : sequence of str or None
        Signals whose scores somebody will look at, rather than only at what alarms; all if None.

    Attributes
    ----------
    versions : AdmittedVersions
    pinned : PinnedPeriod or None
        The baseline of all of them, if it is a period.
    """

    def __init__(self, watch: Watch, shown: Sequence[str] | None = None) -> None:
        self.pinned = PinnedPeriod.of(watch)
        self._kinds = {name: kind(watch, shown, self.pinned) for name, kind in KINDS.items()}
        self.versions = AdmittedVersions(watch)
        self._expectations: list[Rows] = []

    def decide(self, marks: Sequence[Mark]) -> None:
        """Take in what people said, before the windows in which it takes effect; each time all of it."""
        for kind in self._kinds.values():
            kind.decide(marks)

    def advance(self, panes: PaneRows, ends_ms: range) -> list[Verdicts]:
        """Return the verdicts on the windows that end at ``ends_ms``, in order, and learn from them.

        Parameters
        ----------
        panes : PaneRows
            All panes from the first window's start to the last one's end, of all series or of some.
        ends_ms : range
            Later than at every call before.

        Returns
        -------
        list of Verdicts
                Kind after kind, series in the order of their keys; those before versions made room come first.
        """
        changes = self._kinds["changes"]
        assert isinstance(changes, Changes)
        verdicts: list[Verdicts] = []
        self._expectations = []
        for stint in self.versions.stints(panes, ends_ms):
            if self.pinned is not None:
                self.pinned.take(stint.panes, stint.ends_ms)
            for kind in self._kinds.values():
                kind.forget(stint.gone)
                verdicts += kind.advance(stint.panes, stint.ends_ms)
            self._expectations.append(changes.expectations())
        return verdicts

    def expectations(self) -> Rows:
        """Return what was expected of the days that began in the windows of the last call: rows of ``expectations``."""
        return joined(self._expectations)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        of_kinds = {name: kind.snapshot() for name, kind in self._kinds.items()}
        of_period = {} if self.pinned is None else {"period": self.pinned.span(), "pinned": self.pinned.snapshot()}
        return {"versions": self.versions.snapshot(), **of_period, **of_kinds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot; a kind that it lacks begins with its first pane."""
        if self.pinned is not None:
            self.pinned.restore(state["period"], state["pinned"])
        for name, kind in self._kinds.items():
            kind.restore(state.get(name, ()))
        if "versions" in state:
            self.versions.restore(state["versions"])
        else:
            self.versions.adopt(version for kind in self._kinds.values() for version in kind.versions())


def policy_of(alerts: Alerts, window_ms: int, time_zone: str = "UTC", holidays: Collection[date] = ()) -> AlertPolicy:
    """Return what a configuration says about alerts, with two windows for a `join_within` that it leaves open."""
    return AlertPolicy(
        severity={
            severity: [patterns] if isinstance(patterns, str) else patterns
            for severity, patterns in alerts.severity.items()
        },
        group_by=alerts.group_by,
        for_ms=alerts.for_ms,
        resolve_after_ms=alerts.resolve_after,
        join_within_ms=2 * window_ms if alerts.join_within is None else alerts.join_within,
        time_zone=time_zone,
        holidays=holidays,
    )


def lifecycle_of(watch: Watch) -> Lifecycle:
    """Return the life of a model's alerts, before its first window."""
    metadata, spec = watch.model.metadata, watch.model.spec
    window_ms = spec.detect.defaults.window
    policy = policy_of(spec.alerts, window_ms, spec.detect.time_zone, spec.detect.holidays)
    return Lifecycle(metadata.name, metadata.namespace, metadata.labels, policy, window_ms)


def follow(
    lifecycle: Lifecycle,
    verdicts: Sequence[Verdicts],
    ends_ms: Iterable[int],
    is_muted: Callable[[str, int], bool] = lambda signal, end_ms: False,
) -> list[Transition]:
    """Lead alerts through windows.

    Parameters
    ----------
    lifecycle : Lifecycle
    verdicts : sequence of Verdicts
        Of all series; those of one series in the order of their windows.
    ends_ms : iterable of int
        Ends of the windows, those without panes too.
    is_muted : callable
        Says whether a signal does not alarm in the window that ends then.
    """
    drifting: dict[int, list[Verdicts]] = {}
    by_series: dict[SeriesKey, list[Verdicts]] = {}
    accepted: dict[int, set[SeriesKey]] = {}
    for of_series in verdicts:
        by_series.setdefault(of_series.key, []).append(of_series)
        for end_ms in of_series.new_normals:
            accepted.setdefault(end_ms, set()).add(of_series.key)
        for end_ms in (end_ms for end_ms in of_series.drifts if not is_muted(of_series.key[2], end_ms)):
            drifting.setdefault(end_ms, []).append(of_series)
    serving = _serving(verdicts)
    transitions: list[Transition] = []
    for end_ms in ends_ms:
        of_window = [verdict for of_series in drifting.get(end_ms, ()) for verdict in of_series.drifts[end_ms]]
        # Of the others only the series of live alerts are asked for their status, and those that people accepted.
        for key in sorted(
            lifecycle.members() - {verdict.series for verdict in of_window} | accepted.get(end_ms, set())
        ):
            of_window += [verdict for of_series in by_series.get(key, ()) for verdict in of_series.standing(end_ms)]
        versions = {version for version, windows_ms in serving.items() if end_ms in windows_ms}
        transitions += lifecycle.step(end_ms, meet(of_window), versions)
    return transitions


def _serving(verdicts: Sequence[Verdicts]) -> dict[str, set[int]]:
    """Return the ends of windows in which each version had events; nothing where there is one version alone."""
    of_traffic = [of_series for of_series in verdicts if of_series.key[0] and not of_series.key[1]]
    serving: dict[str, set[int]] = {of_series.key[0]: set() for of_series in of_traffic}
    for of_series in of_traffic if len(serving) > 1 else ():
        serving[of_series.key[0]].update(of_series.ends_ms[of_series.n > 0].tolist())
    return serving
