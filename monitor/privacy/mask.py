"""What the values of one field become.

Every function here is pure, and looks at each value by itself: what is stored depends on no batch, and a replay with
the same key stores the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DROPPED", "Mask", "key_of"]

Floats = NDArray[np.float64]

DROPPED = "dropped"
"""The category of every value of a field that is dropped; a number is 0."""

_DIGITS = 5
"""Binary digits that are left of a personal number: it is off by at most 1/32."""

_OUTSIDE = 32
"""What is out of a range counts as at least such a part of it away from it."""

_LARGEST_EXPONENT = 1024
_PREFIXES = {"hash": "hashed", "personal": "personal"}


@dataclass(frozen=True)
class Mask:
    """What the values of one field become.

    Attributes
    ----------
    kind : {"drop", "hash", "bucket", "personal"}
    key : bytes
        Of digests.
    edges : tuple of float
        Of buckets, ascending.
    range : tuple of float, or None
        What becomes of a number is within it, or below or above it, as the number itself is: the side on which it
        misses the range counts.

    Examples
    --------
    >>> Mask("bucket", edges=(0, 18, 65)).numbers(np.array([-3, 17.9, 18, 99, np.nan]))
    array([ 0.,  0., 18., 65., nan])
    >>> Mask("personal").numbers(np.array([1234.5, 43.0, np.inf]))
    array([1216.,   44.,   inf])
    >>> Mask("bucket", edges=(0, 30), range=(16, 80)).numbers(np.array([-5.0, 20.0, 31.0, 99.0]))
    array([ 0., 16., 30., 82.])
    >>> Mask("hash", key_of("x" * 32)).names(["anna", None, "anna"])
    ['hashed-fbc183f855f62e19', None, 'hashed-fbc183f855f62e19']
    """

    kind: Literal["drop", "hash", "bucket", "personal"]
    key: bytes = b""
    edges: tuple[float, ...] = ()
    range: tuple[float, float] | None = None

    @property
    def shows_values(self) -> bool:
        """Whether a single value, as it has become, may be stored and shown."""
        return self.kind in ("hash", "bucket")

    def numbers(self, values: Floats) -> Floats:
        """Return what numbers become; those that are missing (NaN) or unusable (inf) stay so."""
        if self.kind == "drop":
            return np.where(np.isfinite(values), 0.0, values)
        if self.kind == "bucket":
            edges = np.array(self.edges)
            at_or_below = np.maximum(np.searchsorted(edges, values, side="right") - 1, 0)
            masked = np.where(np.isfinite(values), edges[at_or_below], values)
        else:
            masked = _rounded(values)
        return masked if self.range is None else _on_its_side(values, masked, *self.range)

    def names(self, names: Sequence[Any]) -> list[Any]:
        """Return what categories become; what is no text stands for one that is missing or unusable, and stays."""
        return [self.text(name) if isinstance(name, str) else name for name in names]

    def text(self, text: str) -> str:
        """Return what a text becomes: equal ones become equal."""
        if self.kind == "drop":
            return DROPPED
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self.key, digest_size=8)
        return f"{_PREFIXES[self.kind]}-{digest.hexdigest()}"


def _on_its_side(values: Floats, masked: Floats, low: float, high: float) -> Floats:
    """Return what values have become, moved to the side of a range on which each is: further is not told."""
    step = high / _OUTSIDE - low / _OUTSIDE
    within = (values >= low) & (values <= high)
    masked = np.where(within, np.clip(masked, low, high), masked)
    masked = np.where(np.isfinite(values) & (values > high), np.maximum(masked, _beyond(high, step)), masked)
    return np.where(np.isfinite(values) & (values < low), np.minimum(masked, _beyond(low, -step)), masked)


def _beyond(end: float, step: float) -> float:
    """A number beyond the end of a range, by a step that is not lost in its digits."""
    return (
        end + step
        if np.isfinite(end + step) and end + step != end
        else float(np.nextafter(end, np.copysign(np.inf, step)))
    )


def key_of(secret: str) -> bytes:
    """Return the key that a secret of any length stands for."""
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"leeway field key").digest() if secret else b""


def _rounded(values: Floats) -> Floats:
    """Round to a few binary digits, by their bits: no logarithm, which processors disagree on."""
    mantissa, exponent = np.frexp(values)
    scaled = np.ldexp(mantissa, _DIGITS)
    # The largest numbers have no larger one to be rounded to.
    digits = np.where(exponent == _LARGEST_EXPONENT, np.trunc(scaled), np.rint(scaled))
    return np.asarray(np.ldexp(digits, exponent - _DIGITS), dtype=np.float64)
