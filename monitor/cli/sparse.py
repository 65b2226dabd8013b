"""Models of a trial whose events come on a few days of the week, while their windows are of a day or less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.cli.uncounted import Arrivals
from monitor.config import Model
from monitor.draft.batches import Batches, batches_of
from monitor.values import DAY_MS, format_duration

__all__ = ["Sparse", "sparse"]


@dataclass(frozen=True)
class Sparse:
    """Events of a model that leave most of its windows empty.

    Attributes
    ----------
    model : str
    window_ms : int
        As it is.
    batches : Batches
    """

    model: str
    window_ms: int
    batches: Batches

    def __str__(self) -> str:
        window, batches = format_duration(self.window_ms), self.batches
        empty = f"{self.model}: {batches}: most windows of {window} have none, and say nothing"
        if not batches.is_weekly:
            return f"{empty}; set a `window` as long as batches are apart"
        offset = f" with `offset: {format_duration(batches.offset_ms)}`" if batches.offset_ms else ""
        return f"{empty}; `window: {format_duration(batches.window_ms)}`{offset} has a batch in each"


def sparse(models: Mapping[str, Model], arrivals: Mapping[tuple[str, str], Arrivals]) -> Iterator[Sparse]:
    """Yield the models whose events come on a few days only."""
    for name, model in models.items():
        window_ms = model.spec.detect.defaults.window
        times = [
            times
            for (of_model, topic), arrived in arrivals.items()
            if of_model == name and (source := model.spec.source_of(topic)) is not None and source.kind != "labels"
            for parts in arrived.event_ms.values()
            for times in parts
        ]
        batches = batches_of(np.concatenate(times)) if times and window_ms <= DAY_MS else None
        if batches is not None:
            yield Sparse(name, window_ms, batches)
