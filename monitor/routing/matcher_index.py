"""Which of many lists of matchers may match labels, without asking each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from monitor.routing.matchers import Labels, Matcher

__all__ = ["MatcherIndex"]

MOST_VALUES = 50_000
"""So many values of a label are remembered with the expressions that match them."""

GRAM = 3
"""Characters of a text by which it is found in values."""

_PART = re.compile(
    r"(?P<text>[^\\.+*?()|\[\]{}^$]|\\[!-/:-@\[-`{-~])(?P<repeated>[*+?]\??|\{)?"
    r"|(?P<other>(?:\.|\[\^?[^\[\]\\^]+\])(?:[*+?]\??|\{[0-9,]*\}\??)?|[$^])",
    re.DOTALL,
)
"""Of an expression: a character that stands for itself, or what stands for one of several."""


class MatcherIndex:
    """Finds lists that may match, by the values that they want labels to have.

    A list with matchers such as ``team="a"`` is looked up by the one of them whose label tells most lists apart. One
    with expressions only is looked up by one of them, by a text that a value must hold if there is any, which is asked
    once for each value that holds it. Others are always candidates.

    Parameters
    ----------
    lists : iterable of sequence of Matcher

    Examples
    --------
    >>> from monitor.routing.matchers import parse_matchers
    >>> lists = ["team=a", "team=b,severity=info", "severity=~i.*", "severity!=info"]
    >>> index = MatcherIndex(map(parse_matchers, lists))
    >>> index.candidates({"team": "b", "severity": "warning"})
    [1, 3]
    """

    def __init__(self, lists: Iterable[Sequence[Matcher]] = ()) -> None:
        self._count = 0
        self._always: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = {}
        self._by_expression: dict[str, _Expressions] = {}
        every = list(lists)
        self._values: dict[str, set[str]] = {}
        for matchers in every:
            self._note_values(matchers)
        for matchers in every:
            self.add(matchers)

    def add(self, matchers: Sequence[Matcher]) -> None:
        """Add a list behind the others."""
        index, self._count = self._count, self._count + 1
        self._note_values(matchers)
        exact = _exact(matchers)
        expressions = [matcher for matcher in matchers if matcher.operator == "=~"]
        if exact:
            best = max(exact, key=lambda matcher: (len(self._values[matcher.name]), matcher.name))
            self._by_value.setdefault(best.name, {}).setdefault(best.value, []).append(index)
        elif expressions:
            first = max(expressions, key=lambda matcher: min(len(_needed(matcher.value)), GRAM))
            self._by_expression.setdefault(first.name, _Expressions()).add(index, first)
        else:
            self._always.append(index)

    def candidates(self, labels: Labels) -> list[int]:
        """Return the places of lists that may match, in order."""
        indices = self._always.copy()
        for name, by_value in self._by_value.items():
            indices += by_value.get(labels.get(name, ""), ())
        for name, expressions in self._by_expression.items():
            indices += expressions.matching(labels.get(name, ""))
        indices.sort()
        return indices

    def _note_values(self, matchers: Sequence[Matcher]) -> None:
        for matcher in _exact(matchers):
            self._values.setdefault(matcher.name, set()).add(matcher.value)


class _Expressions:
    """The expressions on one label, by texts that values must hold; each is asked once for a value that holds its."""

    def __init__(self) -> None:
        self._by_gram: dict[str, list[tuple[int, Matcher]]] = {}
        self._matching: dict[str, list[int]] = {}

    def add(self, index: int, expression: Matcher) -> None:
        text = _needed(expression.value)
        # Of those in its text the one that fewest others have, so that values meet few expressions.
        gram = min(_grams(text, min(len(text), GRAM)), key=lambda gram: len(self._by_gram.get(gram, ())))
        self._by_gram.setdefault(gram, []).append((index, expression))
        for value, indices in self._matching.items():
            if gram in value and expression.asks(value):
                indices.append(index)

    def matching(self, value: str) -> list[int]:
        indices = self._matching.get(value)
        if indices is None:
            if len(self._matching) >= MOST_VALUES:
                self._matching.clear()
            grams = set(chain.from_iterable(_grams(value, length) for length in range(GRAM + 1)))
            candidates = chain.from_iterable(self._by_gram.get(gram, ()) for gram in grams)
            indices = self._matching[value] = [index for index, expression in candidates if expression.asks(value)]
        return indices


def _grams(text: str, length: int) -> list[str]:
    """Return the parts of a text that have a length; of length 0 it is the empty one."""
    return [text[start : start + length] for start in range(len(text) - length + 1)] if length else [""]


def _needed(expression: str) -> str:
    r"""Return a text that every value holds which an expression matches: the longest that is easily seen, or none.

    Examples
    --------
    >>> [_needed(text) for text in (".*foo", "web-[0-9]+-eu.*", "a?bc*d+e", r"v1\.2", r"\dab")]
    ['foo', 'web-', 'b', 'v1.2', '']
    >>> [_needed(text) for text in ("web|db", "(?i)web", "x{2}yz", "[^a]")]
    ['', '', '', '']
    """
    if "|" in expression or ")" in expression:
        return ""
    texts, at = [""], 0
    while (part := _PART.match(expression, at)) is not None and not (part["repeated"] or "").startswith("{"):
        at = part.end()
        repeated = (part["repeated"] or "")[:1]
        # What may be absent is left out; what may come again is followed by no more than what comes behind it.
        if part["text"] and repeated in ("", "+"):
            texts[-1] += part["text"][-1]
        if part["other"] or repeated:
            texts.append("")
    return max(texts, key=len)


def _exact(matchers: Sequence[Matcher]) -> list[Matcher]:
    return [matcher for matcher in matchers if matcher.operator == "=" and matcher.value]
