"""What may fall silent: a model, and the parts of what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from monitor.config.model import ModelSpec
from monitor.ingest.arrivals import Flow

__all__ = ["Stream", "streams_of"]

Kind = Literal["model", "labels", "source", "partition"]


@dataclass(frozen=True, order=True)
class Stream:
    """One thing whose events are waited for.

    Attributes
    ----------
    model : str
    kind : {"model", "labels", "source", "partition"}
    topic : str
        Of a source or a partition.
    partition : int
        -1 where it is none.
    """

    model: str
    kind: Kind = "model"
    topic: str = ""
    partition: int = -1

    @property
    def key(self) -> dict[str, str | int]:
        """The key of its row."""
        return vars(self) | {"signal": ""}

    @property
    def parents(self) -> tuple[Stream, ...]:
        """The streams of which it is a part, and whose silence explains its own."""
        if self.kind == "partition":
            return Stream(self.model, "source", self.topic), Stream(self.model)
        return (Stream(self.model),) if self.kind == "source" else ()


def streams_of(spec: ModelSpec, model: str, flows: Iterable[Flow]) -> dict[Stream, list[Flow]]:
    """Return the streams of a model, each with the flows that make it up.

    A source is a stream of its own where the model has several, a partition where its topic has several.

    Examples
    --------
    >>> sources = [{"kafka": "payments"}, {"kafka": "outcomes", "kind": "labels"}]
    >>> schema = {"id": "id", "features": {"x": {"type": "numeric"}}, "labels": {"y": {"type": "numeric"}}}
    >>> spec = ModelSpec.model_validate({"sources": sources, "schema": schema})
    >>> flows = [Flow("m", "payments", 0), Flow("m", "payments", 1), Flow("m", "outcomes", 0)]
    >>> [stream.kind for stream in streams_of(spec, "m", flows)]
    ['labels', 'model', 'partition', 'partition']
    """
    watched: dict[str, list[Flow]] = {}
    labels: list[Flow] = []
    for flow in flows:
        if spec.is_watched(flow.topic):
            watched.setdefault(flow.topic, []).append(flow)
        elif spec.source_of(flow.topic) is not None:
            labels.append(flow)
    streams: dict[Stream, list[Flow]] = {}
    if labels:
        streams[Stream(model, "labels")] = labels
    if watched:
        streams[Stream(model)] = [flow for of_topic in watched.values() for flow in of_topic]
    for topic, of_topic in sorted(watched.items()):
        if len(watched) > 1:
            streams[Stream(model, "source", topic)] = of_topic
        if len(of_topic) > 1:
            streams |= {Stream(model, "partition", topic, flow.partition): [flow] for flow in of_topic}
    return streams
