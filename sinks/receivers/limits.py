"""How much a channel takes: what is longer is cut between words, with a sign that it was."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

__all__ = ["SIGN", "fitted"]

SIGN = " …"


def fitted(text: str, most: int, measure: Callable[[str], int] = len) -> str:
    """Return a text, or as many of its first words as a channel takes, and a sign.

    Parameters
    ----------
    text : str
    most : int
        What ``measure`` may say of what is returned.
    measure : callable
        From a text to how long it is for the channel, after escaping, say; it grows with the text.

    Examples
    --------
    >>> fitted("payments are down", 17), fitted("payments are down", 16)
    ('payments are down', 'payments are …')
    >>> fitted("a < b < c", 12, lambda text: len(text.replace("<", "&lt;")))
    'a < b …'
    """
    if measure(text) <= most:
        return text
    length = bisect_right(range(len(text)), most, key=lambda end: measure(text[:end] + SIGN)) - 1
    words = text[: max(length, 0)]
    # A word that is longer than all the room there is has to be cut.
    if words and length < len(text) and not text[length].isspace():
        words = words.rpartition(" ")[0] or words.rpartition("\n")[0] or words
    return words.rstrip() + SIGN
