"""What a model and a naive answer lose on the same events: one answer for all events, worked out of sums alone.

That the answer is the same for all events of a sum is what makes it cheap: its losses, and how they go together with
those of the model, follow from sums that are there anyway, and nothing more is stored of any event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from detectors.performance.cells import cell_middles
from detectors.performance.schemes import Binary, Multiclass, Scheme
from detectors.performance.sums import WEIGHT_BITS, Count, Quantity, Sums

__all__ = ["LOSSES", "Answer", "Losses", "Truth", "loss_of", "losses_of", "losses_of_field", "worths_of"]

LOSSES = {"binary": ("brier", "error"), "multiclass": ("error",), "regression": ("squared",)}
"""What is lost by an event, by the kind of scheme; the first one unless another is named.

``brier`` is the squared error of a probability, ``error`` is 1 where the class is wrong, ``squared`` the squared error.
"""

Answer = float | str
"""A number, or the probability of the positive class; of classes a name."""

_UNIT = 1 << WEIGHT_BITS


@dataclass(frozen=True)
class Losses:
    """Exact sums of what a model and a naive answer lose, and of their squares and product, over events by weight.

    Attributes
    ----------
    labels : int
    weight, weight_2 : Fraction
        Of events, and the squares of that.
    model, naive, model_2, naive_2, both : Fraction
        ``both`` is of the product of the two.
    size : Fraction
        What ``naive_2`` is a difference of: if that is much more than it, no digits of it are left.
    """

    labels: int = 0
    weight: Fraction = Fraction()
    weight_2: Fraction = Fraction()
    model: Fraction = Fraction()
    naive: Fraction = Fraction()
    model_2: Fraction = Fraction()
    naive_2: Fraction = Fraction()
    both: Fraction = Fraction()
    size: Fraction = Fraction()

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.labels + other.labels,
            self.weight + other.weight,
            self.weight_2 + other.weight_2,
            self.model + other.model,
            self.naive + other.naive,
            self.model_2 + other.model_2,
            self.naive_2 + other.naive_2,
            self.both + other.both,
            self.size + other.size,
        )


@dataclass(frozen=True)
class Truth:
    """What turned out to be true of events, whatever was predicted: what a naive answer is made of.

    Attributes
    ----------
    weight : Fraction
    total : Fraction
        Of true numbers, or the weight of those that were positive.
    classes : Counter
        Weights by class, of several classes.
    """

    weight: Fraction = Fraction()
    total: Fraction = Fraction()
    classes: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Truth) -> Truth:
        return Truth(self.weight + other.weight, self.total + other.total, self.classes + other.classes)

    def __sub__(self, other: Truth) -> Truth:
        return Truth(self.weight - other.weight, self.total - other.total, self.classes - other.classes)

    @classmethod
    def of(cls, parts: Iterable[Sums]) -> Truth:
        """Return it of some sums of one scheme.

        Examples
        --------
        >>> import numpy as np
        >>> from detectors.performance import Multiclass, Regression
        >>> Truth.of([Regression().fold(np.array([1.0, 2.0]), np.array([1.0, 4.0]))]).answer("squared")
        2.5
        >>> Truth.of([Multiclass().fold(["a", "b", "c"], ["c", "b", "b"])]).answer("error")
        'b'
        """
        weight, total, classes = Fraction(), Fraction(), Counter[str]()
        for sums in parts:
            if sums.count(Count.MANY_CLASSES):
                # Which classes there were is not known any more.
                continue
            weight += _weight(sums)
            total += sums.exact(Quantity.Y) + _positive(sums)
            for (true, _), pair_weight in sums.pairs.items():
                classes[true] += pair_weight
        return cls(weight, total, classes)

    def answer(self, loss: str) -> Answer | None:
        """Return what loses least where nothing is known of an event; None if that is not known either.

        That is the mean, or the share of the positive; for ``error`` and ``value`` the class that is most frequent, of
        several the first by name, and of two the negative one: as probability 0 or 1.
        """
        if self.classes:
            return min(self.classes, key=lambda name: (-self.classes[name], name))
        if not self.weight:
            return None
        mean = self.total / self.weight
        return float(mean > Fraction(1, 2)) if loss in ("error", "value") else float(mean)


def worths_of(sums: Sums, scheme: Scheme, answer: Answer) -> Losses:
    """Return what events are worth with the other sign, by the model's predictions and by the same answer for all.

    Parameters
    ----------
    sums : Sums
        Of fewer classes than there can be pairs of.
    scheme : Binary or Multiclass
        One that says what outcomes are worth.
    answer : float or str

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Binary
    >>> scheme = Binary("yes", values=(120, -8, -450, 0))
    >>> worths = worths_of(scheme.fold(np.array([0.9, 0.8, 0.1]), ["yes", "no", "yes"]), scheme, 0.0)
    >>> int(worths.model), int(worths.naive)
    (338, 900)
    """
    if isinstance(scheme, Binary) and scheme.values is not None:
        # Of all that are positive the answer makes true or missed ones, and of the others false or left ones.
        positive, negative = (0, 1) if float(answer) >= scheme.threshold else (2, 3)
        by_answer = [scheme.values[outcome] for outcome in (positive, negative, positive, negative)]
        weights = [sums.fixed(Quantity.OUTCOMES, outcome) for outcome in range(4)]
        return _worths(sums, zip(weights, scheme.values, by_answer, strict=True))
    values = scheme.values or {} if isinstance(scheme, Multiclass) else {}
    pairs = sums.pairs.items()
    return _worths(
        sums,
        ((w, values.get(pair, 0.0), values.get((pair[0], str(answer)), 0.0)) for pair, w in pairs),
    )


def _worths(sums: Sums, groups: Iterable[tuple[int, float, float]]) -> Losses:
    """Sums over groups of events: their weight, and what each is worth by the model and by the answer."""
    totals = [Fraction()] * 5
    for weight, by_model, by_answer in groups:
        share, model, naive = Fraction(weight, _UNIT), -Fraction(by_model), -Fraction(by_answer)
        parts = (model, naive, model * model, naive * naive, model * naive)
        totals = [total + share * part for total, part in zip(totals, parts, strict=True)]
    return _losses(sums, *totals)


def loss_of(kind: str, loss: str | None) -> str:
    """Return the loss that is meant where none may be named.

    Raises
    ------
    ValueError
        If predictions of the kind have no such loss.
    """
    if loss is not None and loss not in LOSSES[kind]:
        raise ValueError(f"{loss!r} is no loss of {kind} predictions; there are {', '.join(LOSSES[kind])}")
    return LOSSES[kind][0] if loss is None else loss


def losses_of_field(sums: Sums) -> Losses:
    """Return what is lost by the model and by the field that answers each event, of events that it answers.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Regression
    >>> scheme = Regression(naive=("feature:rule", "squared"))
    >>> sums = scheme.fold(np.array([1.0, 2.0]), np.array([1.0, 4.0]), naive=np.array([2.0, np.nan]))
    >>> losses = losses_of_field(sums)
    >>> losses.labels, int(losses.model), int(losses.naive)
    (1, 0, 1)
    """
    weight, weight_2, model, naive, model_2, naive_2, both = (
        sums.exact(quantity)
        for quantity in (
            Quantity.ANSWERED_WEIGHT,
            Quantity.ANSWERED_WEIGHT_2,
            Quantity.MODEL_LOSS,
            Quantity.NAIVE_LOSS,
            Quantity.MODEL_LOSS_2,
            Quantity.NAIVE_LOSS_2,
            Quantity.BOTH_LOSSES,
        )
    )
    return Losses(sums.count(Count.ANSWERED), weight, weight_2, model, naive, model_2, naive_2, both)


def losses_of(sums: Sums, loss: str, answer: Answer, threshold: float = 0.5) -> Losses | None:
    """Return what the events of sums lose by the model's predictions, and by the same answer for all of them.

    Parameters
    ----------
    sums : Sums
    loss : str
        One of :data:`LOSSES`.
    answer : float or str
    threshold : float
        Of binary predictions: an answer of at least this says the positive class.

    Returns
    -------
    Losses or None
        None where there are too many classes for their pairs to be there.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Regression
    >>> sums = Regression().fold(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    >>> losses = losses_of(sums, "squared", 2.0)
    >>> int(losses.model), int(losses.naive)
    (4, 5)
    """
    if isinstance(answer, str):
        return _classes(sums, answer)
    if loss == "squared":
        return _numbers(sums, Fraction(answer))
    return _brier(sums, Fraction(answer)) if loss == "brier" else _outcomes(sums, says_positive=answer >= threshold)


def _losses(sums: Sums, *totals: Fraction) -> Losses:
    return Losses(sums.labels, _weight(sums), sums.exact(Quantity.WEIGHT_2), *totals)


def _weight(sums: Sums) -> Fraction:
    return Fraction(sums.fixed(Quantity.WEIGHT), _UNIT)


def _positive(sums: Sums) -> Fraction:
    return Fraction(int(sums.cells(Quantity.POSITIVE_CELLS)[1].sum()), _UNIT)


def _numbers(sums: Sums, c: Fraction) -> Losses:
    """With ``y`` true and ``e`` the error: powers of ``y - c`` by the binomial theorem."""
    weight = _weight(sums)
    y, y2, y3, y4 = (sums.exact(q) for q in (Quantity.Y, Quantity.Y_2, Quantity.Y_3, Quantity.Y_4))
    e2, e4, e2y, e2y2 = (sums.exact(q) for q in (Quantity.E_2, Quantity.E_4, Quantity.E_2_Y, Quantity.E_2_Y_2))
    naive = y2 - 2 * c * y + c * c * weight
    naive_2 = y4 - 4 * c * y3 + 6 * c**2 * y2 - 4 * c**3 * y + c**4 * weight
    both = e2y2 - 2 * c * e2y + c * c * e2
    # Third and fourth powers were rounded before they were summed.
    return _losses(sums, e2, naive, e4, naive_2, both, y4 + c**4 * weight)


def _brier(sums: Sums, c: Fraction) -> Losses:
    positive = _positive(sums)
    negative = _weight(sums) - positive
    model, of_positive = sums.exact(Quantity.SQUARED), (1 - c) ** 2
    # How much of it the positive have is known by cells: enough for an interval, and the sum of both is exact.
    share = _share_of_positive(sums)
    both = model * (share * of_positive + (1 - share) * c * c)
    naive = positive * of_positive + negative * c * c
    naive_2 = positive * of_positive**2 + negative * c**4
    return _losses(sums, model, naive, sums.exact(Quantity.SQUARED_2), naive_2, both)


def _share_of_positive(sums: Sums) -> Fraction:
    """How much of the squared error is that of positive events."""
    (positive, p), (negative, n) = sums.cells(Quantity.POSITIVE_CELLS), sums.cells(Quantity.NEGATIVE_CELLS)
    of_positive = float((p * (1 - cell_middles(positive)) ** 2).sum())
    total = of_positive + float((n * cell_middles(negative) ** 2).sum())
    return Fraction(of_positive / total) if total else Fraction(1, 2)


def _outcomes(sums: Sums, *, says_positive: bool) -> Losses:
    tp, fp, fn, tn = (Fraction(sums.fixed(Quantity.OUTCOMES, index), _UNIT) for index in range(4))
    naive, both = (fp + tn, fp) if says_positive else (tp + fn, fn)
    return _losses(sums, fp + fn, naive, fp + fn, naive, both)


def _classes(sums: Sums, answer: str) -> Losses | None:
    if sums.count(Count.MANY_CLASSES):
        return None
    wrong = _weight(sums) - Fraction(sums.fixed(Quantity.AGREED), _UNIT)
    others = {pair: weight for pair, weight in sums.pairs.items() if pair[0] != answer}
    naive = Fraction(sum(others.values()), _UNIT)
    both = Fraction(sum(weight for (true, predicted), weight in others.items() if predicted != true), _UNIT)
    return _losses(sums, wrong, naive, wrong, naive, both)
