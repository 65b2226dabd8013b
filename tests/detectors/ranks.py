"""Ranks of values in bins, by keeping all of them; the plain twin of ``detectors/drift/ranks.py``."""

from __future__ import annotations

from bisect import bisect_left


def uniform(seed: int, counter: int) -> float:
    """The random number of detectors that need some: two rounds of multiply and shift on 32 bits."""
    mixed = (counter + seed * 0x9E3779B1) % 2**32
    for _ in range(2):
        mixed = (mixed ^ mixed >> 16) * 0x45D9F3B % 2**32
    return ((mixed ^ mixed >> 16) + 0.5) / 2**32


class Ranks:
    """Ranks among all values that came after the first `sample`, which set the edges of bins."""

    def __init__(self, sample: int, most: int, seed: int) -> None:
        self.sample, self.most, self.seed = sample, most, seed
        self.seen: list[float] = []
        self.edges: list[float] = []
        self.bins: list[tuple[int, bool]] = []

    def update(self, x: float) -> float | None:
        self.seen.append(x)
        if len(self.seen) <= self.sample:
            if len(self.seen) == self.sample:
                self.edges = self.chosen(sorted(self.seen))
            return None
        # How many edges are below, and whether it is one.
        bin_ = (bisect_left(self.edges, x), x in self.edges)
        self.bins.append(bin_)
        below, equal = sum(other < bin_ for other in self.bins), self.bins.count(bin_)
        return (below + uniform(self.seed, len(self.seen)) * equal) / len(self.bins)

    def chosen(self, ordered: list[float]) -> list[float]:
        shares = [j / (self.most - 1) for j in range(self.most)]
        places = {int((len(ordered) - 1) * share * share * (3 - 2 * share)) for share in shares}
        return sorted({ordered[index] for index in places})
