"""Times of alerts, for programs and for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["rfc3339", "utc"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_ms: int) -> str:
    """Return a time as Go writes it: UTC, and no more decimals than needed.

    Examples
    --------
    >>> rfc3339(1_360_387_800_000), rfc3339(1_360_387_800_120)
    ('2013-02-09T05:30:00Z', '2013-02-09T05:30:00.12Z')
    """
    text = (EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f"{at_ms % 1000:03d}".rstrip("0")
    return f"{text}.{decimals}Z" if decimals else f"{text}Z"


def utc(at_ms: int) -> str:
    """Return a time for people.

    Examples
    --------
    >>> utc(1_360_387_800_000)
    '2013-02-09 05:30 UTC'
    """
    at = EPOCH + timedelta(milliseconds=at_ms)
    return at.strftime("%Y-%m-%d %H:%M UTC" if at_ms % 60_000 == 0 else "%Y-%m-%d %H:%M:%S UTC")
