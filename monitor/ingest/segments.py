"""To which segments of a model each event belongs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.events import Name
from monitor.watch import Segmentation

__all__ = ["SegmentColumns"]

Integers = NDArray[np.int64]


class SegmentColumns:
    """The segmentations of a model whose features one partition's events carry.

    Parameters
    ----------
    segmentations : sequence of Segmentation
    category : list of str
        The signals of the columns of a batch.

    Examples
    --------
    >>> by_country = Segmentation(("feature:country",), {("DE",): "country=DE", ("FR",): "country=FR"})
    >>> segments = SegmentColumns([by_country], ["feature:country"])
    >>> [(names, codes.tolist()) for names, codes in segments.codes([Coded.of(["FR", None, "DE", "PL"])])]
    [(['country=DE', 'country=FR'], [1, -1, 0, -1])]
    """

    def __init__(self, segmentations: Sequence[Segmentation], category: list[str]) -> None:
        self._carried = [
            (segmentation, [category.index(signal) for signal in segmentation.by])
            for segmentation in segmentations
            if set(segmentation.by) <= set(category)
        ]

    def codes(self, category: Sequence[Coded[Name]]) -> Iterator[tuple[list[str], Integers]]:
        """Yield, for each segmentation, its segments and for each event the index of its own, or -1."""
        for segmentation, columns in self._carried:
            yield list(segmentation.names.values()), _codes(segmentation, [category[column] for column in columns])


def _codes(segmentation: Segmentation, columns: list[Coded[Name]]) -> Integers:
    """Go by distinct values, of which there are few: each combination of them is a number in a mixed radix."""
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    if not segmentation.names:
        return numbers - 1
    digits: list[dict[Name, int]] = []
    for position, column in enumerate(columns):
        values = dict.fromkeys(of_names[position] for of_names in segmentation.names)
        digits.append({value: digit for digit, value in enumerate(values)})
        # One digit more, for every value that no segment has.
        of_column = np.array([digits[-1].get(name, len(values)) for name in column.names], dtype=np.int64)
        numbers = numbers * (len(values) + 1) + of_column[column.codes]
    of_segments = np.zeros(len(segmentation.names), dtype=np.int64)
    for segment, of_names in enumerate(segmentation.names):
        for digit_of, name in zip(digits, of_names, strict=True):
            of_segments[segment] = of_segments[segment] * (len(digit_of) + 1) + digit_of[name]
    # Searched for: a table of all combinations of a thousand values of three features would have a billion entries.
    order = np.argsort(of_segments)
    nearest = order[np.minimum(np.searchsorted(of_segments[order], numbers), len(order) - 1)]
    return np.where(of_segments[nearest] == numbers, nearest, -1)
