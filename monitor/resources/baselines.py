"""What each series is compared with now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from monitor.resources.contract import Question, Row, TimeMs, described

__all__ = ["Baselines", "SeriesBaseline"]

KINDS = {
    "dataset": "a data set",
    "first_events": "its first events",
    "rolling": "its trailing quiet windows",
    "period": "a pinned period",
}


def _in_words(row: Mapping[str, Any]) -> str:
    if row["uri"] and row["kind"] == "dataset":
        return f"the data set {row['uri']}"
    return KINDS.get(row["kind"], "")


@dataclass(frozen=True, kw_only=True)
class SeriesBaseline(Row):
    """What one series is compared with: the baseline of its distances, and what its alarms go by."""

    table = (
        "model",
        "signal",
        "segment",
        "version",
        ("alarms by", "alarms_by"),
        ("days learned", "days"),
        ("new normal since", "accepted_from_ms"),
        ("accepted by", "accepted_by"),
        ("distances from", _in_words),
        ("from", "baseline_from_ms"),
        ("to", "baseline_to_ms"),
        ("events", "baseline_n"),
    )

    model: str
    signal: str
    segment: str = described("empty: all of the traffic")
    version: str
    alarms_by: Literal["change", "variation"] | None = described(
        "`change`: what it usually does at this hour of the week; `variation`: its distances from the baseline; null "
        "without the model's configuration"
    )
    days: int | None = described("how many days `change` has learned from; null where it does not decide")
    expected_ms: TimeMs | None = described("from when on what `change` expects now is expected")
    accepted_from_ms: TimeMs | None = described("from when on the level that was accepted last is the new normal")
    accepted_by: str = described("who accepted it; `detect.adopt_after` where Leeway did; empty: nobody has")
    accepted_reason: str = described("why")
    kind: Literal["dataset", "first_events", "rolling", "period"] | None = described(
        "what its distances are from; null without the model's configuration"
    )
    uri: str = described("the data set that its bins are made of, and which `dataset` compares with; empty: none")
    baseline_from_ms: TimeMs | None = described(
        "start of its first window; null of a data set, and while it learns; of a period, where its first panes start"
    )
    baseline_to_ms: TimeMs | None = described("end of its last window; windows that alarmed in between are not in it")
    baseline_n: int = described("its events; 0 while it learns, and where no distance is measured")
    window_end_ms: TimeMs = described("end of the newest window, of which all of this is said")
    configuration: str = described("digest of the model's document; empty where none is known")


@dataclass(frozen=True)
class Baselines(Question):
    """What each series is compared with now: since when, over how many events, and which levels people accepted."""

    path = "/v1/baselines"
    answer = SeriesBaseline
    is_paged = False
    verb = "Show what each signal is compared with now."

    model: str | None = None
    signal: str | None = None
    _: KW_ONLY
    namespace: str | None = described("the models of this namespace", default=None)
    limit: int = described("most rows in the answer", default=10_000, low=1, high=100_000)
