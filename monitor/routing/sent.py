"""What a receiver was notified of last in a group, and whether it is notified again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import xxhash

from monitor.routing.routed_alert import RoutedAlert

__all__ = ["Content", "Sent", "digest", "perhaps", "why_notified"]


def digest(group_key: str) -> str:
    """Return what stands for a group's key where label values have no place."""
    return xxhash.xxh3_64_hexdigest(group_key.encode())


@dataclass(frozen=True)
class Content:
    """What a look at a group leaves to be notified.

    Attributes
    ----------
    firing, resolved : frozenset of str
        Fingerprints.
    flapping : frozenset of str
        Those of `firing` that are held.
    changed : frozenset of (str, int)
        Those of `firing`, with the times of the transitions at which they stand, where each is notified
        (`every_change`).
    """

    firing: frozenset[str]
    resolved: frozenset[str]
    flapping: frozenset[str] = frozenset()
    changed: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True)
class Sent:
    """The last notification of a group that a receiver took.

    Attributes
    ----------
    at_ms : int
    firing, resolved : frozenset of str
        Fingerprints of the alerts that it held.
    open_ends : frozenset of str
        Those that it did not hold, of which the receiver believes that they fire, or may do so: something kept them
        quiet (only where the route has `late_ends`), or nobody knows whether they reached it.
    flapping : frozenset of str
        Those of `firing` of which it was said that they flap.
    stood_at : frozenset of (str, int)
        The alerts, with the times of the transitions at which they stood. None unless the route has `only_changes` or
        `every_change`.
    since : frozenset of (str, int)
        Since when the route's receiver knows those of `firing`. None where the route has no `escalate`.
    read_ms : int or None
        When it was read from the store; None if it was not.
    """

    at_ms: int
    firing: frozenset[str]
    resolved: frozenset[str]
    open_ends: frozenset[str] = frozenset()
    flapping: frozenset[str] = frozenset()
    stood_at: frozenset[tuple[str, int]] = frozenset()
    since: frozenset[tuple[str, int]] = frozenset()
    read_ms: int | None = None

    def taken_ms(self, now_ms: int) -> int:
        """When the receiver took it. What lies ahead by the clock as it is counts as of when it was read.

        Either clock may be the wrong one: `at_ms` stays as it is, and counts again once it lies behind.

        Examples
        --------
        >>> sent = Sent(100, frozenset("a"), frozenset(), read_ms=20)
        >>> sent.taken_ms(30), sent.taken_ms(130)
        (20, 100)
        """
        return self.at_ms if self.at_ms <= now_ms or self.read_ms is None else self.read_ms

    def knows(self, alert: RoutedAlert, now_ms: int) -> bool:
        """Whether the receiver knows an alert as it is."""
        name = alert.fingerprint
        if alert.is_over(now_ms):
            return name in self.resolved
        if alert.flaps or name in self.flapping:
            return alert.flaps != "" and name in self.flapping
        return name in self.firing and (name, alert.dated_ms) in self.stood_at

    def is_past(self, alert: RoutedAlert) -> bool:
        """Whether the receiver took a later transition of an alert, or this one, which is its end."""
        name, is_over = alert.fingerprint, alert.is_over(alert.updated_ms)
        taken, stands = (dict(self.stood_at).get(name, -1), name in self.resolved), (alert.dated_ms, is_over)
        return taken > stands or (is_over and taken == stands)

    @property
    def believed(self) -> frozenset[str]:
        """What the receiver believes to fire."""
        return self.firing | self.open_ends


def perhaps(sent: Sent | None, firing: frozenset[str]) -> Sent:
    """Return what is known of a receiver that may have been notified that `firing` fire, or may not.

    It is notified that they fire, since it may not know; and that they are resolved, since it may.

    Examples
    --------
    >>> nothing, maybe = frozenset(), perhaps(Sent(0, frozenset("a"), frozenset()), frozenset("ab"))
    >>> why_notified(maybe, Content(frozenset("ab"), nothing), 1, repeat_ms=10, send_resolved=True)
    (True, 'alerts fire that were not notified: 1')
    >>> maybe, over = perhaps(None, frozenset("b")), Content(nothing, frozenset("b"))
    >>> why_notified(maybe, over, 1, repeat_ms=10, send_resolved=True)
    (True, 'alerts are over: 1')
    """
    former = sent or Sent(0, frozenset(), frozenset())
    return replace(former, open_ends=former.open_ends | (firing - former.firing))


def why_notified(
    sent: Sent | None, content: Content, now_ms: int, *, repeat_ms: int, send_resolved: bool
) -> tuple[bool, str]:
    """Decide whether a receiver is notified of a group again, as Alertmanager does, which knows no open ends.

    Parameters
    ----------
    last : Sent or None
    content : Content
        What the group holds now that is not muted.
    now_ms : int
    repeat_ms : int
        The route's `repeat_interval`.
    send_resolved : bool
        Whether the receiver wants to know of ends.

    Examples
    --------
    >>> fires = Content(frozenset("a"), frozenset())
    >>> why_notified(None, fires, 0, repeat_ms=10, send_resolved=True)
    (True, 'it was never notified')
    >>> why_notified(Sent(0, fires.firing, fires.resolved), fires, 10, repeat_ms=10, send_resolved=True)
    (False, 'nothing is new, and it was notified 10 ms ago')
    """
    if sent is None:
        return (True, "it was never notified") if content.firing else (False, "it was never notified that these fired")
    if news := _news(sent, content, send_resolved=send_resolved):
        return True, news
    if not content.firing:
        detail = "it was notified that all are over" if sent.resolved else "it was never notified that these fired"
        return (True, "all are over") if sent.firing else (False, detail)
    since_ms = now_ms - sent.taken_ms(now_ms)
    if since_ms > repeat_ms:
        return True, f"nothing is new; it was notified {since_ms} ms ago, and is notified again every {repeat_ms} ms"
    return False, f"nothing is new, and it was notified {since_ms} ms ago"


def _news(sent: Sent, content: Content, *, send_resolved: bool) -> str:
    """Return what single alerts have done since; empty if nothing."""
    firing, resolved, flapping = content.firing, content.resolved, content.flapping
    if not firing <= sent.firing:
        return f"alerts fire that were not notified: {len(firing - sent.firing)}"
    if not flapping <= sent.flapping:
        return f"alerts flap: {len(flapping - sent.flapping)}"
    if steady := sent.flapping & firing - flapping:
        return f"alerts that flapped fire steadily: {len(steady)}"
    if changed := content.changed - sent.stood_at:
        return f"alerts have changed: {len(changed)}"
    if send_resolved and (resolved & sent.open_ends or (firing and not resolved <= sent.resolved)):
        return f"alerts are over: {len(resolved - sent.resolved)}"
    return ""
