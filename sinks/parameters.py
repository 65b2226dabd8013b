"""What parameters are made of: durations, names, and records that know their keys."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["DAY_MS", "DurationMs", "Name", "Strict", "format_duration", "parse_duration"]

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


DurationMs = Annotated[int, BeforeValidator(parse_duration)]
"""A duration, written ``5m``, held in ms."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
"""A name that is safe in an URL, a file name and a label: letters, digits, ``_ . -``."""


class Strict(BaseModel):
    """An unknown key is an error, and a loaded configuration does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
