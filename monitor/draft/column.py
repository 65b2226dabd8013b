"""What there is to know of the values of one field."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from monitor.values import digits_of

__all__ = ["Column", "as_number", "short"]

LONGEST_SHOWN = 24
MOST_SHOWN = 4


class Column:
    """The values of one field, None where a row has none.

    Parameters
    ----------
    path : str
    values : sequence
    """

    def __init__(self, path: str, values: Sequence[Any]) -> None:
        self.path = path
        self.values = values

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]

    @cached_property
    def present(self) -> list[Any]:
        """The values of rows that have one."""
        return [value for value in self.values if value is not None]

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many values are a ``number``, a ``text``, a ``flag`` (true or false) or a ``list``."""
        return Counter(map(_kind_of, self.present))

    @cached_property
    def numbers(self) -> list[float]:
        """The values that are finite numbers."""
        numbers = [as_number(value) for value in self.present if _kind_of(value) == "number"]
        return [number for number in numbers if math.isfinite(number)]

    @cached_property
    def texts(self) -> list[str]:
        """The values that are texts."""
        return [value for value in self.present if isinstance(value, str)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value is there, as a category is named; lists are not counted."""
        return Counter(_as_category(value) for value in self.present if not isinstance(value, list))

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(self.counts)

    @property
    def is_whole(self) -> bool:
        """Whether all its numbers are whole, if it has any."""
        return bool(self.numbers) and all(float(number).is_integer() for number in self.numbers)

    @property
    def is_counting(self) -> bool:
        """Whether each number is one more than that before it: rows that are numbered."""
        numbers = self.numbers
        return (
            len(numbers) == len(self.values) > 2
            and self.is_whole
            and all(number == previous + 1 for previous, number in itertools.pairwise(numbers))
        )

    def main_kind(self) -> tuple[str, int]:
        """Return the kind that most values are of, and how many are of another one."""
        kind, count = self.kinds.most_common(1)[0]
        return kind, len(self.present) - count

    def shown(self) -> str:
        """Return what its values are like, in a few words."""
        absent = len(self.values) - len(self.present)
        parts = [_range(self.numbers) if self.main_kind()[0] == "number" else self._names()]
        if absent:
            parts.append(f"{_percent(absent / len(self.values))} missing")
        return "; ".join(filter(None, parts))

    def _names(self) -> str:
        names = [short(name) for name, _ in self.counts.most_common(MOST_SHOWN)]
        others = self.distinct - len(names)
        return ", ".join(names) + (f" and {others:,} more" if others > 0 else "")


def short(text: str) -> str:
    r"""Return a text that fits into a comment.

    Examples
    --------
    >>> short("DE"), short("a" * 40), short("a\nb")
    ('DE', 'aaaaaaaaaaaaaaaaaaaaaaa…', 'a b')
    """
    plain = "".join(each if each.isprintable() else " " for each in text)
    return plain if len(plain) <= LONGEST_SHOWN else plain[: LONGEST_SHOWN - 1] + "…"


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list"


def as_number(value: Any) -> float:
    """Return a number of JSON, which may be a whole one that no float holds."""
    try:
        return value if isinstance(value, float) or abs(value) < 1 << 53 else float(value)
    except OverflowError:
        return math.inf


def _as_category(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    digits = digits_of(value) if isinstance(value, float) else None
    return str(value) if digits is None else digits


def _range(numbers: Sequence[float]) -> str:
    return f"{min(numbers):.6g} … {max(numbers):.6g}" if numbers else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
