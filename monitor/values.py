"""What configuration is made of: durations, lifetimes, shares, names, and records that know their keys."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

# Receivers state their parameters in the same words, and know nothing of this package.
from sinks.parameters import DAY_MS, LONGEST_MS, DurationMs, Name, Strict, format_duration, parse_duration

__all__ = [
    "DAY_MS",
    "LONGEST_MS",
    "DurationMs",
    "FieldPath",
    "Lifetime",
    "Name",
    "Share",
    "Strict",
    "WrongPartError",
    "digits_of",
    "format_duration",
    "is_number",
    "ordinal",
    "parse_duration",
    "parse_lifetime",
    "parse_share",
]

_EXACT = 1 << 53
"""Larger floats do not say which whole number was meant."""


class WrongPartError(ValueError):
    """What is wrong with one part of a section, where it shows only beside other parts.

    Parameters
    ----------
    path : tuple of str and int
        Of the part, from the section on.
    message : str

    Examples
    --------
    >>> WrongPartError(("keep", "without", 0), "'a' is no signal").path
    ('keep', 'without', 0)
    """

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


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
    if years and float(years[1]) * 365 * DAY_MS > LONGEST_MS:
        raise ValueError("rows are kept for at most a hundred years, or `forever`")
    duration_ms = int(years[1]) * 365 * DAY_MS if years else value
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


_LifetimeAsWritten = Annotated[str, Field(pattern=r"^(forever|\s*\d+y\s*|\s*(\d+(\.\d+)?(ms|s|m|h|d|w))+\s*)$")] | None
_ShareAsWritten = bool | Annotated[str, Field(pattern=r"^\s*\d+(\.\d+)?\s*%\s*$")]

Lifetime = Annotated[int | None, BeforeValidator(parse_lifetime, json_schema_input_type=_LifetimeAsWritten)]
"""How long rows are kept, written ``30d`` or ``forever``, held in ms or as None."""

Share = Annotated[float, BeforeValidator(parse_share, json_schema_input_type=_ShareAsWritten)]
"""A part of the events, written ``true``, ``false`` or ``1%``, held as a number from 0 to 1."""


def _path(path: str) -> str:
    """Refuse what leads to no field: JSONPath, and a name that is empty."""
    if path.startswith(("$.", "$[")):
        raise ValueError(
            f"a path has no $ in front: names with dots between them, such as `features.amount`, got {path!r}"
        )
    if not path.startswith("header:") and not all(path.split(".")):
        raise ValueError(f"a path is names with dots between them, such as `features.amount`, got {path!r}")
    return path


FieldPath = Annotated[str, Field(min_length=1), AfterValidator(_path)]
"""Where a field stands in a message: dots for nesting."""


def digits_of(number: float | Decimal) -> str | None:
    """Return the digits of a whole number, however it is written; None of any other, and of what no float tells apart.

    Examples
    --------
    >>> digits_of(7.0), digits_of(Decimal("7.00")), digits_of(1.5), digits_of(1e300)
    ('7', '7', None, None)
    """
    as_float = float(number)
    return str(int(number)) if as_float.is_integer() and abs(as_float) <= _EXACT else None


def is_number(text: str) -> bool:
    """Whether a text is a number, as Python reads it.

    Examples
    --------
    >>> is_number("1e3"), is_number("1,5")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def ordinal(number: int) -> str:
    """Return a number as a place in a row.

    Examples
    --------
    >>> [ordinal(number) for number in (1, 2, 3, 11, 21, 112)]
    ['1st', '2nd', '3rd', '11th', '21st', '112th']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
