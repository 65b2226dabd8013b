"""What a channel takes: of what is longer, or cannot be shown, there is a sign in its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

__all__ = ["SIGN", "fitted", "printable"]

SIGN = " …"
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tabs and line feeds, and those that turn the direction of what follows."""


def printable(text: str) -> str:
    r"""Return a text in which a sign stands for each character that cannot be shown, or changes how others are.

    Examples
    --------
    >>> printable("red \x1b[31malert\x00\r\nof\tcharges")
    'red \ufffd[31malert\ufffd\nof\tcharges'
    """
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


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
