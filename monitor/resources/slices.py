"""Two slices of a model's labelled events, signal by signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from monitor.resources.compare import SignalDifference
from monitor.resources.contract import Moment, Question, Row, described

__all__ = ["ComparedSlice", "NotStored", "SampledEvents", "Slices"]

SLICE = (
    "`wrong`, `right`, `tp`, `fp`, `fn`, `tn`; `worst`, those that lose most; `over`, `under`, of numbers; "
    "`label=CLASS`; `all`"
)


@dataclass(frozen=True, kw_only=True)
class ComparedSlice(Row):
    """Some of the labelled events."""

    slice: str = described("its name, as in the question")
    words: str = described("what it is, for people")
    events: int = described("of the answer, how many belong to it")


@dataclass(frozen=True, kw_only=True)
class SampledEvents(Row):
    """Which events an answer is made of."""

    stored: int = described("events of which fields are stored, by their ids, in the span and an hour around it")
    looked_at: int = described("of how many of these labels were looked for: those with the smallest hashes of ids")
    labelled: int = described("events of the answer: of the version and segment, with a label that can be compared")
    unusable: int = described("labelled events that cannot be compared, such as without a prediction")
    is_all: bool = described("whether these are all that there are; else they are a sample, the same until others come")
    note: str = described("the same for people")


@dataclass(frozen=True, kw_only=True)
class NotStored(Row):
    """A signal of whose single values nothing is stored."""

    signal: str = described("such as `feature:income`")
    reason: str = described("the key of the configuration because of which, or that it is a vector")


@dataclass(frozen=True)
class Slices(Question):
    """Two slices of a model's labelled events, signal by signal: those that differ most first.

    The model needs ``spec.performance`` and ``keep.events``.
    """

    path = "/v1/slices"
    answer = SignalDifference
    is_paged = False
    verb = "Compare what a model got wrong with what it got right."

    model: str
    _: KW_ONLY
    from_: Moment
    to: Moment
    slice: str | None = described(f"{SLICE}; absent is `wrong`, of numbers and rankings `worst`", default=None)
    against: str = described("with which slice: one of these, or `rest`, all other labelled events", default="rest")
    share: float = described("how many of all events `worst` has", default=0.1, low=0.001, high=0.5)
    signals: Sequence[str] | None = described("only these; may be repeated", default=None, wire="signal")
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("empty is all traffic", default="")
    cells: bool = described("the aligned histograms too", default=False)
    limit: int = described("most signals in the answer", default=1_000, low=1, high=10_000)
