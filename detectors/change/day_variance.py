"""How far the mean of a few days may be from the level of a signal: by its own days, and by those of its family.

Three days of a signal say little of how much its days vary, and nothing of levels that change slowly. So it borrows
from the other signals of its family in the model (empirical Bayes; Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3):

- Deviations of days from the mean of their kind are AR(1), with a carry ρ out of a few (`CARRIES`). Each ρ has a
  restricted likelihood (Patterson and Thompson 1971, Biometrika 58); those of the family are multiplied. Variances are
  weighed by how likely each ρ is: few days rule out no slow level.
- The variance of a signal has the prior of its family, worth as many days as makes their squares likeliest.
- Signals that move together are one: what is borrowed is divided by how many say the same, by their correlations.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import FAMILIES, FAMILY
from detectors.change.prior import prior_of
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CARRIES = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.97])
"""Parts of a day's deviation that the next day may have."""

PRIOR = np.array([[0.7, 0.2, 0.07, 0.02, 0.007, 0.003], [0.55, 0.2, 0.12, 0.07, 0.045, 0.015]])
"""How likely each is beforehand: of days that are means of many windows, and of windows of a day.

A level that persists from one window to the next does so from one day to the next if that is the next window.
"""

MOST_HEARD = 100.0
"""Days that all others of a family count for at most: in the end a signal speaks for itself."""

FEWEST_OF_KIND = 2
"""Days of each kind from which on each has a mean of its own."""

STEADY = 1e-9
"""Sum of squares below which days do not vary at all, such as those of a rate that is always zero."""

# What is learned of one row's days: degrees of freedom; for each carry, squares about the mean and the logarithm of the
# likelihood but for their variance.
FREEDOM, SQUARES = 0, 1
LIKELIHOODS = SQUARES + CARRIES.size
LEARNED = LIKELIHOODS + CARRIES.size

# What a family has in common: days that its squares are worth as a prior, the part of what others say that is news,
# all their degrees of freedom; for each carry, the variance and the logarithm of the likelihood.
PRIOR_DAYS, NEWS, ALL_FREEDOM, VARIANCES = range(4)
FAMILY_LIKELIHOODS = VARIANCES + CARRIES.size
POOL = FAMILY_LIKELIHOODS + CARRIES.size


@kernel
def learn_days(means: Floats, kinds: Integers, learned: Floats) -> None:
    """Write what the days of each row say of its variance.

    Parameters
    ----------
    means
        float64[R, D]: of consecutive days, NaN for those not to learn from.
    kinds
        int64[D]: whether a day was a weekend.
    learned
        float64[R, LEARNED]
    """
    for r in range(means.shape[0]):
        by_kind = has_both_kinds(means[r], kinds, FEWEST_OF_KIND)
        days = 0
        for d in range(kinds.size):
            days += not np.isnan(means[r, d])
        learned[r, FREEDOM] = max(days - 1 - by_kind, 0)
        for c in range(CARRIES.size):
            learned[r, SQUARES + c], learned[r, LIKELIHOODS + c] = _fit(means[r], kinds, by_kind, CARRIES[c])
            if learned[r, SQUARES] < STEADY:
                break


@inlined
def varies(learned: Floats) -> bool:
    """Whether the days of a row say something of others."""
    return bool(learned[FREEDOM] > 0 and learned[SQUARES] >= STEADY)


@inlined
def has_both_kinds(means: Floats, kinds: Integers, fewest: int) -> bool:
    """Whether there are days of either kind."""
    counts = np.zeros(2, dtype=np.int64)
    for d in range(kinds.size):
        if not np.isnan(means[d]):
            counts[kinds[d]] += 1
    return bool(counts[0] >= fewest and counts[1] >= fewest)


@inlined
def _fit(means: Floats, kinds: Integers, by_kind: bool, carry: float) -> tuple[float, float]:
    """Return the squares of AR(1) deviations about means, by generalised least squares, and the rest of the likelihood.

    That is minus half the logarithms of the determinants that the restricted likelihood has.
    """
    # Sums of products of the innovations of a constant, of the kind of day, and of the means.
    ones, kind_ones, kind_kinds, one_means, kind_means, mean_means = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    rest_of_next = 1 - carry * carry
    log_of_next = math.log(rest_of_next)
    log_det = 0.0
    previous = -1
    for d in range(kinds.size):
        if np.isnan(means[d]):
            continue
        constant, kind, mean, rest = 1.0, float(kinds[d]), means[d], 1.0
        if previous >= 0:
            part = carry
            if d == previous + 1:
                rest = rest_of_next
                log_det += log_of_next
            else:
                part = carry ** (d - previous)
                rest = 1 - part * part
                log_det += math.log(rest)
            constant -= part
            kind -= part * kinds[previous]
            mean -= part * means[previous]
        weight = 1 / rest
        ones += weight * constant * constant
        kind_ones += weight * kind * constant
        kind_kinds += weight * kind * kind
        one_means += weight * constant * mean
        kind_means += weight * kind * mean
        mean_means += weight * mean * mean
        previous = d
    if previous < 0:
        return 0.0, 0.0
    log_det += math.log(ones)
    squares = mean_means - one_means * one_means / ones
    if by_kind:
        of_kind = kind_kinds - kind_ones * kind_ones / ones
        difference = kind_means - kind_ones * one_means / ones
        squares -= difference * difference / of_kind
        log_det += math.log(of_kind)
    return max(squares, 0.0), -0.5 * log_det


@kernel
def pool_days(means: Floats, kinds: Integers, rows: Floats, learned: Floats, pools: Floats) -> None:
    """Write what the rows of each family have in common.

    Parameters
    ----------
    means, kinds, learned
        As in `learn_days`.
    rows
        float64[R, ROW]
    pools
        float64[FAMILIES, POOL]
    """
    for family in range(FAMILIES):
        pool = pools[family]
        pool[:] = 0.0
        count = 0
        squares, freedoms = np.empty(rows.shape[0]), np.empty(rows.shape[0])
        gram = np.zeros((kinds.size, kinds.size))
        for r in range(rows.shape[0]):
            if rows[r, FAMILY] != family or not varies(learned[r]):
                continue
            squares[count], freedoms[count] = learned[r, SQUARES], learned[r, FREEDOM]
            count += 1
            pool[ALL_FREEDOM] += learned[r, FREEDOM]
            for c in range(CARRIES.size):
                pool[VARIANCES + c] += learned[r, SQUARES + c]
            _correlate(means[r], kinds, gram)
        if count < 2:
            continue
        pool[NEWS] = _news(gram, count, pool[ALL_FREEDOM] / count)
        for c in range(CARRIES.size):
            pool[VARIANCES + c] /= pool[ALL_FREEDOM]
        pool[PRIOR_DAYS], typical = prior_of(squares[:count], freedoms[:count])
        overall = pool[VARIANCES]
        for c in range(CARRIES.size):
            pool[VARIANCES + c] *= typical / overall
        for r in range(rows.shape[0]):
            if rows[r, FAMILY] == family and varies(learned[r]):
                for c in range(CARRIES.size):
                    pool[FAMILY_LIKELIHOODS + c] += log_likelihood(learned[r], pool, pool[PRIOR_DAYS], c)


@inlined
def log_likelihood(learned: Floats, pool: Floats, prior_days: float, c: int) -> float:
    """Return the logarithm of the likelihood of a carry, by the days of one row."""
    prior = prior_days * pool[VARIANCES + c] + STEADY
    total = prior + learned[SQUARES + c]
    return float(
        learned[LIKELIHOODS + c]
        + 0.5 * prior_days * math.log(prior)
        - 0.5 * (prior_days + learned[FREEDOM]) * math.log(total)
    )


@inlined
def _correlate(means: Floats, kinds: Integers, gram: Floats) -> None:
    """Add the products of a row's standardised deviations, day by day."""
    sums, counts = np.zeros(2), np.zeros(2)
    by_kind = has_both_kinds(means, kinds, FEWEST_OF_KIND)
    for d in range(kinds.size):
        if not np.isnan(means[d]):
            kind = kinds[d] if by_kind else 0
            sums[kind] += means[d]
            counts[kind] += 1
    deviations = np.zeros(kinds.size)
    squares = 0.0
    for d in range(kinds.size):
        if not np.isnan(means[d]):
            kind = kinds[d] if by_kind else 0
            deviations[d] = means[d] - sums[kind] / counts[kind]
            squares += deviations[d] * deviations[d]
    for d in range(kinds.size):
        for e in range(kinds.size):
            gram[d, e] += deviations[d] * deviations[e] / max(squares, STEADY)


@inlined
def _news(gram: Floats, count: int, freedom: float) -> float:
    """Return which part of what others say is news: 1 of independent rows, 1/G of G that are one.

    The sum of all squared correlations of rows is that of the squares of the days' products; by chance alone each would
    be one in so many degrees of freedom.
    """
    total = 0.0
    for d in range(gram.shape[0]):
        for e in range(gram.shape[0]):
            total += gram[d, e] * gram[d, e]
    by_chance = 1 / max(freedom, 1.5)
    square = (total - count) / (count * (count - 1))
    square = min(max((square - by_chance) / (1 - by_chance), 0.0), 1.0)
    return 1 / (1 + (count - 1) * square)


@inlined
def borrow(learned: Floats, pool: Floats, prior: Floats, weights: Floats) -> float:
    """Write how likely each carry is for a row, and return how many days its family's variance is worth."""
    if not varies(learned):
        copy_row(prior, weights)
        return 0.0
    others = max(pool[ALL_FREEDOM] - learned[FREEDOM], 0.0)
    prior_days = min(pool[PRIOR_DAYS], others * pool[NEWS])
    part = min(pool[NEWS], MOST_HEARD / max(others, 1.0))
    highest = -np.inf
    for c in range(CARRIES.size):
        weights[c] = math.log(prior[c]) + part * pool[FAMILY_LIKELIHOODS + c]
        weights[c] -= part * log_likelihood(learned, pool, pool[PRIOR_DAYS], c)
        weights[c] += log_likelihood(learned, pool, prior_days, c)
        highest = max(highest, weights[c])
    total = 0.0
    for c in range(CARRIES.size):
        weights[c] = math.exp(weights[c] - highest)
        total += weights[c]
    for c in range(CARRIES.size):
        weights[c] /= total
    return float(prior_days)
