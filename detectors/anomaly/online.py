"""One scorer over one stream, a row at a time, with the interface of a river anomaly detector."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from detectors.anomaly import find
from detectors.anomaly.bank import AnomalyBank, with_levels
from detectors.contract import FloatArray, Value
from detectors.states import AllRows

__all__ = ["OnlineScorer"]

_ONLY = np.zeros(1, dtype=np.int64)


class OnlineScorer:
    """A bank of one series. For experiments, and for what expects a scorer of river's; else feed a bank in batches.

    ``detectors.river_adapter.as_rivers`` makes one that river itself takes for one of its own.

    Parameters
    ----------
    scorer : str
        The name in :data:`detectors.anomaly.SCORERS`.
    **params
        What differs from the defaults.

    Raises
    ------
    UnknownScorerError, ParameterError

    Examples
    --------
    >>> scorer = OnlineScorer("robust_z", warm_up=8)
    >>> for x in [1.0, 2.0, 1.5, 1.2, 1.9, 1.4, 1.6, 1.7, 1.3]:
    ...     scorer.learn_one({"amount": x})
    >>> scorer.score_one({"amount": 1.5}) < 1.0 < 20.0 < scorer.score_one({"amount": 50.0})
    True
    """

    def __init__(self, scorer: str, **params: Value) -> None:
        self.name = scorer
        self.params = params
        self._scorer = find(scorer)
        with_levels(self._scorer).values(params)
        self._names: list[Hashable] = []
        self._bank: AnomalyBank | None = None
        # The row that was scored last, and what the bank is once it has learned from it: the next call mostly says so.
        self._scored: tuple[FloatArray, tuple[AllRows, AllRows]] | None = None

    def score_one(self, x: Mapping[Hashable, float]) -> float:
        """Return how unusual a row is, without learning from it: the raw score; 0 while not ready, or if it is skipped.

        Parameters
        ----------
        x : mapping of name to number
            The names of the first row are those of all: a feature that a later one lacks makes it a row to skip.

        Raises
        ------
        ValueError
            When there are several numbers and the scorer takes one.
        """
        bank, row = self._bank_for(x), self._row(x)
        unlearned = bank.copied()
        score = float(bank.update(_ONLY, row).score[0])
        self._scored = row, bank.exchange(unlearned)
        return 0.0 if math.isnan(score) else score

    def learn_one(self, x: Mapping[Hashable, float]) -> None:
        """Learn from a row."""
        bank, row = self._bank_for(x), self._row(x)
        if self._scored is not None and np.array_equal(row, self._scored[0]):
            bank.exchange(self._scored[1])
        else:
            bank.update(_ONLY, row)
        self._scored = None

    @property
    def ready(self) -> bool:
        """Whether enough was seen to judge; until then the score is 0."""
        return self._bank is not None and bool(self._bank.ready[0])

    @property
    def skipped(self) -> int:
        """How many rows were learned from in vain: something in them was missing, not finite or beyond ``MAX_ABS``."""
        return 0 if self._bank is None else int(self._bank.skipped[0])

    def clone(self, *_: Any, **__: Any) -> OnlineScorer:
        """Return a scorer with the same parameters that has seen nothing, as river's ``clone``."""
        return self.remade(self.name, **self.params)

    @staticmethod
    def remade(scorer: str, **params: Value) -> OnlineScorer:
        """Return a new scorer of this class, which copies and pickles begin with."""
        return OnlineScorer(scorer, **params)

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what a copy or a pickle needs: all but the compiled kernels."""
        bank_state = None if self._bank is None else self._bank.snapshot()
        return _restored, (self.remade, self.name, self.params, self._names, bank_state)

    def _bank_for(self, x: Mapping[Hashable, float]) -> AnomalyBank:
        if self._bank is None:
            self._names = sorted(x, key=str)
            self._bank = AnomalyBank(self._scorer, self.params, series=1, dimension=len(self._names))
        return self._bank

    def _row(self, x: Mapping[Hashable, float]) -> FloatArray:
        return np.array([[x.get(name, math.nan) for name in self._names]], dtype=np.float64)

    def __repr__(self) -> str:
        """Show the call that makes such a scorer."""
        written = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"OnlineScorer({self.name!r}{written})"


def _restored(
    make: Callable[..., OnlineScorer],
    name: str,
    params: Mapping[str, Value],
    names: list[Hashable],
    bank_state: Mapping[str, Any] | None,
) -> OnlineScorer:
    made = make(name, **params)
    if bank_state is not None:
        made._bank_for(dict.fromkeys(names, 0.0)).restore(bank_state)
    return made
