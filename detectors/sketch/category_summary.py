"""What a category sketch says about a pane: exact counts for what matters, a fair sample of the rest.

Which names to keep is decided by a *bottom-k sample* (Cohen and Kaplan, "Summarizing data using bottom-k sketches",
PODC 2007): of the names that are not declared, the k whose hashes are smallest are counted exactly, all others are
counted together. The hash of a name depends on nothing but the name, which makes the sample

- **mergeable**: a name among the k smallest of a union is among the k smallest of every part that it occurs in, so
  that every part counted it exactly, and adding the counts is exact;
- **independent of order and partition**: a name that left the sample can never return, since the k names that beat it
  stay or give way to still smaller ones; its count belongs to "other" wherever that is decided;
- **comparable**: two windows sample the same names, so that their shares can be compared.

Keeping the k most *frequent* names instead has none of these properties.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class Invalid:
    """The type of `INVALID`, which stands for a value that is there but is not a name."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = Invalid()
Value = str | None | Invalid


@lru_cache(maxsize=1 << 16)
def name_hash(name: str) -> int:
    """Return 64 bits that depend on the name alone: BLAKE2b, as the built-in hash differs between processes.

    Examples
    --------
    >>> hex(name_hash("DE"))
    '0xd9edf835685c388a'
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@dataclass(frozen=True)
class CategoryLayout:
    """Which names of a feature are always counted, and how many of the others.

    Parameters
    ----------
    known
        Declared names, sorted and without repetition whatever was given.
    sample
        How many further names are counted one by one.

    Raises
    ------
    ValueError
        If `sample` is negative.

    Examples
    --------
    >>> CategoryLayout(("b", "a", "b")).known
    ('a', 'b')
    """

    known: tuple[str, ...] = ()
    sample: int = 512

    def __post_init__(self) -> None:
        if self.sample < 0:
            raise ValueError(f"sample must not be negative, but is {self.sample}")
        object.__setattr__(self, "known", tuple(sorted(set(self.known))))

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits that depend on everything in the layout, the same on every machine."""
        parts = [str(self.sample), *self.known]
        # Lengths keep ("a", "b") and ("ab",) apart.
        content = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=8).hexdigest()

    @cached_property
    def known_set(self) -> frozenset[str]:
        """The declared names."""
        return frozenset(self.known)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {"known": list(self.known), "sample": self.sample}


@dataclass(slots=True, eq=False)
class CategorySummary:
    """The additive summary of one category feature over any set of events.

    Parameters
    ----------
    n
        Number of names; the sum of `counts` and `other`.
    missing, invalid
        Number of missing values, and of values that are not names.
    names, counts
        Names in order, and how often each occurred (int64, positive): the known ones and the bottom-k sample.
    other
        How often all other names occurred together.
    layout
        Says which names are kept when summaries are added.

    Examples
    --------
    >>> layout = CategoryLayout(known=("a",), sample=1)
    >>> both = summarize(layout, {"a": 2, "x": 1}) + summarize(layout, {"x": 3, "y": 5})
    >>> both.n, len(both.names), int(both.counts.sum()) + both.other
    (11, 2, 11)
    """

    n: int
    missing: int
    invalid: int
    names: tuple[str, ...]
    counts: Counts
    other: int
    layout: CategoryLayout = field(repr=False)

    @property
    def total(self) -> int:
        """Number of events, whatever their value."""
        return self.n + self.missing + self.invalid

    def __add__(self, other: CategorySummary) -> CategorySummary:
        if not isinstance(other, CategorySummary):
            return NotImplemented
        return sum_categories((self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CategorySummary):
            return NotImplemented
        return self._content() == other._content() and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]

    def distinct(self) -> float:
        """Estimate how many distinct names occurred, exact while all of them are counted one by one.

        The estimate of the names not declared is ``(k - 1) / h``, h being the k-th smallest hash as a fraction of
        its range (Bar-Yossef et al., RANDOM 2002); its relative error is about ``1 / sqrt(k - 2)``.

        Examples
        --------
        >>> summarize(CategoryLayout(), {"a": 2, "b": 1}).distinct()
        2.0
        """
        unknown = [name_hash(name) for name in self.names if name not in self.layout.known_set]
        if self.other == 0 or len(unknown) < 2:
            return float(len(self.names))
        estimate = (len(unknown) - 1) * 2.0**64 / max(unknown)
        return len(self.names) - len(unknown) + max(estimate, len(unknown) + 1)

    def _content(self) -> tuple[object, ...]:
        return (self.n, self.missing, self.invalid, self.names, self.other, self.layout)


def summarize(
    layout: CategoryLayout, counts: Mapping[str, int], missing: int = 0, invalid: int = 0, other: int = 0
) -> CategorySummary:
    """Build a summary from the count of each name; what does not belong into the sample is added to `other`.

    Examples
    --------
    >>> summarize(CategoryLayout(known=("a",), sample=0), {"a": 2, "x": 1}).other
    1
    """
    present = [name for name, count in counts.items() if count]
    names = sorted(chain(sampled(layout, present), (name for name in present if name in layout.known_set)))
    counts_of_names = np.array([counts[name] for name in names], dtype=np.int64)
    n = sum(counts.values()) + other
    return CategorySummary(n, missing, invalid, tuple(names), counts_of_names, n - int(counts_of_names.sum()), layout)


def sampled(layout: CategoryLayout, names: Sequence[str]) -> list[str]:
    """Return those of the undeclared `names` that are in the bottom-k sample; equal hashes are told by name."""
    unknown = [name for name in names if name not in layout.known_set]
    if len(unknown) <= layout.sample:
        return unknown
    unknown.sort()
    hashes = np.array([name_hash(name) for name in unknown], dtype=np.uint64)
    smallest = np.argsort(hashes, kind="stable")[: layout.sample]
    return [unknown[i] for i in smallest.tolist()]


def sum_categories(summaries: Sequence[CategorySummary]) -> CategorySummary:
    """Add summaries of one layout; exact, in any order.

    Raises
    ------
    ValueError
        If there is no summary, or if their layouts differ.
    """
    layouts = {summary.layout for summary in summaries}
    if len(layouts) != 1:
        raise ValueError(f"can only add summaries of one layout, not of {len(layouts)}")
    counts: dict[str, int] = {}
    for summary in summaries:
        for name, count in zip(summary.names, summary.counts.tolist(), strict=True):
            counts[name] = counts.get(name, 0) + count
    return summarize(
        layouts.pop(),
        counts,
        missing=sum(s.missing for s in summaries),
        invalid=sum(s.invalid for s in summaries),
        other=sum(s.other for s in summaries),
    )
