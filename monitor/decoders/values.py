"""What one value of a JSON document means as a number, a category or a text.

Each function returns the value and a reason, empty where nothing is wrong; the reasons are those of
``docs/dead-letters.md``. They are the definition: the fast path of the decoder must agree with them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.performance.ranked_items import MAX_ITEMS
from detectors.sketch.category import INVALID
from monitor.values import digits_of

__all__ = [
    "MAX_GRADE",
    "MAX_NAME",
    "MAX_RANKING_BYTES",
    "Cell",
    "NotAnObject",
    "category",
    "display",
    "number",
    "ranking",
    "relevant",
    "text",
    "vector",
]

MAX_NAME = 256
"""The longest category or version, in characters."""

MAX_RANKING_BYTES = 16_384
"""The longest ranking, and the most that are relevant, as JSON."""

MAX_GRADE = 1e6

_SHOWN = 80
_FRACTION = 40


@dataclass(frozen=True, slots=True)
class NotAnObject:
    """Stands for a field whose parent is there, but is not an object that could hold it."""

    parent: object


class Cell(str):
    """A value of a format that knows no types: a text, and a number where one is wanted.

    Examples
    --------
    >>> [Cell(text).parsed() for text in ("007", "1.5", "-1e3", "True", "1_0", "")]
    [7, 1.5, -1000.0, True, '1_0', '']
    """

    __slots__ = ()

    def parsed(self) -> object:
        """The number or truth that is written; the text itself where it is none."""
        if self.lower() in {"true", "false"}:
            return self.lower() == "true"
        if not self.isascii() or "_" in self:
            return str(self)
        for read in (int, float):
            try:
                return read(self)
            except ValueError:  # the next reader, or the text
                continue
        return str(self)

    def fraction(self) -> float | None:
        """The number that is written, if it is short and not a whole one.

        Examples
        --------
        >>> Cell("1.7e9").fraction(), Cell("17").fraction(), Cell("x").fraction()
        (1700000000.0, None, None)
        """
        parsed = self.parsed() if len(self) <= _FRACTION else None
        return parsed if isinstance(parsed, float) else None


def number(value: object) -> tuple[float, str]:
    """Return a finite number; NaN for a missing value; +inf, with the reason, for an unusable one.

    Examples
    --------
    >>> number(True), number(None), number("12")
    ((1.0, ''), (nan, ''), (inf, 'wrong_type'))
    """
    if value is None:
        return math.nan, ""
    if isinstance(value, Cell):
        value = value.parsed()
    if not isinstance(value, (bool, int, float)):
        return math.inf, "wrong_type"
    try:
        x = float(value)
    except OverflowError:
        return math.inf, "not_finite"
    return (x, "") if math.isfinite(x) else (math.inf, "not_finite")


def vector(value: object, dimension: int) -> tuple[NDArray[np.float64] | float, str]:
    """Return finite numbers; NaN for a missing value; +inf, with the reason, for an unusable one.

    Examples
    --------
    >>> vector([1, 0.5], 2)
    (array([1. , 0.5]), '')
    >>> vector(None, 2), vector([1.0], 2), vector([1.0, None], 2), vector([1.0, float("nan")], 2)
    ((nan, ''), (inf, 'wrong_length'), (inf, 'wrong_type'), (inf, 'not_finite'))
    """
    if value is None:
        return math.nan, ""
    if not isinstance(value, list) or not {float, int}.issuperset(map(type, value)):
        return math.inf, "wrong_type"
    if len(value) != dimension:
        return math.inf, "wrong_length"
    try:
        numbers = np.array(value, dtype=np.float64)
    except OverflowError:
        return math.inf, "not_finite"
    return (numbers, "") if np.isfinite(numbers).all() else (math.inf, "not_finite")


def category(value: object) -> tuple[object, str]:
    """Return a name; None for a missing value; ``INVALID``, with the reason, for an unusable one.

    Examples
    --------
    >>> category("DE"), category(7), category(7.0), category(True), category(1.5)
    (('DE', ''), ('7', ''), ('7', ''), ('true', ''), (INVALID, 'wrong_type'))
    """
    if value is None:
        return None, ""
    if isinstance(value, bool):
        return "true" if value else "false", ""
    name, reason = text(value)
    if not reason and len(name) > MAX_NAME:
        reason = "too_long"
    return (INVALID, reason) if reason else (name, "")


def ranking(value: object) -> tuple[str | None, str]:
    """Return an ordered list of names as JSON; None for a missing value and, with the reason, for an unusable one.

    Examples
    --------
    >>> ranking(["b", 7]), ranking([]), ranking(None), ranking("b"), ranking([["b"]])
    (('["b","7"]', ''), ('[]', ''), (None, ''), (None, 'wrong_type'), (None, 'wrong_type'))
    """
    if value is None:
        return None, ""
    names, reason = _names_of(value)
    return _written(names, reason) if isinstance(value, list) else (None, "wrong_type")


def relevant(value: object) -> tuple[object, str]:
    """Return what is relevant as a JSON object of grades by name; None and ``INVALID`` as :func:`category` does.

    Names without grades have the grade 1. One that comes twice counts once; as keys of an object, its last grade does.

    Examples
    --------
    >>> relevant(["b", "a", "b"]), relevant({"b": 2, "a": 0.5})
    (('{"a":1.0,"b":1.0}', ''), ('{"a":0.5,"b":2.0}', ''))
    >>> relevant([]), relevant({"a": -1}), relevant("a")
    (('{}', ''), (INVALID, 'wrong_type'), (INVALID, 'wrong_type'))
    """
    if value is None:
        return None, ""
    names, reason = _names_of(value)
    grades = [1.0] * len(names)
    if isinstance(value, dict) and not reason:
        grades = [number(grade)[0] for grade in value.values()]
        # A comparison with NaN, which stands for a missing grade, is false.
        reason = "" if all(0 <= grade <= MAX_GRADE for grade in grades) else "wrong_type"
    written, reason = _written(dict(sorted(zip(names, grades, strict=True))) if not reason else {}, reason)
    return (INVALID, reason) if reason else (written, "")


def _names_of(value: object) -> tuple[list[str], str]:
    """The names in a list, or the keys of an object, or why they are unusable."""
    if not isinstance(value, (list, dict)):
        return [], "wrong_type"
    if len(value) > MAX_ITEMS:
        return [], "too_long"
    made = [category(each) for each in value]
    reason = next((reason or "wrong_type" for name, reason in made if not isinstance(name, str)), "")
    return ([], reason) if reason else ([str(name) for name, _ in made], "")


def _written(value: object, reason: str) -> tuple[str | None, str]:
    written = "" if reason else msgspec.json.encode(value).decode()
    reason = reason or ("too_long" if len(written.encode()) > MAX_RANKING_BYTES else "")
    return (None, reason) if reason else (written, "")


def text(value: object) -> tuple[str, str]:
    """Return a text; the empty one for a missing value and, with the reason, for an unusable one.

    A whole number is one however it is written: data frames make ``3.0`` of a 3 whose column lacks values.

    Examples
    --------
    >>> text("v3"), text(3), text(3.0), text(None), text([3])
    (('v3', ''), ('3', ''), ('3', ''), ('', ''), ('', 'wrong_type'))
    """
    if value is None:
        return "", ""
    if isinstance(value, str):
        # Half of a surrogate pair is legal in JSON, but cannot be stored as UTF-8.
        return (str(value), "") if value.isascii() or _is_unicode(value) else ("", "not_unicode")
    if isinstance(value, float) and (digits := digits_of(value)) is not None:
        return digits, ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value), ""
    return "", "wrong_type"


def display(value: object) -> str:
    """Write an offending value for people, shortened.

    Examples
    --------
    >>> display(float("inf")), display(NotAnObject("x"))
    ('Infinity', 'inside "x", which is not an object')
    """
    if isinstance(value, Cell) and (fraction := value.fraction()) is not None:
        return display(fraction)
    if isinstance(value, NotAnObject):
        return f"inside {display(value.parent)}, which is not an object"
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{display(value[:_SHOWN])}… ({len(value)} characters)"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length()} bits"
    written = json.dumps(value, ensure_ascii=False)
    if not _is_unicode(written):
        written = json.dumps(value)
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…"


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
