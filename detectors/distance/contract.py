"""What a distance is: one kernel, what the kernel reads and writes, and what else there is to know of it.

A distance of counts is a file with a kernel and a :class:`Distance`, and a line in the table of `detectors.distance`.
Configurations, ``leeway detectors``, windows that are evaluated live or again, and comparisons of two spans all follow
from that line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.sketch.vector import VectorLayout

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# What a kernel writes of a series into its row: the statistic, the effect, what the p-value is made of, and for rates
# the table of both sides. Whoever hands out the row has filled it with NaN.
STATISTIC, EFFECT, P_X, P_DF, TABLE = range(5)
ANSWER = TABLE + 4
# What PEARSON has besides. TABLE itself stays NaN: there is none.
LIMIT_X, LIMIT_DF = TABLE + 1, TABLE + 2

# Whose tail beyond P_X the p-value is; CHI2 has P_DF degrees of freedom, and KNOWN is the p-value itself. PEARSON is
# CHI2, or the tail beyond LIMIT_X with LIMIT_DF degrees of freedom if there is one and it is larger.
NO_TEST, CHI2, KOLMOGOROV, KUIPERS, CRAMERS, ANDERSONS, RATES, KNOWN, PEARSON = range(9)

# What a kernel reads of each side: counts of merged cells; counts below each cell, and of all at the end; counts of
# cells, with where they lie; how many have a property and how many have not; counts of names; summaries of vectors.
GROUPED, CUMULATIVE, LOCATED, MISSING_EVENTS, INVALID_EVENTS, OUT_OF_RANGE_VALUES, NEW_NAMES, VECTORS = range(8)

FITS = {
    GROUPED: frozenset({"numeric", "category"}),
    CUMULATIVE: frozenset({"numeric"}),
    LOCATED: frozenset({"numeric"}),
    MISSING_EVENTS: frozenset({"numeric", "category", "vector"}),
    INVALID_EVENTS: frozenset({"numeric", "category", "vector"}),
    OUT_OF_RANGE_VALUES: frozenset({"range"}),
    NEW_NAMES: frozenset({"category"}),
    VECTORS: frozenset({"vector"}),
}
"""The kinds of signals that have what a kernel reads; ``range`` is a number with a declared range."""


class Comparison(NamedTuple):
    """How far each series is from its baseline.

    Parameters
    ----------
    statistic
        float64[series]: the value that the distance is named for; NaN for a series that is empty on a side.
    p_value
        float64[series]: how probable a statistic at least as large is if nothing changed and observations are
        independent; NaN where the statistic is, and for distances without a test.
    effect
        float64[series]: how large the change is, free of the sample sizes; compare with `default_min_effect`.
    """

    statistic: Floats
    p_value: Floats
    effect: Floats


@dataclass(frozen=True)
class Distance:
    """An entry of `detectors.distance.DISTANCES`.

    Parameters
    ----------
    name
        The name in configurations and stored rows.
    summary
        One sentence for the user.
    kernel
        ``kernel(reference, current, answer)``, or ``kernel(reference, current, positions, answer)`` if it reads
        ``LOCATED``: it writes ``STATISTIC``, ``EFFECT`` and ``P_X`` of one series into ``answer``. Neither side is
        empty, and cells that are empty on both sides must make no difference.

        - ``GROUPED``: int64[groups].
        - ``CUMULATIVE``: int64[cells + 1], ascending from 0.
        - ``LOCATED``: int64[cells], and float64[cells], ascending where counts are.
        - ``NEW_NAMES``: int64[1 + names]; of names that both sides count one by one, behind that of all others.
        - Other rates: int64[2].
    reads
        ``GROUPED``, ``CUMULATIVE``, ``LOCATED``, or what a rate is the share of.
    p_value
        ``NO_TEST``, ``CHI2``, …
    default_min_effect
        The smallest effect that is material unless the user says otherwise.
    largest_effect
        What no effect exceeds: a larger ``min_effect`` is refused.
    aliases
        Other names that configurations may use.
    spelling
        What people call it, if that is neither the name with spaces nor, up to three letters, in capitals.
    """

    name: str
    summary: str
    kernel: Callable[..., None]
    reads: int
    p_value: int
    default_min_effect: float
    largest_effect: float = math.inf
    aliases: tuple[str, ...] = ()
    spelling: str = ""

    @property
    def fits(self) -> frozenset[str]:
        """The kinds of signals that it is for."""
        return FITS[self.reads]

    @property
    def is_rate(self) -> bool:
        """Whether it compares the share of events, or values, with a property."""
        return MISSING_EVENTS <= self.reads <= NEW_NAMES

    @property
    def is_fine(self) -> bool:
        """Whether it needs all cells in their order, so that it does not apply to categories."""
        return self.reads in (CUMULATIVE, LOCATED)


@dataclass(frozen=True)
class VectorDistance:
    """An entry of `detectors.distance.VECTOR_DISTANCES`, which takes linear algebra instead of a kernel.

    Parameters
    ----------
    name, summary, default_min_effect, largest_effect, aliases, spelling
        As those of a :class:`Distance`.
    compare
        ``compare(layout, reference, current) -> Comparison``: one summary of each side for each series.
    derive
        ``derive(values) -> layout``, from baseline vectors, float64[n, dimension].
    assume
        ``assume(dimension, location, scale) -> layout``, where there are none.
    p_value
        ``NO_TEST``, or ``KNOWN``.
    """

    name: str
    summary: str
    compare: Callable[..., Comparison]
    derive: Callable[..., VectorLayout]
    assume: Callable[..., VectorLayout]
    p_value: int
    default_min_effect: float
    largest_effect: float = math.inf
    aliases: tuple[str, ...] = ()
    spelling: str = ""

    reads = VECTORS
    is_rate = False

    @property
    def fits(self) -> frozenset[str]:
        """The kinds of signals that it is for."""
        return FITS[self.reads]
