"""Tail probabilities of the distributions that the distances are compared with, and their inverses.

Written out here since `detectors/` needs nothing but NumPy and Numba. Far tails keep their relative precision: budgets
of one false alarm a month over a thousand signals lead to probabilities around 1e-9 and below.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel

Floats = npt.NDArray[np.float64]

SMALLEST = 1e-300
EPSILON = 1e-16
# From here on Stirling's series is exact to double precision, and below it lgamma() is.
STIRLING_FROM = 16.0


def chi2_sf(x: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return P(X > x) for the chi-squared distribution.

    The regularised upper incomplete gamma function Q(df/2, x/2), by its power series and its continued fraction
    (Abramowitz and Stegun 6.5.29 and 6.5.31).

    Parameters
    ----------
    x, df
        float64, broadcast against each other. No degree of freedom means that X is 0; NaN gives NaN.

    Examples
    --------
    >>> chi2_sf([3.841458820694124, 0.0], 1).round(12).tolist()
    [0.05, 1.0]
    """
    values, degrees = _broadcast(np.asarray(x, np.float64), df)
    out = np.empty(values.size)
    _chi2_sf(values.ravel(), degrees.ravel(), out)
    return out.reshape(values.shape)


def kolmogorov_sf(x: npt.ArrayLike) -> Floats:
    """Return P(K > x) for Kolmogorov's distribution, the limit of ``sqrt(n) * D``.

    Two series (Kolmogorov 1933; Feller, Ann. Math. Stat. 19, 1948), each used where it converges in a few terms.

    Examples
    --------
    >>> kolmogorov_sf([0.0, 1.3580986393225507]).round(12).tolist()
    [1.0, 0.05]
    """
    values = np.asarray(x, np.float64)
    out = np.empty(values.size)
    _kolmogorov_sf(values.ravel(), out)
    return out.reshape(values.shape)


def normal_sf(x: npt.ArrayLike) -> Floats:
    """Return P(Z > x) for the standard normal distribution.

    Examples
    --------
    >>> normal_sf([0.0, 1.959963984540054]).round(12).tolist()
    [0.5, 0.025]
    """
    values = np.asarray(x, np.float64)
    out = np.empty(values.size)
    _normal_sf(values.ravel(), out)
    return out.reshape(values.shape)


def student_t_isf(p: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return the x with P(T > x) = p for Student's t distribution; infinite for 0 and 1.

    Newton's method on the logarithm of the tail, which is concave, within a bracket.

    Raises
    ------
    ValueError
        If a probability is not within [0, 1], or `df` is not positive.

    Examples
    --------
    >>> student_t_isf([0.5, 0.025], 10).round(12).tolist()
    [0.0, 2.228138851986]
    """
    values, degrees = _broadcast(_probabilities(p), df)
    if not (degrees > 0).all():
        raise ValueError("degrees of freedom must be positive")
    out = np.empty(values.size)
    _student_t_isf(values.ravel(), degrees.ravel(), out)
    return out.reshape(values.shape)


def _broadcast(values: Floats, df: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Bring both to one shape, as arrays of their own: what NumPy broadcasts is not to be written to."""
    shape = np.broadcast_shapes(values.shape, np.shape(df))
    out: tuple[Floats, Floats] = (np.empty(shape), np.empty(shape))
    out[0][...] = values
    out[1][...] = df
    return out


def _probabilities(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a probability lies between 0 and 1")
    return values


@kernel
def _chi2_sf(x: Floats, df: Floats, out: Floats) -> None:
    for i in range(x.size):
        if np.isnan(x[i]) or np.isnan(df[i]):
            out[i] = np.nan
        elif x[i] <= 0:
            out[i] = 1.0
        elif df[i] <= 0 or x[i] == np.inf:
            out[i] = 0.0
        else:
            out[i] = _upper_gamma(df[i] / 2, x[i] / 2)


@kernel
def _upper_gamma(a: float, x: float) -> float:
    """Return Q(a, x), x and a being positive."""
    front = _gamma_front(a, x)
    if x < a + 1:
        term = 1.0 / a
        total = term
        k = a
        while term > total * EPSILON:
            k += 1
            term *= x / k
            total += term
        return max(1 - front * total, 0.0)
    # Lentz's method.
    b = x + 1 - a
    c = 1 / SMALLEST
    d = 1 / b
    fraction = d
    k = 0.0
    change = 0.0
    while abs(change - 1) > EPSILON * 4:
        k += 1
        step = -k * (k - a)
        b += 2
        d = _away_from_zero(step * d + b)
        c = _away_from_zero(b + step / c)
        d = 1 / d
        change = d * c
        fraction *= change
    return front * fraction


@kernel
def _away_from_zero(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST


@kernel
def _gamma_front(a: float, x: float) -> float:
    """Return x**a * exp(-x) / Gamma(a).

    For large a the factors are huge and nearly cancel, so their logarithms are combined before they are rounded:
    Gamma(a) = sqrt(2 pi / a) (a / e)**a exp(s), s being Stirling's series.
    """
    if a < STIRLING_FROM:
        return math.exp(a * math.log(x) - x - math.lgamma(a))
    away = (x - a) / a
    exponent = -a * _minus_log1p(away) - _stirling(a)
    return math.exp(exponent) * math.sqrt(a / (2 * math.pi))


@kernel
def _minus_log1p(u: float) -> float:
    """Return u - log(1 + u) without cancellation for small u."""
    if abs(u) > 0.1:
        return u - math.log1p(u)
    total = 0.0
    power = -u
    for k in range(2, 20):
        power *= -u
        total += power / k
    return total


@kernel
def _stirling(a: float) -> float:
    """Return log Gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2 (Abramowitz and Stegun 6.1.41)."""
    s = 1 / (a * a)
    return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * 691 / 360360))))) / a


@kernel
def _kolmogorov_sf(x: Floats, out: Floats) -> None:
    for i in range(x.size):
        value = x[i]
        if np.isnan(value):
            out[i] = np.nan
        elif value < 0.04:
            # The complement is below the smallest double.
            out[i] = 1.0
        elif value < 1:
            total = 0.0
            for k in range(1, 8, 2):
                total += math.exp(-((k * math.pi / value) ** 2) / 8)
            out[i] = 1 - math.sqrt(2 * math.pi) / value * total
        else:
            total = 0.0
            for k in range(1, 6):
                total += (1 if k % 2 else -1) * math.exp(-2 * (k * value) ** 2)
            out[i] = 2 * total


@kernel
def _normal_sf(x: Floats, out: Floats) -> None:
    for i in range(x.size):
        out[i] = math.erfc(x[i] / math.sqrt(2)) / 2


@kernel
def _student_t_isf(p: Floats, df: Floats, out: Floats) -> None:
    for i in range(p.size):
        if p[i] == 0 or p[i] == 1:
            out[i] = np.inf if p[i] == 0 else -np.inf
        elif p[i] <= 0.5:
            out[i] = _t_upper_quantile(p[i], df[i])
        else:
            out[i] = -_t_upper_quantile(1 - p[i], df[i])


@kernel
def _t_upper_quantile(p: float, df: float) -> float:
    """Solve for log t, in which the logarithm of the tail is nearly straight; p is at most a half."""
    if p == 0.5:
        return 0.0
    if p > 0.4:
        return _t_near_middle(p, df)
    low = -4.0
    high = 1.0
    while t_tail(math.exp(high), df) > p and high < 700:
        high *= 2
    high = min(high, 709.0)
    log_t = (low + high) / 2
    for _ in range(200):
        t = math.exp(log_t)
        tail = t_tail(t, df)
        if tail > p:
            low = log_t
        else:
            high = log_t
        following = (low + high) / 2
        if tail > 0:
            slope = -t * _t_density(t, df) / tail
            newton = log_t - math.log(tail / p) / slope if slope < 0 else following
            if low < newton < high:
                following = newton
        if abs(following - log_t) < 1e-15 * max(abs(log_t), 1.0):
            break
        log_t = following
    return math.exp(log_t)


@kernel
def _t_near_middle(p: float, df: float) -> float:
    """Newton's method where the density is nearly constant."""
    t = 0.0
    for _ in range(60):
        step = (0.5 - p - _t_middle(t, df)) / _t_density(t, df)
        t += step
        if abs(step) <= 1e-15 * abs(t):
            break
    return t


@kernel
def _t_middle(t: float, df: float) -> float:
    """Return P(0 < T < t) for a small t: half of I_x(1/2, df/2) at x = t² / (df + t²)."""
    if t <= 0:
        return 0.0
    ratio = t / df * t
    log_rest = -math.log1p(ratio)
    return 0.5 * _beta_fraction(0.5, df / 2, ratio / (1 + ratio), math.log(ratio) + log_rest, log_rest)


@kernel
def t_tail(t: float, df: float) -> float:
    """Return P(T > t) for t > 0: half of I_x(df/2, 1/2) at x = df / (df + t²)."""
    log_ratio = 2 * math.log(t) - math.log(df)
    if log_ratio < -math.log1p(df):
        return 0.5 - _t_middle(t, df)
    # Where the ratio itself would overflow, 1 is nothing beside it.
    log_x = -math.log1p(math.exp(log_ratio)) if log_ratio < 700 else -log_ratio
    return 0.5 * _beta_fraction(df / 2, 0.5, math.exp(log_x), log_x, min(log_ratio + log_x, 0.0))


@kernel
def _t_density(t: float, df: float) -> float:
    return math.exp(-(df + 1) / 2 * math.log1p(t * t / df)) * _gamma_ratio(df / 2) / math.sqrt(df * math.pi)


@kernel
def _gamma_ratio(a: float) -> float:
    """Return Gamma(a + 1/2) / Gamma(a)."""
    if a < STIRLING_FROM:
        return math.exp(math.lgamma(a + 0.5) - math.lgamma(a))
    exponent = a * math.log1p(0.5 / a) - 0.5 + _stirling(a + 0.5) - _stirling(a)
    return math.exp(exponent) * math.sqrt(a)


@kernel
def _beta_fraction(a: float, b: float, x: float, log_x: float, log_rest: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), one of a and b being a half.

    Its continued fraction (Abramowitz and Stegun 26.5.8), for x below about (a + 1) / (a + b + 2). The logarithms of
    x and 1 - x are given, since x alone has lost the digits that matter when it is close to 1.
    """
    other = b if a == 0.5 else a
    front = _gamma_ratio(other) / math.sqrt(math.pi) * math.exp(a * log_x + b * log_rest) / a
    c = 1.0
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for k in range(1, 100_000):
        for even in (True, False):
            if even:
                step = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
            else:
                step = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
            d = 1 / _away_from_zero(1 + step * d)
            c = _away_from_zero(1 + step / c)
            change = c * d
            fraction *= change
        if abs(change - 1) < 4 * EPSILON:
            break
    return front * fraction
