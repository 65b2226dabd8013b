"""Stored events with their labels, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from monitor.resources.contract import Moment, Question, Row, TimeMs, described
from monitor.resources.slices import SLICE

__all__ = ["EventRow", "Rows", "StoredValue"]

SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class StoredValue(Row):
    """What is stored of a field."""

    signal: str = described("such as `feature:amount`")
    number: float | None = described("null of a category, and where it was missing or could not be read")
    name: str | None = described("likewise of a category")


def _values(row: Mapping[str, Any]) -> str:
    shown = [
        f"{value['signal'].partition(':')[2]} {'–' if text is None else text}"
        for value in row["values"][:SHOWN]
        for text in [value["name"] if value["number"] is None else f"{value['number']:g}"]
    ]
    return ", ".join([*shown, *(["…"] if len(row["values"]) > SHOWN else [])])


@dataclass(frozen=True, kw_only=True)
class EventRow(Row):
    """A stored event with its prediction and its label."""

    table = (
        "event_ms",
        "id",
        "version",
        "outcome",
        ("predicted", lambda row: row["predicted_name"] or row["predicted_number"]),
        ("true", lambda row: row["true_name"] or row["true_number"]),
        ("differing most first", _values),
    )

    event_ms: TimeMs = described("of the prediction")
    topic: str = described("where the prediction stands in the log")
    partition: int = described("of the topic")
    offset: int = described("in the partition")
    id: str | None = described("null where it is personal: a private field, or whom the event is about")
    version: str = described("of the model; empty where events name none")
    outcome: str = described("`tp`, `fp`, `fn`, `tn`; `right`, `wrong`; of numbers `over`, `under`, `even`")
    loss: float | None = described(
        "the squared error of a probability, the size of an error of a number; null where one of them is private"
    )
    predicted_number: float | None = described("null where classes were predicted, and where predictions are private")
    predicted_name: str | None = described("the class that was predicted; null where that is a number, or private")
    true_number: float | None = described("what turned out to be true; null of classes, and where labels are private")
    true_name: str | None = described("the class that it was; null of numbers, and where labels are private")
    values: list[StoredValue] = described("those of signals that differ most first; none that is private")


@dataclass(frozen=True)
class Rows(Question):
    """Stored events of a slice with their labels, in the order of a hash of their ids.

    The model needs ``spec.performance`` and ``keep.events``. Of ``worst``, the worst come first.
    """

    path = "/v1/rows"
    answer = EventRow
    is_paged = False
    verb = "Show single events of a slice, where a model keeps them."

    model: str
    _: KW_ONLY
    from_: Moment
    to: Moment
    slice: str | None = described(f"{SLICE}; absent is `wrong`, of numbers and rankings `worst`", default=None)
    against: str = described("what signals are ranked by: the slice that this one is compared with", default="rest")
    share: float = described("how many of all events `worst` has", default=0.1, low=0.001, high=0.5)
    signals: Sequence[str] | None = described("only these values; may be repeated", default=None, wire="signal")
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("empty is all traffic", default="")
    limit: int = described("most events in the answer", default=20, low=1, high=500)
