"""Which of many lists of matchers may match labels, without asking each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.routing.matchers import Labels, Matcher

__all__ = ["MatcherIndex"]

MOST_VALUES = 50_000
"""So many values of a label are remembered with the expressions that match them."""


class MatcherIndex:
    """Finds lists that may match, by the values that they want labels to have.

    A list with matchers such as ``team="a"`` is looked up by the one of them whose label tells most lists apart. One
    with expressions only is looked up by the first of them, which is asked once for each value. Others are always
    candidates.

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

    def __init__(self, lists: Iterable[Sequence[Matcher]]) -> None:
        self._always: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = {}
        self._by_expression: dict[str, list[tuple[int, Matcher]]] = {}
        self._matching: dict[str, dict[str, list[int]]] = {}
        every = list(lists)
        values: dict[str, set[str]] = {}
        for matcher in (matcher for matchers in every for matcher in _exact(matchers)):
            values.setdefault(matcher.name, set()).add(matcher.value)
        for index, matchers in enumerate(every):
            exact = _exact(matchers)
            expression = next((matcher for matcher in matchers if matcher.operator == "=~"), None)
            if exact:
                best = max(exact, key=lambda matcher: (len(values[matcher.name]), matcher.name))
                self._by_value.setdefault(best.name, {}).setdefault(best.value, []).append(index)
            elif expression is not None:
                self._by_expression.setdefault(expression.name, []).append((index, expression))
            else:
                self._always.append(index)

    def candidates(self, labels: Labels) -> list[int]:
        """Return the places of lists that may match, in order."""
        indices = self._always.copy()
        for name, by_value in self._by_value.items():
            indices += by_value.get(labels.get(name, ""), ())
        for name in self._by_expression:
            indices += self._matched(name, labels.get(name, ""))
        indices.sort()
        return indices

    def _matched(self, name: str, value: str) -> list[int]:
        by_value = self._matching.setdefault(name, {})
        indices = by_value.get(value)
        if indices is None:
            if len(by_value) >= MOST_VALUES:
                by_value.clear()
            labels = {name: value}
            indices = [index for index, expression in self._by_expression[name] if expression.matches(labels)]
            by_value[value] = indices
        return indices


def _exact(matchers: Sequence[Matcher]) -> list[Matcher]:
    return [matcher for matcher in matchers if matcher.operator == "=" and matcher.value]
