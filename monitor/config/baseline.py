"""What a model's windows are compared with."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from monitor.values import DAY_MS, DurationMs, Strict, WrongPartError
from sinks.receivers.times import EPOCH

__all__ = ["Baseline", "DatasetBaseline", "FirstEventsBaseline", "PeriodBaseline", "RollingBaseline"]

MILLISECOND = timedelta(milliseconds=1)
TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$"


def _with_zone(value: object) -> object:
    # A number could be seconds or milliseconds, and a day has no zone: neither says which moment is meant.
    if isinstance(value, datetime) or (isinstance(value, str) and re.fullmatch(TIME, value)):
        return value
    raise ValueError(f"expected a time with its zone, such as 2026-10-01T00:00:00Z, got {value!r}")


_TimeAsWritten = Annotated[str, Field(pattern=TIME)]
EventTime = Annotated[AwareDatetime, BeforeValidator(_with_zone, json_schema_input_type=_TimeAsWritten)]


class DatasetBaseline(Strict):
    """Compare with a fixed data set, for example the training set."""

    kind: Literal["dataset"]
    uri: str = Field(description="a CSV, JSON-lines or Parquet file; columns by a feature's path, else by its name")


class FirstEventsBaseline(Strict):
    """Compare with the first windows seen, until they hold `count` events."""

    kind: Literal["first_events"]
    count: int = Field(gt=0)
    uri: str | None = Field(default=None, description="a data set that sets the bins (not the comparison)")


class RollingBaseline(Strict):
    """Compare with the trailing windows in which nothing was wrong."""

    kind: Literal["rolling"]
    span: DurationMs = Field(default=28 * DAY_MS, gt=0)
    uri: str | None = Field(default=None, description="a data set that sets the bins (not the comparison)")


class PeriodBaseline(Strict):
    """Compare with all that came in one period of event time, of every version."""

    kind: Literal["period"]
    from_: EventTime = Field(alias="from", description="its start, with its zone: `2026-10-01T00:00:00Z`")
    to: EventTime = Field(description="its end; windows that begin before it are compared with nothing")
    uri: str | None = Field(default=None, description="a data set that sets the bins (not the comparison)")

    @property
    def from_ms(self) -> int:
        """The start, in ms since the epoch."""
        return (self.from_ - EPOCH) // MILLISECOND

    @property
    def to_ms(self) -> int:
        """The end, in ms since the epoch."""
        return (self.to - EPOCH) // MILLISECOND

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.to <= self.from_:
            raise WrongPartError(("to",), "lies before `from`")
        return self


Baseline = Annotated[
    DatasetBaseline | FirstEventsBaseline | RollingBaseline | PeriodBaseline, Field(discriminator="kind")
]
