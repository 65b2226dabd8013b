"""How a name stands in words that others chose, and what stands there after an erasure.

People write it as it is. A receiver that quotes what it was sent gives it back as JSON, HTML or an address has it, and
cut off where its answer was.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from functools import cached_property
from urllib.parse import quote, quote_plus

__all__ = ["SHORTEST", "Mentions"]

SHORTEST = 4
"""A shorter name stands for itself only in quotes: `7` may be a customer, and is a number everywhere else."""

_LONGEST_SHOWN = 40
"""Characters of a name that Leeway's own sentences show."""

_BEGINS = r"(?:(?<!\w)|(?<=\\[nrt])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
"""Where a word can begin: behind what is no part of one, or behind a character that is written as an escape."""

_WORD = re.compile(_BEGINS)


class Mentions:
    """Finds a name in texts, and writes another in its place.

    Parameters
    ----------
    key : str
        The name.
    marker : str
        The other one; letters, digits and hyphens.

    Examples
    --------
    >>> anna = Mentions("anna@example.org", "erased-1")
    >>> anna.replaced("bad request: joanna@example.org, anna%40example.org and anna@exam")
    'bad request: joanna@example.org, erased-1 and erased-1'
    >>> Mentions("7", "erased-2").replaced("7 alerts, of customer '7'")
    "7 alerts, of customer 'erased-2'"
    """

    def __init__(self, key: str, marker: str) -> None:
        self._key, self._marker = key, marker
        self._forms = sorted(set(_forms(key)), key=lambda form: (-len(form), form))

    @property
    def is_short(self) -> bool:
        """Whether the name is found only in quotes."""
        return len(self._key) < SHORTEST

    @cached_property
    def parts(self) -> list[str]:
        """Texts of which each that names the subject holds one."""
        if self.is_short:
            return [f"{mark}{form}" for form in self._forms for mark in "'\""]
        return sorted({_beginning(form) for form in self._forms})

    @property
    def forms(self) -> list[str]:
        """Every way in which a text may write the name: where :meth:`pattern` matches, one of them stands."""
        return list(self._forms)

    def pattern(self, *, in_quotes: bool = True) -> str:
        """Return what finds the name as a whole word, in the syntax of RE2, which a store understands."""
        apart = r"[^\p{L}\p{N}_]" if in_quotes else r"[^\p{L}\p{N}_'\"]"
        forms = "|".join(map(re.escape, self._forms))
        return rf"(?:^|{apart}|\\[nrt]|\\u[0-9a-fA-F]{{4}}|%[0-9a-fA-F]{{2}})(?:{forms})(?:$|{apart})"

    def replaced(self, text: str) -> str:
        """Return a text of people, programs or receivers without the name."""
        return self._uncut(self._whole.sub(self._marker, text))

    def replaced_in_sentence(self, text: str) -> str:
        """Return a sentence of Leeway's own, in which somebody may be quoted, without the name.

        What stands in quotes is the value of a signal, which may have such a name for another reason; and a number is a
        number there.
        """
        if self.is_short or self._key.isdigit():
            return text
        return self._unquoted.sub(self._marker, text)

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        forms = "|".join(map(re.escape, self._forms))
        if self.is_short:
            return re.compile(rf"(?<=['\"])(?:{forms})(?=\\?['\"])")
        # 4711 is no part of 4711.5.
        begins, ends = (r"(?<!\d[.,])", r"(?![.,]\d)") if self._key.isdigit() else ("", "")
        return re.compile(rf"{_BEGINS}{begins}(?:{forms})(?!\w){ends}")

    @cached_property
    def _unquoted(self) -> re.Pattern[str]:
        forms = "|".join(map(re.escape, self._forms))
        return re.compile(rf"{_BEGINS}(?<!['\"])(?:{forms})(?!\w)")

    def _uncut(self, text: str) -> str:
        """Return a text without the beginning of the name, at least half of it, at its end: answers are cut."""
        for form in () if self.is_short else self._forms:
            start = text.rfind(_beginning(form))
            if start >= 0 and form.startswith(text[start:]) and _WORD.match(text, start):
                return text[:start] + self._marker
        return text


def _beginning(form: str) -> str:
    return form[: max(SHORTEST, (len(form) + 1) // 2)]


def _forms(key: str) -> Iterator[str]:
    """Every way in which a text may write the name."""
    for name in {key, key[:_LONGEST_SHOWN]}:
        for plain in {name, html.escape(name), html.escape(name).replace("&#x27;", "&#39;"), repr(name)[1:-1]}:
            yield plain
            for escaped in (json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]):
                yield from (escaped, json.dumps(escaped)[1:-1])
        yield name.encode("ascii", "xmlcharrefreplace").decode()
        utf8 = name.encode("utf-8", "surrogatepass")
        for written in (quote(utf8), quote(utf8, safe=""), quote_plus(utf8)):
            yield from (written, re.sub(r"%..", lambda code: code[0].lower(), written))
