"""Which levels of an alert people have accepted: an alert itself says so only where something else happens to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monitor.api.reading import Row
from monitor.evaluate.mark_log import Mark, read_marks
from sinks.store.contract import Store

__all__ = ["accepted_levels"]

State = Literal["holds", "planned", "alarmed again"]


def accepted_levels(store: Store, alert: Row, now_ms: int) -> list[Row]:
    """Return the acceptances of what moved in an alert, in the order of its signals.

    Parameters
    ----------
    store : Store
    alert : Row
        As it stands.
    now_ms : int
        A level that is to be accepted later is planned.

    Raises
    ------
    StoreError
    """
    # A silence is of no signal.
    signals = [moved for moved in alert["signals"] if "signal" in moved]
    marks = [mark for mark in read_marks(store, alert["model"]) if mark.says in ("accepted", "adopted")]
    levels = [_accepted(moved, marks, alert["starts_ms"], now_ms) for moved in signals] if marks else []
    return [level for level in levels if level is not None]


def _accepted(moved: Row, marks: Sequence[Mark], starts_ms: int, now_ms: int) -> Row | None:
    """Return the newest acceptance of what moved, one that holds before others."""
    series = (moved.get("version", ""), moved.get("segment", ""), moved["signal"])
    since_ms = moved.get("since_ms", starts_ms)
    about = [
        mark for mark in marks if mark.is_about(series) and (not mark.effective_ms or mark.effective_ms > since_ms)
    ]
    if not about:
        return None
    states = {mark.known_as: _state(mark, moved, now_ms) for mark in about}
    newest = max(about, key=lambda mark: (states[mark.known_as] == "holds", mark.order))
    return {
        **dict(zip(("version", "segment", "signal"), series, strict=True)),
        "says": newest.says,
        "created_by": newest.created_by,
        "reason": newest.reason,
        "from_ms": newest.from_ms,
        "effective_ms": newest.effective_ms or None,
        "state": states[newest.known_as],
    }


def _state(mark: Mark, moved: Row, now_ms: int) -> State:
    if mark.from_ms > now_ms:
        return "planned"
    is_over = mark.effective_ms and mark.effective_ms <= moved.get("last_ms", 0)
    return "alarmed again" if is_over else "holds"
