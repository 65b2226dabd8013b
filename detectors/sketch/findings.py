"""How many observations each per-event detector judged, how many findings it had, and in how many spells they came.

Findings that follow one another closely are a spell: where observations depend on each other, so do findings, and a
window with ten of them in one spell says no more than one with a single finding. It is the runs estimator of extreme
value theory (R. L. Smith, I. Weissman, Estimating the extremal index, J. R. Stat. Soc. B 56, 1994).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["COUNTED", "SPELL", "FindingFold", "FindingLayout"]

Integers = npt.NDArray[np.int64]

COUNTED = ("findings", "judged", "spells")
"""What is counted of each detector."""

SPELL = 32
"""Observations without a finding that end a spell."""


@dataclass(frozen=True)
class FindingLayout:
    """Whose findings are counted.

    Parameters
    ----------
    uses
        The parameters of each detector, by its name.

    Examples
    --------
    >>> layout = FindingLayout({"robust_z": {"window": 500}, "adwin": {}})
    >>> layout.detectors
    ('adwin', 'robust_z')
    >>> layout.names
    ('adwin findings', 'adwin judged', 'adwin spells', 'robust_z findings', 'robust_z judged', 'robust_z spells')
    """

    uses: Mapping[str, Mapping[str, Any]]

    @cached_property
    def detectors(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(self.uses))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What is counted, sorted: of each detector what :data:`COUNTED` says."""
        return tuple(f"{detector} {counted}" for detector in self.detectors for counted in COUNTED)

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits, others for other parameters: how often those fire says nothing of these."""
        content = json.dumps(self.uses, sort_keys=True, default=str).encode()
        return hashlib.blake2b(content, digest_size=8).hexdigest()


class FindingFold:
    """Counts of what the detectors of one signal said, in many rows, folded from batches.

    Parameters
    ----------
    layout

    Examples
    --------
    >>> fold = FindingFold(FindingLayout({"robust_z": {}}))
    >>> fold.ensure(1)
    >>> rows, finding, unjudged = np.array([0, 0, 0]), np.array([2]), np.array([0])
    >>> fold.fold(rows, np.array([3]), [(finding, unjudged, finding)])
    >>> fold.take(0)
    array([1, 2, 1])
    """

    def __init__(self, layout: FindingLayout) -> None:
        self.layout = layout
        self._counts = np.zeros((0, len(layout.names)), dtype=np.int64)

    def ensure(self, rows: int) -> None:
        """Make room for rows 0 … `rows` - 1; new rows are empty."""
        added = rows - len(self._counts)
        if added > 0:
            self._counts = np.concatenate((self._counts, np.zeros((added, self._counts.shape[1]), dtype=np.int64)))

    def fold(self, rows: Integers, events: Integers, judged: Sequence[tuple[Integers, Integers, Integers]]) -> None:
        """Count a batch. It may be cut and ordered anyhow.

        Parameters
        ----------
        rows
            int64[n]: the row that each event belongs to; -1 for none.
        events
            int64[R]: how many events of the batch belong to each row.
        judged
            Of each detector of the layout the events with a finding, those that it did not judge, and those with which
            a spell begins.
        """
        for detector, (findings, unjudged, begins) in enumerate(judged):
            counts = self._counts[:, len(COUNTED) * detector :]
            counts[: len(events), 1] += events
            for column, chosen, sign in ((0, findings, 1), (1, unjudged, -1), (2, begins, 1)):
                if len(chosen):
                    of_chosen = rows[chosen]
                    np.add.at(counts[:, column], of_chosen[of_chosen >= 0], sign)

    def take(self, row: int) -> Integers:
        """Return the counts of a row, in the order of the layout's names, and empty it."""
        counts: Integers = self._counts[row].copy()
        self._counts[row] = 0
        return counts

    def snapshot(self, rows: list[int]) -> Integers:
        """Return the counts of some rows."""
        counts: Integers = self._counts[rows]
        return counts

    def restore(self, rows: list[int], counts: Integers) -> None:
        """Set the counts of some rows."""
        self._counts[rows] = counts
