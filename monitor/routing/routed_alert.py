"""An alert as the router knows it: labels, a start and an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from monitor.routing.matchers import ANNOTATION
from sinks.receivers.contract import fingerprint

__all__ = ["INCIDENT", "NO_END", "RoutedAlert", "place", "place_of_group"]

NO_END = 1 << 62
"""The end of an alert that is not over."""

INCIDENT = "incident"
"""The label of alerts whose incidents are named."""

LEADING = ("job", "instance")
"""Labels that alerts of a group are ordered by before all others; who has none comes last."""

OF_THE_ALERT = ("alert_id", INCIDENT, "recurring", "severity")
"""Labels in which alerts of one condition may differ."""


class _Name(str):
    """The name of a label, of which the greater comes first."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def place(labels: Mapping[str, str]) -> tuple[Any, ...]:
    """Return what alerts of a group are ordered by, as in Alertmanager: job, instance, how many labels, and these.

    Of two alerts that differ in a label's name the one without the first such name comes first.

    Examples
    --------
    >>> alerts = [{"b": "1"}, {"a": "2"}, {"a": "1", "b": "1"}, {"job": "x", "z": "1"}]
    >>> sorted(alerts, key=place)
    [{'job': 'x', 'z': '1'}, {'b': '1'}, {'a': '2'}, {'a': '1', 'b': '1'}]
    """
    leading = [part for name in LEADING for part in (name not in labels, labels.get(name, ""))]
    return *leading, *place_of_group(labels)


def place_of_group(labels: Mapping[str, str]) -> tuple[Any, ...]:
    """Return what groups are ordered by: how many labels they have, and these."""
    return len(labels), *(part for name in sorted(labels) for part in (_Name(name), labels[name]))


class _Matched(Mapping[str, str]):
    """Labels, and annotations under names of their own; made when somebody asks, since routers hold many alerts."""

    __slots__ = ("_annotations", "_labels")

    def __init__(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        self._labels, self._annotations = labels, annotations

    def get(self, name: str, default: Any = None) -> Any:
        """Return what a name stands for; a label counts before an annotation."""
        value = self._labels.get(name)
        if value is None and name.startswith(ANNOTATION):
            value = self._annotations.get(name.removeprefix(ANNOTATION))
        return default if value is None else value

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter({**{f"{ANNOTATION}{name}": "" for name in self._annotations}, **self._labels})

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True)
class RoutedAlert:
    """An alert.

    Parameters
    ----------
    labels : mapping of str to str
        Who the alert is.
    starts_ms, ends_ms : int
        When it began and when it is over: wall time.
    annotations : mapping of str to str
    updated_ms : int
        When the router heard of it last.
    link : str
    dated_ms : int
        The time of the transition that it stands at: the later of two has a later one, also if an alert with the same
        labels fired and ended in between.
    flaps : str
        Since when the alert's condition is held, if it is: receivers are notified that the alert fires, whatever it
        does.
    transition : mapping
        The row of ``alerts`` that it stands at; empty where routes are only asked who would be notified.

    Examples
    --------
    >>> alert = RoutedAlert({"model": "fraud"}, starts_ms=5, ends_ms=9)
    >>> alert.is_over(8), alert.is_over(9)
    (False, True)
    """

    labels: Mapping[str, str]
    starts_ms: int
    ends_ms: int = NO_END
    annotations: Mapping[str, str] = field(default_factory=dict)
    updated_ms: int = 0
    link: str = ""
    dated_ms: int = 0
    flaps: str = ""
    transition: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """The identity of the labels."""
        return fingerprint(self.labels)

    @property
    def matched(self) -> Mapping[str, str]:
        """What matchers are asked of: labels, and annotations under names of their own."""
        return _Matched(self.labels, self.annotations)

    @cached_property
    def condition(self) -> str:
        """What it has in common with an alert that comes back: the identity of the other labels."""
        return fingerprint({name: value for name, value in self.labels.items() if name not in OF_THE_ALERT})

    @property
    def key(self) -> tuple[str, int]:
        """Id and number of the transition that it stands at."""
        return self.transition["alert_id"], self.transition["sequence"]

    def is_over(self, now_ms: int) -> bool:
        """Whether it has ended."""
        return self.ends_ms <= now_ms

    def resolved(self, at_ms: int) -> RoutedAlert:
        """Return it as it is when it has ended."""
        return replace(self, ends_ms=at_ms)

    def after(self, former: RoutedAlert | None) -> RoutedAlert:
        """Return what is known when this comes after ``former``, of the same labels: spans that overlap are one.

        Alertmanager's rule. Of two ends the later counts, but if the younger says that the alert is over.
        """
        if former is None or not self._overlaps(former):
            return self
        starts_ms = min(self.starts_ms, former.starts_ms)
        over, was_over = self.is_over(self.updated_ms), former.is_over(self.updated_ms)
        takes_later = was_over if over else True
        return replace(
            self, starts_ms=starts_ms, ends_ms=max(self.ends_ms, former.ends_ms) if takes_later else self.ends_ms
        )

    def _overlaps(self, former: RoutedAlert) -> bool:
        ends_within = former.starts_ms < self.ends_ms < former.ends_ms
        return ends_within or former.starts_ms < self.starts_ms < former.ends_ms
