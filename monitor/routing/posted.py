"""Alerts from elsewhere, as Alertmanager's API takes them: what is valid, and how what is posted again is merged.

Whoever posts an alert says when it is over, or posts it again and again while it fires: one that comes without an end
is over when it has not come again for `resolve_timeout`. The rules are those of Alertmanager 0.28: of an alert that is
posted again the spans that overlap are one, the earlier start counts, and of two ends the later that was stated.

Alerts of Leeway's own cannot be posted: the labels by which they are known are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from monitor.alerts import own
from monitor.alerts.alert_log import ESTIMATOR, FRESHNESS, ROLLOUT
from monitor.alerts.lifecycle import ALERT_NAME
from monitor.routing.routed_alert import RoutedAlert
from sinks.receivers.contract import fingerprint
from sinks.receivers.times import OUTSIDE, lies_within

__all__ = ["FORGET_MS", "OWN_NAMES", "Post", "Posted", "posted", "why_refused"]

OWN_NAMES = own.NAMES | {ALERT_NAME, FRESHNESS, ROLLOUT, ESTIMATOR, "LeewaySilence"}
"""Values of `alertname` that only Leeway's own alerts have."""

FORGET_MS = 1_800_000
"""An alert that has been over for so long is not merged with one that is posted."""


@dataclass(frozen=True)
class Posted:
    """An alert that was posted.

    Parameters
    ----------
    labels, annotations : mapping of str to str
    starts_ms, ends_ms : int
    updated_ms : int
        When it was posted last.
    has_timeout : bool
        Whether its end was not stated.
    link : str

    Examples
    --------
    >>> first = Posted({"alertname": "Disk"}, {}, 10, 100, 10, has_timeout=True)
    >>> again = Posted({"alertname": "Disk"}, {}, 50, 140, 50, has_timeout=True)
    >>> merged = again.after(first)
    >>> merged.starts_ms, merged.ends_ms
    (10, 140)
    >>> over = Posted({"alertname": "Disk"}, {}, 10, 60, 60)
    >>> over.after(merged).ends_ms
    60
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ms: int
    ends_ms: int
    updated_ms: int
    has_timeout: bool = False
    link: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """The identity of the labels."""
        return fingerprint(self.labels)

    @property
    def routed(self) -> RoutedAlert:
        """The alert as routes see it."""
        alert = RoutedAlert(self.labels, self.starts_ms, self.ends_ms, self.annotations, self.updated_ms, self.link)
        vars(alert)["fingerprint"] = self.fingerprint
        return alert

    def fires(self, now_ms: int) -> bool:
        """Whether it is not over."""
        return self.ends_ms > now_ms

    def after(self, former: Posted | None) -> Posted:
        """Return what is known when this is posted after ``before``, which has the same labels."""
        if former is None or former.ends_ms + FORGET_MS <= self.updated_ms or not self._overlaps(former):
            return self
        ends_ms, now_ms = self.ends_ms, self.updated_ms
        later = former.ends_ms > self.ends_ms
        takes_later = not former.fires(now_ms) if not self.fires(now_ms) else not former.has_timeout
        if later and takes_later:
            ends_ms = former.ends_ms
        return replace(self, starts_ms=min(self.starts_ms, former.starts_ms), ends_ms=ends_ms)

    def _overlaps(self, former: Posted) -> bool:
        ends_within = former.starts_ms < self.ends_ms < former.ends_ms
        return ends_within or former.starts_ms < self.starts_ms < former.ends_ms


@dataclass(frozen=True)
class Post:
    """What somebody posts; None where nothing is said."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_ms: int | None = None
    ends_ms: int | None = None
    link: str = ""


def posted(fields: Post, now_ms: int, resolve_timeout_ms: int) -> Posted:
    """Return an alert as it is when it is posted at a time; labels without a value are left out.

    Examples
    --------
    >>> alert = posted(Post({"alertname": "Disk", "team": ""}), 1_000, 300_000)
    >>> dict(alert.labels), alert.starts_ms, alert.ends_ms, alert.has_timeout
    ({'alertname': 'Disk'}, 1000, 301000, True)
    """
    starts_ms = fields.starts_ms
    if starts_ms is None:
        starts_ms = now_ms if fields.ends_ms is None else fields.ends_ms
    return Posted(
        {name: value for name, value in fields.labels.items() if value},
        dict(fields.annotations),
        starts_ms,
        now_ms + resolve_timeout_ms if fields.ends_ms is None else fields.ends_ms,
        now_ms,
        fields.ends_ms is None,
        fields.link,
    )


def why_refused(alert: Posted) -> str:
    """Say why an alert is not taken; empty if it is.

    Examples
    --------
    >>> why_refused(Posted({"alertname": "LeewayDrift"}, {}, 0, 1, 0))
    "alerts named 'LeewayDrift' are Leeway's own, and cannot be posted"
    """
    name = alert.labels.get("alertname", "")
    for is_wrong, why in (
        (not (lies_within(alert.starts_ms) and lies_within(alert.ends_ms)), OUTSIDE),
        (alert.ends_ms < alert.starts_ms, "start time must be before end time"),
        (not alert.labels, "at least one label pair required"),
        ("" in alert.labels, 'invalid label set: invalid name ""'),
        ("" in alert.annotations, 'invalid annotations: invalid name ""'),
        ("alert_id" in alert.labels, "the label 'alert_id' is of Leeway's own alerts, and cannot be posted"),
        (name in OWN_NAMES, f"alerts named {name!r} are Leeway's own, and cannot be posted"),
    ):
        if is_wrong:
            return why
    return ""
