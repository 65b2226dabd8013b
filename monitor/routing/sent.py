"""What a receiver was told last about a group, and whether it is to be told again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import xxhash

from monitor.routing.routed_alert import Told

__all__ = ["Sent", "digest", "perhaps", "why_told"]


def digest(group_key: str) -> str:
    """Return what stands for a group's key where label values have no place."""
    return xxhash.xxh3_64_hexdigest(group_key.encode())


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
        The transitions that the alerts stood at. None where the route has no `only_changes`.
    since : frozenset of (str, int)
        Since when the route's receiver is told of those of `firing`. None where the route has no `escalate`.
    """

    at_ms: int
    firing: frozenset[str]
    resolved: frozenset[str]
    open_ends: frozenset[str] = frozenset()
    flapping: frozenset[str] = frozenset()
    stood_at: frozenset[tuple[str, int]] = frozenset()
    since: frozenset[tuple[str, int]] = frozenset()

    def knows(self, alert: Told, now_ms: int) -> bool:
        """Whether the receiver knows an alert as it is."""
        name = alert.fingerprint
        if alert.is_over(now_ms):
            return name in self.resolved
        if alert.flaps or name in self.flapping:
            return alert.flaps != "" and name in self.flapping
        return name in self.firing and (name, alert.sequence) in self.stood_at

    @property
    def believed(self) -> frozenset[str]:
        """What the receiver believes to fire."""
        return self.firing | self.open_ends


def perhaps(last: Sent | None, firing: frozenset[str]) -> Sent:
    """Return what is known of a receiver that may have been told that `firing` fire, or may not.

    It is told of their beginning, since it may not know; and of their end, since it may.

    Examples
    --------
    >>> maybe = perhaps(Sent(0, frozenset("a"), frozenset()), frozenset("ab"))
    >>> why_told(maybe, frozenset("ab"), frozenset(), 1, repeat_ms=10, send_resolved=True)
    (True, 'alerts fire that were not told: 1')
    >>> why_told(perhaps(None, frozenset("b")), frozenset(), frozenset("b"), 1, repeat_ms=10, send_resolved=True)
    (True, 'alerts are over: 1')
    """
    before = last or Sent(0, frozenset(), frozenset())
    return replace(before, open_ends=before.open_ends | (firing - before.firing))


def why_told(
    last: Sent | None,
    firing: frozenset[str],
    resolved: frozenset[str],
    now_ms: int,
    *,
    repeat_ms: int,
    send_resolved: bool,
    flapping: frozenset[str] = frozenset(),
) -> tuple[bool, str]:
    """Decide whether a receiver is told about a group again, as Alertmanager does, which knows no open ends.

    Parameters
    ----------
    last : Sent or None
    firing, resolved : frozenset of str
        What the group holds now that is not muted.
    now_ms : int
    repeat_ms : int
        The route's `repeat_interval`.
    send_resolved : bool
        Whether the receiver wants to know of ends.
    flapping : frozenset of str
        What of `firing` is held, which is told once, and once more when it is over.

    Examples
    --------
    >>> fires, nothing = frozenset("a"), frozenset()
    >>> why_told(None, fires, nothing, 0, repeat_ms=10, send_resolved=True)
    (True, 'it was never told')
    >>> why_told(Sent(0, fires, nothing), fires, nothing, 10, repeat_ms=10, send_resolved=True)
    (False, 'nothing is new, and it was told 10 ms ago')
    """
    if last is None:
        return (True, "it was never told") if firing else (False, "it was never told that these fired")
    if news := _news(last, firing, resolved, flapping, send_resolved=send_resolved):
        return True, news
    if not firing:
        told = "it was told that all are over" if last.resolved else "it was never told that these fired"
        return (True, "all are over") if last.firing else (False, told)
    since_ms = now_ms - last.at_ms
    if since_ms > repeat_ms:
        return True, f"nothing is new; it was told {since_ms} ms ago, and is told again every {repeat_ms} ms"
    return False, f"nothing is new, and it was told {since_ms} ms ago"


def _news(
    last: Sent,
    firing: frozenset[str],
    resolved: frozenset[str],
    flapping: frozenset[str],
    *,
    send_resolved: bool,
) -> str:
    """Return what single alerts have done since; empty if nothing."""
    if not firing <= last.firing:
        return f"alerts fire that were not told: {len(firing - last.firing)}"
    if not flapping <= last.flapping:
        return f"alerts flap: {len(flapping - last.flapping)}"
    if steady := last.flapping & firing - flapping:
        return f"alerts that flapped fire steadily: {len(steady)}"
    if send_resolved and (resolved & last.open_ends or (firing and not resolved <= last.resolved)):
        return f"alerts are over: {len(resolved - last.resolved)}"
    return ""
