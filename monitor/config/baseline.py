"""What a model's windows are compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.values import DAY_MS, DurationMs, Strict

__all__ = ["Baseline", "DatasetBaseline", "FirstEventsBaseline", "RollingBaseline"]


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


Baseline = Annotated[DatasetBaseline | FirstEventsBaseline | RollingBaseline, Field(discriminator="kind")]
