"""Which of many lists of matchers may match labels, without asking each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from monitor.routing.matchers import Labels, Matcher

__all__ = ["MatcherIndex"]

MOST_VALUES = 50_000
"""So many values of a label are remembered with the expressions that match them."""

_LITERAL = re.compile(r"([^\\.+*?()|\[\]{}^$]*)([*?+{]?)")


class MatcherIndex:
    """Finds lists that may match, by the values that they want labels to have.

    A list with matchers such as ``team="a"`` is looked up by the one of them whose label tells most lists apart. One
    with expressions only is looked up by one of them, by the text that it begins with if there is any, which is asked
    once for each value. Others are always candidates.

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
            first = max(expressions, key=lambda matcher: bool(_prefix(matcher.value)))
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
    """The expressions on one label, by how the values begin that they may match; each is asked once for a value."""

    def __init__(self) -> None:
        self._by_prefix: dict[str, list[tuple[int, Matcher]]] = {}
        self._lengths: set[int] = set()
        self._matching: dict[str, list[int]] = {}

    def add(self, index: int, expression: Matcher) -> None:
        prefix = _prefix(expression.value)
        self._by_prefix.setdefault(prefix, []).append((index, expression))
        self._lengths.add(len(prefix))
        for value, indices in self._matching.items():
            if value.startswith(prefix) and expression.matches({expression.name: value}):
                indices.append(index)

    def matching(self, value: str) -> list[int]:
        indices = self._matching.get(value)
        if indices is None:
            if len(self._matching) >= MOST_VALUES:
                self._matching.clear()
            prefixes = [value[:length] for length in self._lengths if length <= len(value)]
            candidates = chain.from_iterable(self._by_prefix.get(prefix, ()) for prefix in prefixes)
            indices = [index for index, expression in candidates if expression.matches({expression.name: value})]
            self._matching[value] = indices
        return indices


def _prefix(expression: str) -> str:
    """Return how every value begins that an expression matches: its text up to the first sign with a meaning.

    Examples
    --------
    >>> [_prefix(text) for text in ("web-1.*", "web-1*", "web|db", "(?i)web", "web")]
    ['web-1', 'web-', '', '', 'web']
    """
    if "|" in expression or ")" in expression:
        return ""
    literal, repeated = _LITERAL.match(expression).groups()  # type: ignore[union-attr]
    return literal[:-1] if repeated else literal


def _exact(matchers: Sequence[Matcher]) -> list[Matcher]:
    return [matcher for matcher in matchers if matcher.operator == "=" and matcher.value]
