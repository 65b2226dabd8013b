"""Why each receiver was notified of an alert, or was not: decisions, in the table ``decisions``.

A row is written when a decision changes, not whenever a group is evaluated: an alert that is silenced all day has one
row for each receiver. The time of the evaluation is part of the key, so that a row written twice overwrites itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

import xxhash

from monitor.delivery.target import Target
from monitor.routing.groups import Flush
from monitor.routing.routed_alert import RoutedAlert
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["UNWANTED", "WHYS", "DecisionLog", "Made", "Why", "kept_quiet", "silenced_by"]

Why = Literal[
    "delivered",
    "digest",
    "refused",
    "gave_up",
    "retried",
    "known",
    "acknowledged",
    "waiting",
    "held",
    "silenced",
    "inhibited",
    "muted",
    "unwanted",
]

WHYS: dict[Why, str] = {
    "delivered": "the receiver took it",
    "digest": "it goes into the next summary",
    "refused": "the receiver will not take it",
    "gave_up": "the receiver did not take it in time",
    "retried": "the receiver has not taken it yet, and is tried again",
    "known": "the receiver need not be notified",
    "acknowledged": "all that fires is acknowledged, and not repeated",
    "waiting": "it is notified if nobody acknowledges an alert of the group in time",
    "held": "it flaps, and is notified as firing until it is steady",
    "silenced": "a silence matches the alert",
    "inhibited": "another alert inhibits it",
    "muted": "its route is muted at this time",
    "unwanted": "the receiver does not want it",
}
"""Every decision, and what it means."""

UNWANTED = "the receiver does not want ends (send_resolved: false)"
HELD = "the resolution is notified when that is over (late_ends: true)"

LOADED_AT_ONCE = 1_000

_Transition = tuple[str, int]


class Made(NamedTuple):
    """One decision about one transition of an alert, for one receiver on one route.

    Attributes
    ----------
    alert_id : str
    sequence : int
        Of the transition.
    receiver : str
        As the table ``notifications`` names it.
    route : str
        The route's id.
    at_ms : int
        When it was looked at.
    why : str
        A key of :data:`WHYS`.
    detail : str
    silence : str
        The id of the silence, if one keeps the alert quiet.
    """

    alert_id: str
    sequence: int
    receiver: str
    route: str
    at_ms: int
    why: Why
    detail: str
    silence: str = ""


class DecisionLog:
    """Writes decisions that differ from the previous ones.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store, log = MemoryStore(), DecisionLog()
    >>> for at_ms in (10, 20, 30):
    ...     log.note(Made("a", 0, "mail/0", "{}", at_ms, "silenced", "by silence s1"))
    >>> log.note(Made("a", 0, "mail/0", "{}", 40, "delivered", "it was never notified"))
    >>> log.note(Made("a", 0, "mail/0", "{}", 50, "known", "nothing is new, and it was notified 10 ms ago"))
    >>> log.write(store)
    >>> [(row["at_ms"], row["why"]) for row in rows_of(store.read(Query("decisions")))]
    [(10, 'silenced'), (40, 'delivered')]
    """

    def __init__(self) -> None:
        self._decided: dict[_Transition, dict[tuple[str, str], tuple[Why, str]]] = {}
        self._unwritten: list[Made] = []

    def load(self, store: Store, alert_ids: Collection[str]) -> None:
        """Read what was decided last about alerts, so that nothing is written twice after a start.

        Raises
        ------
        StoreError
        """
        names = sorted(alert_ids)
        for first in range(0, len(names), LOADED_AT_ONCE):
            where = {"alert_id": names[first : first + LOADED_AT_ONCE]}
            for row in rows_of(store.read(Query("decisions", where=where))):
                self._take(Made(**row))

    def note(self, made: Made) -> None:
        """Take up a decision; :meth:`write` writes it if it differs from the previous one."""
        if self._take(made):
            self._unwritten.append(made)

    def _take(self, made: Made) -> bool:
        decided = self._decided.setdefault((made.alert_id, made.sequence), {})
        entry, decision = (made.receiver, made.route), (made.why, made.detail)
        previous = decided.get(entry)
        if made.why == "known" and previous is not None and previous[0] in ("delivered", "digest", "known"):
            # Its detail says how long ago the receiver was notified, which differs at each look.
            return False
        if made.why == "retried" and previous is not None:
            # What became of the last notification says why, and a receiver that stays away fills no table.
            return False
        decided[entry] = decision
        return decision != previous or made.why == "delivered"

    def write(self, store: Store) -> None:
        """Write what is not written.

        Raises
        ------
        StoreError
        """
        if not self._unwritten:
            return
        columns = dict(zip(Made._fields, map(list, zip(*self._unwritten, strict=True)), strict=True))
        store.append("decisions", columns, f"decisions/{xxhash.xxh3_64_hexdigest(repr(self._unwritten).encode())}")
        self._unwritten.clear()

    def keep(self, alert_ids: Collection[str]) -> None:
        """Forget what nobody will decide about again: all but these alerts."""
        self._decided = {key: decided for key, decided in self._decided.items() if key[0] in alert_ids}


def kept_quiet(flush: Flush, targets: Sequence[Target]) -> Iterator[Made]:
    """Yield what a look at a group keeps from its receivers.

    What becomes of the others depends on what receivers answer.

    Parameters
    ----------
    flush : Flush
    targets : sequence of Target
        The entries of the route's receiver.
    """
    alerts = {alert.fingerprint: alert for alert in flush.alerts}
    own = {reason.fingerprint: reason for reason in flush.reasons if reason.fingerprint}
    muted = next((reason for reason in flush.reasons if reason.why == "muted"), None)
    by_target = {reason.target: reason for reason in flush.reasons if reason.target}
    route_id = flush.group.route.id

    def made(alert: RoutedAlert, target: Target, why: Why, detail: str, silence: str = "") -> Made:
        alert_id, sequence = alert.key
        return Made(alert_id, sequence, target.name, route_id, flush.at_ms, why, detail, silence)

    for fingerprint, alert in alerts.items():
        quiet = own.get(fingerprint, muted)
        for target in targets:
            if quiet is not None and quiet.why == "held" and target in flush.targets and fingerprint in flush.flapping:
                # It is what the receiver is notified of.
                continue
            if quiet is not None:
                waits = f"; {HELD}" if fingerprint in flush.held else ""
                yield made(alert, target, _QUIET[quiet.why], f"{quiet.detail}{waits}", quiet.silence)
            elif alert.is_over(flush.at_ms) and not target.send_resolved:
                yield made(alert, target, "unwanted", UNWANTED)
            elif not by_target[target.name].notify:
                reason = by_target[target.name]
                yield made(alert, target, _QUIET[reason.why], reason.detail)


_QUIET: dict[str, Why] = {
    "acknowledged": "acknowledged",
    "held": "held",
    "inhibited": "inhibited",
    "known": "known",
    "muted": "muted",
    "silenced": "silenced",
    "waiting": "waiting",
}


def looked_at(store: Store, alert_ids: Collection[str]) -> set[str]:
    """Return the alerts of which something was decided that stands: what is under way has to be decided anew.

    Raises
    ------
    StoreError
    """
    names, decided = sorted(alert_ids), set[str]()
    for first in range(0, len(names), LOADED_AT_ONCE):
        where = {"alert_id": names[first : first + LOADED_AT_ONCE]}
        rows = rows_of(store.read(Query("decisions", where=where, columns=("alert_id", "why"))))
        decided.update(row["alert_id"] for row in rows if row["why"] != "retried")
    return decided


def silenced_by(store: Store, silence_id: str, from_ms: int, to_ms: int) -> set[str]:
    """Return the alerts that a silence kept from somebody within a time, ``to_ms`` included.

    Raises
    ------
    StoreError
    """
    where, low, high = {"why": "silenced", "silence": silence_id}, {"at_ms": from_ms}, {"at_ms": to_ms + 1}
    return set(store.read(Query("decisions", where, low, high, columns=("alert_id",)))["alert_id"])
