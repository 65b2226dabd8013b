"""Boosted trees as arrays, and a kernel that scores events with them.

The trees are those of gradient boosting over histograms (Ke et al., "LightGBM", NeurIPS 2017), as scikit-learn fits
them: each node has a feature, a threshold, and the side on which a missing value goes; leaves have a value; the score
is a constant and the sum of one leaf of each tree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.kernel import kernel

__all__ = ["MOST_NODES", "Trees", "constant", "trees_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_NODES = 1_000_000
"""Of all trees together: a file that holds more is refused."""

LARGEST = 1e100
"""A value of a leaf, so that a million of them still have a sum."""

LEAF = -1
"""In place of a leaf's feature."""

_INTEGERS = ("roots", "features", "lefts", "rights", "missing")


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees whose nodes stand in arrays of one length, those of a tree together.

    Attributes
    ----------
    base : float
    dimension : int
        How many features an event has.
    roots : int64 array [trees]
        Where each tree's first node stands, ascending.
    features : int64 array [nodes]
        -1 is a leaf.
    thresholds : float64 array [nodes]
        A value of at most this goes to the left; an infinite one tells numbers from what is missing.
    lefts, rights, missing : int64 arrays [nodes]
        Nodes behind this one: for values up to the threshold, above it, and NaN.
    values : float64 array [nodes]
        Of leaves.

    Examples
    --------
    >>> stump = Trees.from_document({
    ...     "base": 0.5, "dimension": 1, "roots": [0], "features": [0, -1, -1], "thresholds": [10.0, 0.0, 0.0],
    ...     "lefts": [1, 0, 0], "rights": [2, 0, 0], "missing": [1, 0, 0], "values": [0.0, -0.25, 0.25]})
    >>> stump.score([[9.0], [11.0], [float("nan")]]).tolist()
    [0.25, 0.75, 0.25]
    """

    base: float
    dimension: int
    roots: Integers
    features: Integers
    thresholds: Floats
    lefts: Integers
    rights: Integers
    missing: Integers
    values: Floats

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Trees:
        """Return what :meth:`to_document` made lists of.

        Raises
        ------
        ValueError
            If that is no set of trees: the kernel checks nothing.
        """
        try:
            integers = {name: np.array(document[name], dtype=np.int64) for name in _INTEGERS}
            # JSON has no infinity, and writes it as null.
            thresholds = [math.inf if each is None else each for each in document["thresholds"]]
            floats = {
                "thresholds": np.array(thresholds, dtype=np.float64),
                "values": np.array(document["values"], dtype=np.float64),
            }
            columns: dict[str, Any] = {**integers, **floats}
            return cls(float(document["base"]), int(document["dimension"]), **columns)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"these are no trees: {error!r}") from error

    def to_document(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        lists = {name: getattr(self, name).tolist() for name in (*_INTEGERS, "thresholds", "values")}
        return {"base": self.base, "dimension": self.dimension, **lists}

    def first(self, count: int) -> Trees:
        """Return the first trees alone, which are what boosting had made after so many rounds.

        Parameters
        ----------
        count : int
            At least 1; all of them where there are fewer.

        Raises
        ------
        ValueError
            If that is no tree.

        Examples
        --------
        >>> constant(2.0, dimension=3).first(10).score([[1.0, 2.0, 3.0]]).tolist()
        [2.0]
        """
        if count < 1:
            raise ValueError(f"there is at least one tree: {count}")
        end = self.roots[count] if count < len(self.roots) else len(self.features)
        nodes = {name: getattr(self, name)[:end] for name in (*_INTEGERS[1:], "thresholds", "values")}
        return replace(self, roots=self.roots[:count], **nodes)

    def score(self, events: ArrayLike) -> Floats:
        """Return the score of each event.

        Parameters
        ----------
        events : array_like [n, dimension]
            NaN is missing; infinities are taken as they are.

        Returns
        -------
        float64 array [n]

        Raises
        ------
        ValueError
            If events have another number of features.
        """
        x = np.ascontiguousarray(events, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise ValueError(f"events have {self.dimension} features, and these are of shape {x.shape}")
        scores = np.full(len(x), self.base)
        nodes = self.features, self.thresholds, self.lefts, self.rights, self.missing, self.values
        _add_leaves(x, self.roots, *nodes, scores)
        return scores


def constant(score: float, dimension: int) -> Trees:
    """Return what gives every event one score.

    Examples
    --------
    >>> constant(2.0, dimension=3).score([[1.0, 2.0, 3.0]]).tolist()
    [2.0]
    """
    return Trees.from_document(
        {"base": score, "dimension": dimension, "roots": [0], "features": [LEAF], "thresholds": [0.0], "lefts": [0]}
        | {"rights": [0], "missing": [0], "values": [0.0]}
    )


def trees_of(model: Any) -> Trees:
    """Return the trees of scikit-learn's ``HistGradientBoostingRegressor``, or those of a classifier of two classes.

    Their score is what the regressor predicts with squared error, and the classifier's ``decision_function``.

    Raises
    ------
    ValueError
        If it is no such model, or has categories or several classes.
    """
    # Where nodes stand is no public part of scikit-learn; what exports its models reads them there too.
    predictors, base = getattr(model, "_predictors", None), getattr(model, "_baseline_prediction", None)
    if predictors is None or base is None or np.size(base) != 1:
        raise ValueError("trees are taken of gradient boosting over histograms with one score")
    nodes = [of_tree.nodes for (of_tree,) in predictors]
    if any(each["is_categorical"].any() for each in nodes):
        raise ValueError("trees that split by categories are not supported: give categories as numbers")
    sizes = np.array([len(each) for each in nodes], dtype=np.int64)
    roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
    joined, first = np.concatenate(nodes), np.repeat(roots, sizes)
    is_leaf = joined["is_leaf"].astype(bool)
    lefts, rights = joined["left"].astype(np.int64) + first, joined["right"].astype(np.int64) + first
    return Trees(
        float(np.ravel(base)[0]),
        int(model.n_features_in_),
        roots,
        np.where(is_leaf, LEAF, joined["feature_idx"].astype(np.int64)),
        np.where(is_leaf, 0.0, joined["num_threshold"].astype(np.float64)),
        np.where(is_leaf, 0, lefts),
        np.where(is_leaf, 0, rights),
        np.where(is_leaf, 0, np.where(joined["missing_go_to_left"].astype(bool), lefts, rights)),
        np.where(is_leaf, joined["value"].astype(np.float64), 0.0),
    )


def _check(trees: Trees) -> None:
    """Refuse what the kernel could not walk: it checks nothing, and would not end where nodes form a circle."""
    count = len(trees.features)
    columns = trees.features, trees.thresholds, trees.lefts, trees.rights, trees.missing, trees.values
    if not 0 < count <= MOST_NODES or any(column.shape != (count,) for column in columns):
        raise ValueError(f"trees have between one and {MOST_NODES:,} nodes, in columns of one length")
    roots = trees.roots
    # With roots of their own, all trees together have no more nodes to walk through than there are.
    if roots.ndim != 1 or not len(roots) or roots[0] < 0 or roots[-1] >= count or (np.diff(roots) <= 0).any():
        raise ValueError("each tree has a root among the nodes, behind that of the tree before it")
    inner = np.flatnonzero(trees.features != LEAF)
    behind = np.stack([column[inner] for column in (trees.lefts, trees.rights, trees.missing)])
    ends = np.append(roots, count)[np.searchsorted(roots, inner, side="right")]
    if len(inner) and not (
        (behind > inner).all()
        and (behind < ends).all()
        and trees.features[inner].min() >= 0
        and trees.features[inner].max() < trees.dimension
    ):
        raise ValueError("nodes lead to nodes behind them in the same tree, by features that events have")
    if np.isnan(trees.thresholds).any():
        raise ValueError("thresholds are numbers")
    if not ((np.abs(trees.values) <= LARGEST).all() and abs(trees.base) <= LARGEST):
        raise ValueError(f"leaves have finite values, of at most {LARGEST:g}")


@kernel
def _add_leaves(
    x: Floats,
    roots: Integers,
    features: Integers,
    thresholds: Floats,
    lefts: Integers,
    rights: Integers,
    missing: Integers,
    values: Floats,
    scores: Floats,
) -> None:
    for i in range(x.shape[0]):
        score = scores[i]
        for t in range(roots.size):
            node = roots[t]
            while features[node] >= 0:
                value = x[i, features[node]]
                if math.isnan(value):
                    node = missing[node]
                elif value <= thresholds[node]:
                    node = lefts[node]
                else:
                    node = rights[node]
            score += values[node]
        scores[i] = score
