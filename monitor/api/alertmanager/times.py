"""Times as Alertmanager writes them: RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["NO_TIME", "ms_of", "written"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""The zero of Go's time."""


def ms_of(at: datetime) -> int:
    """Return a time in ms since the epoch."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def written(at_ms: int) -> str:
    """Return a time as text.

    Examples
    --------
    >>> written(1_700_000_000_500)
    '2023-11-14T22:13:20.500Z'
    """
    at = EPOCH + timedelta(milliseconds=at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
