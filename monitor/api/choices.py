"""What there is in place of a name that is wrong: of very many names, those that help."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.errors import nearest_hint

__all__ = ["known_names", "listed_names"]

MOST_NAMES = 20


def known_names(name: str, names: Sequence[str]) -> str:
    """Say which names there are in place of a wrong one: all if they are few, else the nearest and some.

    Examples
    --------
    >>> known_names("fruad", ["fraud", "churn"])
    'known are fraud, churn'
    >>> known_names("loan-7x", [f"loan-{n}" for n in range(3_000)])[:57]
    "did you mean 'loan-7'? known are loan-0, loan-1, loan-2, "
    """
    hint = nearest_hint(name, names) if len(names) > MOST_NAMES else ""
    return f"{hint}known are {listed_names(names)}"


def listed_names(names: Sequence[str]) -> str:
    """List names, or some of them and how many others there are.

    Examples
    --------
    >>> listed_names([str(n) for n in range(3_000)])[-25:]
    ', 18, 19 and 2,980 others'
    """
    others = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {others:,} others" if others > 0 else "")
