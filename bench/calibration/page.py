"""The tables of the page that tells how often we are wrong, made of what was measured and is kept.

Each measurement is a file of :data:`MEASURED`, as ``--json`` prints it; one that is made again replaces its file.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

__all__ = ["MEASURED", "PAGE", "with_tables"]

MEASURED = Path(__file__).with_name("measured")
PAGE = Path(__file__).parents[2] / "docs" / "how-often-are-we-wrong.md"


def with_tables(page: str, measured: Iterable[str]) -> str:
    r"""Put tables in the place of those that a page has under the same headings.

    Parameters
    ----------
    page : str
        Markdown.
    measured : iterable of str
        Lines of Markdown: headings, each with its tables. What the page has no heading for is left out.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a heading has another number of tables in the page than was measured.

    Examples
    --------
    >>> page = "### Found\n\nSoon:\n\n| a |\n|---|\n| 1 |\n"
    >>> print(with_tables(page, ["### Found", "", "| a |", "|---|", "| 2 |"]))
    ### Found
    <BLANKLINE>
    Soon:
    <BLANKLINE>
    | a |
    |---|
    | 2 |
    <BLANKLINE>
    """
    lines, fresh = page.split("\n"), list(measured)
    there = _tables(fresh)
    # From the last one up, so that the places of those above it stay.
    for heading, here in reversed(_tables(lines).items()):
        if heading not in there:
            continue
        if len(here) != len(there[heading]):
            raise ValueError(f"{heading!r} has {len(here)} tables in the page, and {len(there[heading])} were measured")
        for old, new in zip(reversed(here), reversed(there[heading]), strict=True):
            lines[old] = fresh[new]
    return "\n".join(lines)


def _tables(lines: list[str]) -> dict[str, list[slice]]:
    """Return where the tables under each heading are."""
    found: dict[str, list[slice]] = {}
    heading, start = "", 0
    for number, (line, following) in enumerate(pairwise([*lines, ""])):
        if line.startswith("#"):
            heading = line
        if not line.startswith("|"):
            start = number + 1
        elif not following.startswith("|"):
            found.setdefault(heading, []).append(slice(start, number + 1))
    return found
