"""Metrics that are better than before while the model answers a default: the better number is the symptom."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from detectors.performance import Estimate
from monitor.alerts.alert_log import ALERTS
from monitor.api.contract import ApiService
from monitor.api.labelled_hours import Chosen, LabelledSpan, spans
from monitor.api.standing_alerts import standing_alerts
from sinks.receivers.times import utc
from sinks.store.spans import HOUR_MS

__all__ = ["Failing", "Failures", "TooGood", "is_better"]

FORMERLY_MS = 7 * 24 * HOUR_MS
"""How far back, from when a failure began, metrics are compared with."""

Estimated = Callable[[LabelledSpan], "dict[str, Estimate]"]


class Failing(NamedTuple):
    """A prediction that alarms because one answer stands for many."""

    alert_id: str
    version: str
    segment: str
    signal: str
    answer: str
    onset_ms: int
    until_ms: float


class TooGood(NamedTuple):
    """A metric that is better than before a failure began.

    Attributes
    ----------
    failing : Failing
    former : float
        What the metric was in the week before.
    """

    failing: Failing
    former: float

    @property
    def sentence(self) -> str:
        """What people read."""
        signal = f"{self.failing.signal} [{self.failing.segment}]" if self.failing.segment else self.failing.signal
        return (
            f"too good: {self.former:.4g} before {utc(self.failing.onset_ms)}, since when {signal} answers "
            f"{self.failing.answer} too often: the better number is the symptom"
        )


@dataclass
class Failures:
    """The failures of a model within what is asked for, and what metrics were before them.

    Parameters
    ----------
    service : ApiService
    chosen : Chosen
    scheme : str
    estimated : callable
        Returns the metrics of a span.
    """

    service: ApiService
    chosen: Chosen
    scheme: str
    estimated: Estimated

    def __post_init__(self) -> None:
        self._failing = list(_failing(self.service, str(self.chosen.where["model"]), self.chosen.span))
        self._former: dict[tuple[str | None, str, int], dict[str, Estimate]] = {}

    def too_good(self, labelled: LabelledSpan, metric: str, better: str, estimate: Estimate) -> TooGood | None:
        """Return that a metric is better than it was, while a failure lasts."""
        failing = next((each for each in self._failing if _concerns(each, labelled)), None)
        if failing is None or math.isnan(estimate.low):
            return None
        former = self._before(labelled, failing.onset_ms).get(metric)
        if former is None or not is_better(better, estimate, former.value):
            return None
        return TooGood(failing, former.value)

    def _before(self, labelled: LabelledSpan, onset_ms: int) -> dict[str, Estimate]:
        key = labelled.version, labelled.segment, onset_ms // HOUR_MS * HOUR_MS
        if key not in self._former:
            where = {**self.chosen.where, "segment": labelled.segment}
            if labelled.version is not None:
                where["version"] = labelled.version
            week = replace(self.chosen, span=(key[2] - FORMERLY_MS, key[2]), step_ms=None, where=where, by=None)
            earlier = next(spans(self.service.store, week, self.scheme), None)
            self._former[key] = {} if earlier is None else self.estimated(earlier)
        return self._former[key]


def is_better(better: str, estimate: Estimate, former: float) -> bool:
    """Return whether the whole interval of a metric is better than a former value.

    Examples
    --------
    >>> is_better("higher", Estimate(0.97, 0.96, 0.98), 0.95), is_better("lower", Estimate(0.97, 0.96, 0.98), 0.95)
    (True, False)
    """
    if better == "higher":
        return estimate.low > former
    return better == "lower" and estimate.high < former


def _failing(service: ApiService, model: str, span: tuple[int, int]) -> Iterator[Failing]:
    """Yield what fails at some time in a span, the earliest first."""
    alerts = standing_alerts(service.store, [model], span, tables=[ALERTS])
    moved = [(alert, signal) for alert in alerts for signal in alert["signals"] if signal.get("failure")]
    for alert, signal in sorted(moved, key=lambda each: (each[1]["onset_ms"], each[1]["segment"])):
        of_series = {name: signal[name] for name in ("version", "segment", "signal", "answer", "onset_ms")}
        until_ms = math.inf if alert["ends_ms"] is None else alert["ends_ms"]
        yield Failing(alert["alert_id"], until_ms=until_ms, **of_series)


def _concerns(failing: Failing, labelled: LabelledSpan) -> bool:
    """Whether a failure may move a metric: one of a segment moves the whole, too, and one of the whole each segment."""
    is_of_version = labelled.version is None or failing.version in ("", labelled.version)
    is_of_segment = not failing.segment or not labelled.segment or failing.segment == labelled.segment
    overlaps = failing.onset_ms < labelled.to_ms and labelled.from_ms < failing.until_ms
    return is_of_version and is_of_segment and overlaps
