"""What a receiver promises. Read this page first.

A receiver notifies people, or the system that pages them, of the alerts of one group. ``send`` tries once and returns
the outcome; it never sleeps, never retries and never raises for anything that the other side or the network did. The
caller owns retries, their log and the guarantee: at least once, with ``group_key`` as the key by which the other side
recognises repetitions. ``close`` releases connections and promises nothing about what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = [
    "Alert",
    "Delivered",
    "LinkedPicture",
    "Notification",
    "Outcome",
    "Picture",
    "Receiver",
    "Refused",
    "Retry",
    "common",
    "fingerprint",
]

Status = Literal["firing", "resolved"]

GRAVITIES = {"info": 0, "warning": 1, "error": 2, "critical": 3}

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the identity of a label set as Alertmanager computes it.

    FNV-1a with 64 bits (G. Fowler, L. C. Noll, K.-P. Vo, *The FNV Non-Cryptographic Hash Algorithm*, RFC 9923) over
    every ``name 0xff value 0xff``, sorted by name.

    Examples
    --------
    >>> fingerprint({})
    'cbf29ce484222325'
    >>> fingerprint({"model": "flights", "alertname": "LeewayDrift"}) == fingerprint(
    ...     {"alertname": "LeewayDrift", "model": "flights"}
    ... )
    True
    """
    hashed = FNV_OFFSET
    for name in sorted(labels):
        for byte in b"%s\xff%s\xff" % (name.encode(), labels[name].encode()):
            hashed = (hashed ^ byte) * FNV_PRIME % 2**64
    return f"{hashed:016x}"


@dataclass(frozen=True)
class Alert:
    """One alert of a notification.

    Attributes
    ----------
    status : {"firing", "resolved"}
    labels, annotations : mapping of str to str
        What identifies the alert, and what there is to say about it.
    starts_at_ms : int
    ends_at_ms : int
        Only meaningful once the alert is resolved.
    generator_url : str
        Where to read more.
    expires_at_ms : int
        When a firing alert is over that is not repeated; 0: it fires until it is resolved.
    """

    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at_ms: int
    ends_at_ms: int = 0
    generator_url: str = ""
    expires_at_ms: int = 0

    @property
    def fingerprint(self) -> str:
        """The identity of the labels, 16 hexadecimal digits."""
        return fingerprint(self.labels)


def _gravity(alert: Alert) -> int:
    """Return how grave an alert is; one of a severity that is not ours counts as a warning."""
    return GRAVITIES.get(alert.labels.get("severity", ""), GRAVITIES["warning"])


@dataclass(frozen=True)
class Notification:
    """What a receiver passes on.

    Attributes
    ----------
    receiver : str
    group_key : str
        The same for all notifications about the same alerts: the other side's deduplication key.
    group_labels : mapping of str to str
        What the alerts of the group have in common by definition.
    alerts : tuple of Alert
        At least one, but in a summary.
    external_url : str
        Where Leeway's own pages are.
    unchanged : int
        How many other alerts of the group are firing, unchanged since the last notification, and are left out.
    title, text : str
        Of a summary: what people read, in place of the receiver's own words.
    at_ms : int
        When it was decided to notify; of a summary the time that it is of.
    after_ms : int
        When the receiver took the last one about the group; 0 if it took none. It is the same at all tries, and another
        one at the next notification.
    """

    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    external_url: str = ""
    unchanged: int = 0
    title: str = ""
    text: str = ""
    at_ms: int = 0
    after_ms: int = 0

    @property
    def by_gravity(self) -> list[Alert]:
        """The alerts, those that fire first, and of these the gravest: titles and links are about the first one."""
        return sorted(self.alerts, key=lambda alert: (alert.status != "firing", -_gravity(alert)))

    @property
    def status(self) -> Status:
        """``firing`` while one of the group's alerts is."""
        return "firing" if self.unchanged or any(alert.status == "firing" for alert in self.alerts) else "resolved"


@dataclass(frozen=True)
class Picture:
    """A chart of what moved, for channels that can show one.

    Attributes
    ----------
    caption : str
        What it shows, for whoever does not see it too.
    png : bytes
    """

    caption: str
    png: bytes


@dataclass(frozen=True)
class LinkedPicture:
    """A chart of what moved, where it can be seen: for channels that show pictures from addresses alone.

    Attributes
    ----------
    caption : str
        What it shows, for whoever does not see it too.
    url : str
    """

    caption: str
    url: str


def common(mappings: tuple[Mapping[str, str], ...]) -> dict[str, str]:
    """Return the entries that all ``mappings`` share; none if there are none.

    Examples
    --------
    >>> common(({"model": "a", "severity": "info"}, {"model": "a", "severity": "critical"}))
    {'model': 'a'}
    """
    first, *others = mappings or ({},)
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


@dataclass(frozen=True)
class Delivered:
    """The other side has it.

    Attributes
    ----------
    reason : str
        Why it has no pictures, or not all, if some were to go with it; for people, and holds no secret.
    """

    reason: str = ""


@dataclass(frozen=True)
class Retry:
    """Not this time; the same notification may be delivered later.

    Attributes
    ----------
    reason : str
        For people; holds no secret.
    after_s : float or None
        How long the other side asks to wait, if it does.
    may_have_it : bool
        Whether the other side may have the notification all the same, as when no answer came.
    until_ms : int or None
        Until when the other side asks to wait, if it names a time and does not say what time it has.
    """

    reason: str
    after_s: float | None = None
    may_have_it: bool = False
    until_ms: int | None = None


@dataclass(frozen=True)
class Refused:
    """Never: the other side will not take this notification, however often it is sent.

    Attributes
    ----------
    reason : str
        For people; holds no secret.
    """

    reason: str


Outcome = Delivered | Retry | Refused


class Receiver(Protocol):
    """Where notifications go.

    A class that :data:`sinks.receivers.RECEIVERS` lists names the class of its parameters as ``Parameters``, and is
    built from them: ``Slack(SlackParameters(…))``.
    """

    @property
    def name(self) -> str:
        """Unique in the service; part of the key of the notification log."""
        ...

    @property
    def send_resolved(self) -> bool:
        """Whether resolved alerts are notified too."""
        ...

    def send(self, notification: Notification) -> Outcome:
        """Try once. May block for as long as the receiver's time-out; called by one thread at a time."""
        ...

    def close(self) -> None:
        """Release connections; a notification whose ``send`` did not return may or may not have arrived."""
        ...
