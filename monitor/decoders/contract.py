"""What a decoder promises. Read this page first.

A decoder turns the :class:`~monitor.events.Records` of one topic into :class:`~monitor.events.Events`, one set of
columns per model that reads the topic. Each message is decoded once, however many models read it. A bad message
never raises: it becomes a :class:`~monitor.events.Problem` with its offset and reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.config.model import SourceSpec
from monitor.config.schema import FieldSpec, Schema
from monitor.estimators.estimator import Estimator, EstimatorColumns
from monitor.events import KEPT, REJECTED, Events, Headers, Problem, Records
from monitor.privacy.privacy import NOTHING_PRIVATE, ModelPrivacy

__all__ = ["REASONS", "Decoded", "Decoder", "Named", "TopicPlan"]

REASONS: dict[str, str] = {
    "empty": REJECTED,
    "too_large": REJECTED,
    "not_utf8": REJECTED,
    "not_json": REJECTED,
    "not_an_object": REJECTED,
    "not_framed": REJECTED,
    "unknown_schema": REJECTED,
    "unusable_schema": REJECTED,
    "schema_mismatch": REJECTED,
    "not_a_cloudevent": REJECTED,
    "not_csv": REJECTED,
    "wrong_columns": REJECTED,
    "no_event_time": REJECTED,
    "event_time_unreadable": REJECTED,
    "event_time_out_of_bounds": REJECTED,
    "event_time_in_future": REJECTED,
    "wrong_type": KEPT,
    "wrong_length": KEPT,
    "not_finite": KEPT,
    "too_long": KEPT,
    "not_unicode": KEPT,
    "extra_field": KEPT,
}
"""Every reason for a problem, with its action. ``docs/dead-letters.md`` explains them to users."""


@dataclass(frozen=True)
class TopicPlan:
    """What one model wants from one topic.

    Attributes
    ----------
    model : str
    source : SourceSpec
        The model's source that names the topic.
    schema : Schema
    subject : str or None
        Path of whom an event is about, if that is to be read.
    privacy : ModelPrivacy
        What values become.
    by : str
        Path of the name that a message gives its model, of a template: it has no events of its own, only names.
    estimators : tuple of Estimator
        What is worked out of each event, as further rows of ``Events.numeric``.

    Examples
    --------
    >>> from monitor.config.model import SourceSpec
    >>> from monitor.config.schema import Schema
    >>> schema = Schema.model_validate(
    ...     {"features": {"amount": {"type": "numeric"}}, "prediction": {"label": {"type": "category"}}}
    ... )
    >>> plan = TopicPlan("fraud", SourceSpec(kafka="scores", kind="prediction", max_ahead="30m"), schema)
    >>> plan.numeric, plan.category
    ((), ('prediction:label',))
    """

    model: str
    source: SourceSpec
    schema: Schema
    subject: str | None = None
    privacy: ModelPrivacy = NOTHING_PRIVATE
    by: str = ""
    estimators: tuple[Estimator, ...] = ()

    @property
    def signals(self) -> dict[str, FieldSpec]:
        """Those of the schema's signals that this source carries, in the order of the schema."""
        if self.by:
            return {}
        if self.source.kind == "labels":
            return self.schema.label_signals()
        prefixes = {"event": ("feature:", "prediction:"), "features": ("feature:",), "prediction": ("prediction:",)}
        carried = prefixes[self.source.kind]
        return {name: spec for name, spec in self.schema.signals().items() if name.startswith(carried)}

    @property
    def numeric(self) -> tuple[str, ...]:
        """The signals of the rows of ``Events.numeric``, in their order, but for estimates, which come last."""
        return tuple(name for name, spec in self.signals.items() if spec.type == "numeric")

    @cached_property
    def estimates(self) -> EstimatorColumns:
        """What adds the estimates of an event that this source carries."""
        return EstimatorColumns(self.estimators, self.numeric, self.category)

    @property
    def category(self) -> tuple[str, ...]:
        """The signals of the lists in ``Events.category``, in their order; of labels also rankings."""
        return tuple(name for name, spec in self.signals.items() if spec.type in ("category", "ranking"))

    @property
    def rankings(self) -> tuple[str, ...]:
        """The signals of the lists in ``Events.rankings``, in their order."""
        carries = not self.by and self.source.kind in ("event", "prediction")
        return tuple(self.schema.rankings()) if carries else ()

    @property
    def vectors(self) -> tuple[str, ...]:
        """The signals of the lists in ``Events.vectors``, in their order."""
        return tuple(name for name, spec in self.signals.items() if spec.type == "vector")


@dataclass(frozen=True, slots=True)
class Named:
    """The names that n messages give their models.

    Attributes
    ----------
    offsets, record_ms : int64 array [n]
    names : Coded [n]
        Values as they stand there: also other than texts.
    """

    offsets: NDArray[np.int64]
    record_ms: NDArray[np.int64]
    names: Coded[Any]


@dataclass(slots=True)
class Decoded:
    """What became of the messages of one call.

    Attributes
    ----------
    events : dict of str to Events
        By model; a model without events in these records is absent.
    problems : list of (str, Problem)
        Model and problem, by offset; the model is empty where the message itself is at fault.
    unmatched : int
        Messages that are no model's by its ``where``. They are not a problem.
    extra : Counter of (str, str)
        Messages that hold a field beside the named ones, by model and field, for models with ``extra: count``.
    named : dict of str to Named
        By template; one without messages in these records is absent.
    """

    events: dict[str, Events] = field(default_factory=dict)
    problems: list[tuple[str, Problem]] = field(default_factory=list)
    unmatched: int = 0
    extra: Counter[tuple[str, str]] = field(default_factory=Counter)
    named: dict[str, Named] = field(default_factory=dict)


class Decoder(Protocol):
    """Decodes the messages of one topic.

    What it returns for a message depends on the messages before it in the same partition only through
    :meth:`state`, and never on how they were cut into calls.

    Attributes
    ----------
    scanned, parsed : int
        How many messages went the fast way, many at a time, and how many the slow one.
    """

    scanned: int
    parsed: int

    def decode(self, records: Records) -> Decoded:
        """Decode consecutive messages of one partition. Never raises on what a message holds."""
        ...

    def text_at(self, payload: bytes | None, headers: Headers, path: str) -> str:
        """The text, or integer as a text, at a path of one message of any size; empty where there is none.

        The path is one of those that the models read.
        """
        ...

    def state(self, partition: int) -> dict[str, object]:
        """What was settled by the partition's messages so far, as JSON-able values, for its checkpoint."""
        ...

    def restore(self, partition: int, state: Mapping[str, object]) -> None:
        """Go on from what :meth:`state` returned."""
        ...

    def forget(self, partition: int) -> None:
        """Drop the state of a partition that another process reads from now on."""
        ...
