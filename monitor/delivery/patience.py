"""How long a receiver is waited for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True)
class Patience:
    """How long to wait between tries.

    Parameters
    ----------
    first_s, most_s : float
        The first pause between tries, and the longest; each is twice the one before.
    most_held_s : float
        The longest that a receiver is left alone because it asks for that: an answer may ask for years.

    Examples
    --------
    >>> [Patience().pause_s(attempts) for attempts in (1, 2, 3, 12)]
    [1.0, 2.0, 4.0, 300.0]
    """

    first_s: float = 1.0
    most_s: float = 300.0
    most_held_s: float = 3600.0

    def pause_s(self, attempts: int) -> float:
        """Return the pause after ``attempts`` (≥ 1) tries."""
        # The exponent is bounded because 2.0**1024 overflows.
        return min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 60))
