"""Names that the baseline does not have, against how many it would lack anyway."""

from __future__ import annotations

import math

from detectors.distance.contract import EFFECT, KNOWN, NEW_NAMES, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.rates import proportions
from detectors.kernel import inlined, kernel

RAREST_TERM = 1e-17


@inlined
def new_category(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compare the share of events with new names to the share that such a baseline misses when nothing changes.

    A baseline of n events, ``f1`` of whose names occur once, misses names with a share of about ``f1 / n`` (Good, "The
    population frequencies of species", Biometrika 40, 1953, who credits Turing). That is the baseline's rate; the
    statistic is the z of two proportions, and the effect Cohen's h. Fewer new names than that are no change.

    The p-value needs no such estimate. If nothing changed, each event is as likely as any other to be among the m of
    the window, given how often a name occurs on both sides together, t times: all of them are in the window, so that
    the name seems new, with a probability of at most ``w = (m / (n + m))**t``. Two things are tested, and the smaller
    p-value counts twice (Bonferroni):

    - *How many names are new.* Their number is a sum of indicators that are negatively associated (Joag-Dev and
      Proschan, Ann. Stat. 11, 1983), with the mean ``sum(w)`` and a smaller variance. It is taken as Poisson's, shifted
      to have both (Röllin, Bernoulli 13, 2007).
    - *How often the most frequent new name occurs.* That any name of so many events is only in the window has at most
      the sum of the ``w`` of all names with as many (Boole).

    Examples
    --------
    Nine names that occur once in a hundred events promise nine events with new names in the next hundred; that one new
    name takes all nine they do not.

    >>> from detectors.distance.compare import compare
    >>> baseline = [0, 91, *[1] * 9, *[0] * 9]
    >>> nine, one = [0, 91, *[0] * 9, *[1] * 9], [0, 91, *[0] * 9, 9, *[0] * 8]
    >>> compare("new_category", [baseline, baseline], [nine, one]).p_value.round(3).tolist()
    [1.0, 0.004]
    """
    n = reference[0]
    m = current[0]
    once = 0
    events = 0
    names = 0
    most = 0
    for k in range(1, reference.size):
        n += reference[k]
        m += current[k]
        once += reference[k] == 1
        if reference[k] == 0 and current[k] > 0:
            names += 1
            events += current[k]
            most = max(most, current[k])
    proportions(once, n, events, m, answer)
    if events / m <= once / n:
        answer[STATISTIC] = 0.0
        answer[EFFECT] = 0.0
    answer[P_X] = chance_of(names, most, n, m, reference, current) if names > 0 else 1.0


@kernel
def chance_of(names: int, most: int, n: int, m: int, reference: Integers, current: Integers) -> float:
    """Return the p-value of so many new names, of which the most frequent one occurs so often."""
    share = m / (n + m)
    expected = 0.0
    variance = 0.0
    weighed = 0.0
    as_frequent = 0.0
    for k in range(1, reference.size):
        both = reference[k] + current[k]
        if both > 0:
            chance = share**both
            expected += chance
            variance += chance * (1 - chance)
            weighed += both * chance
            as_frequent += chance if both >= most else 0.0
    # The window has m events however many names are new: what both numbers share is taken from the variance.
    variance -= weighed * (weighed / (n + m)) * (1 - share) / share
    shift = math.floor(expected - max(variance, 0.0))
    as_many = poisson_tail(names - shift, expected - shift)
    return min(2 * min(as_many, as_frequent), 1.0)


@kernel
def poisson_tail(count: float, mean: float) -> float:
    """Return P(X ≥ count) of a Poisson variable; 1 up to its mean, where it is above one half.

    Examples
    --------
    >>> round(poisson_tail(3, 1.0), 6), poisson_tail(2, 2.5)
    (0.080301, 1.0)
    """
    if count <= mean:
        return 1.0
    if mean <= 0:
        return 0.0
    term = 1.0
    terms = 1.0
    k = count
    while term > RAREST_TERM * terms:
        k += 1
        term *= mean / k
        terms += term
    return min(terms * math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)), 1.0)


NEW_CATEGORY = Distance(
    "new_category",
    "Share of values that the baseline does not know.",
    new_category,
    reads=NEW_NAMES,
    p_value=KNOWN,
    # What Cohen calls a small effect, as for all rates.
    default_min_effect=0.2,
    largest_effect=math.pi,
)
