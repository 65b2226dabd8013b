"""Times of alerts, for programs and for people: every number has a text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["EPOCH", "FIRST_MS", "LAST_MS", "OUTSIDE", "lies_within", "moment", "rfc3339", "utc"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
LAST_MS = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
OUTSIDE = "times lie between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z"
"""Why a time is refused that people or programs state."""


def lies_within(at_ms: int) -> bool:
    """Whether a time has a text of its own, and may be taken from people and programs.

    Examples
    --------
    >>> lies_within(FIRST_MS), lies_within(FIRST_MS - 1), lies_within(LAST_MS + 1)
    (True, False, False)
    """
    return FIRST_MS <= at_ms <= LAST_MS


def moment(at_ms: int) -> datetime:
    """Return a time in UTC; what lies outside the years 1 to 9999 is the first or last of them.

    Examples
    --------
    >>> moment(0).year, moment(-(2**62)).year, moment(2**62).year
    (1970, 1, 9999)
    """
    return EPOCH + timedelta(milliseconds=min(max(at_ms, FIRST_MS), LAST_MS))


def rfc3339(at_ms: int) -> str:
    """Return a time as Go writes it: UTC, and no more decimals than needed.

    Examples
    --------
    >>> rfc3339(1_360_387_800_000), rfc3339(1_360_387_800_120)
    ('2013-02-09T05:30:00Z', '2013-02-09T05:30:00.12Z')
    """
    at = moment(at_ms)
    decimals = f"{at.microsecond // 1000:03d}".rstrip("0")
    # `%Y` of `strftime` leaves out the zeros of early years.
    text = at.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{text}.{decimals}Z" if decimals else f"{text}Z"


def utc(at_ms: int) -> str:
    """Return a time for people.

    Examples
    --------
    >>> utc(1_360_387_800_000)
    '2013-02-09 05:30 UTC'
    """
    timespec = "minutes" if at_ms % 60_000 == 0 else "seconds"
    return f"{moment(at_ms).replace(tzinfo=None).isoformat(' ', timespec)} UTC"
