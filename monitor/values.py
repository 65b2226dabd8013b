"""What configuration is made of: durations, lifetimes, shares, names, and records that know their keys."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "DAY_MS",
    "DurationMs",
    "Lifetime",
    "Name",
    "Share",
    "Strict",
    "format_duration",
    "parse_duration",
    "parse_lifetime",
    "parse_share",
]

DAY_MS = 86_400_000
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(value: object) -> int:
    """Return a duration in ms.

    Parameters
    ----------
    value : str
        One or more numbers with a unit: ``ms``, ``s``, ``m``, ``h``, ``d``, ``w``; ``1h30m`` is fine.

    Raises
    ------
    ValueError
        If a unit is missing or unknown, or the result is not a whole number of ms.

    Examples
    --------
    >>> parse_duration("1h30m")
    5400000
    """
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str) or not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"expected a duration with its unit, such as 30s, 5m, 1h30m or 28d, got {value!r}")
    total = sum(float(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))
    if total != int(total):
        raise ValueError(f"a duration is a whole number of ms, got {value!r}")
    return int(total)


def format_duration(duration_ms: int) -> str:
    """Write a duration as people do.

    Examples
    --------
    >>> format_duration(5_400_000), format_duration(86_400_000)
    ('1h30m', '1d')
    """
    if duration_ms == 0:
        return "0s"
    parts = []
    rest = abs(duration_ms)
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if duration_ms < 0 else "") + "".join(parts)


def parse_lifetime(value: object) -> int | None:
    """Return how long something is kept, in ms; None for ``forever``. A year, ``2y``, has 365 days.

    Raises
    ------
    ValueError
        If it is neither ``forever`` nor a duration of at least a second.

    Examples
    --------
    >>> parse_lifetime("90d"), parse_lifetime("1y"), parse_lifetime("forever")
    (7776000000, 31536000000, None)
    """
    if value is None or value == "forever":
        return None
    years = re.fullmatch(r"\s*(\d+)y\s*", value) if isinstance(value, str) else None
    duration_ms = int(years[1]) * 365 * _UNIT_MS["d"] if years else value
    duration_ms = duration_ms if type(duration_ms) is int else parse_duration(duration_ms)
    if duration_ms < 1_000 or duration_ms % 1_000:
        raise ValueError(f"rows are kept `forever` or for whole seconds, at least one, got {value!r}")
    return duration_ms


def parse_share(value: object) -> float:
    """Return a share between 0 and 1: ``true`` is all, ``false`` nothing, ``1%`` one of a hundred.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> parse_share("0.5%"), parse_share(True)
    (0.005, 1.0)
    """
    if isinstance(value, (bool, float)):
        share = float(value)
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", str(value))
        if not match:
            raise ValueError(f"expected true, false or a percentage such as 1%, got {value!r}")
        share = float(match[1]) / 100
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0% and 100%, got {value!r}")
    return share


DurationMs = Annotated[int, BeforeValidator(parse_duration)]
"""A duration, written ``5m``, held in ms."""

Lifetime = Annotated[int | None, BeforeValidator(parse_lifetime)]
"""How long rows are kept, written ``30d`` or ``forever``, held in ms or as None."""

Share = Annotated[float, BeforeValidator(parse_share)]
"""A part of the events, written ``true``, ``false`` or ``1%``, held as a number from 0 to 1."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
"""A name that is safe in an URL, a file name and a label: letters, digits, ``_ . -``."""


class Strict(BaseModel):
    """An unknown key is an error, and a loaded configuration does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
