"""All models at a glance: how each is, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described

__all__ = ["HEALTHS", "STEPS", "Fleet", "FleetModel", "Health"]

Health = Literal["firing", "rejected", "silent", "learning", "fine"]
HEALTHS: tuple[Health, ...] = ("firing", "rejected", "silent", "learning", "fine")
"""How a model can be, in the order in which people should look at it."""

STEPS = 14
"""Into how many equal parts the time shown is cut."""


def _bars(row: Mapping[str, Any]) -> str:
    """Draw the strengths as a line of bars: a dot where nothing drifted, the highest from eight thresholds on."""
    return "".join(
        "·" if not value else "▁▂▃▄▅▆▇█"[min(7, int(value) - (value == int(value)))] for value in row["strengths"]
    )


@dataclass(frozen=True, kw_only=True)
class FleetModel(Row):
    """One model: its gravest alert, how far it was from normal, and how fresh it is."""

    table = (
        "health",
        "model",
        "namespace",
        "owner",
        "alerts",
        ("since", "since_ms"),
        "title",
        "strength",
        "signal",
        ("drift over time", _bars),
        ("newest window", "window_end_ms"),
        ("last event", "last_event_ms"),
        ("labelled", lambda row: "" if row["labelled"] is None else f"{row['labelled']:.0%}"),
    )

    health: Health = described(
        "`firing`: an alert fires; `rejected`: nearly all that comes on a stream of it is rejected; `silent`: nothing "
        "comes from it any more; `learning`: no series of it is judged; else `fine`"
    )
    model: str
    namespace: str
    owner: str
    labels: dict[str, str]
    alerts: int = described("alerts that fire")
    severity: str = described("of the gravest of them; empty without any")
    alert_id: str = described("its id: of two that are as grave the one that has fired for longer")
    title: str = described("of that alert; of a model of which messages are rejected what is known of them")
    since_ms: TimeMs | None = described("start of its first window")
    acknowledged: int = described("how many of them somebody has taken on")
    drifting: int = described("series whose newest window is in drift")
    signal: str = described("the one that went furthest in the time shown; empty where nothing drifted")
    strength: float | None = described(
        "the largest `effect / min_effect` of a window in drift of it; 1,000,000 at most"
    )
    strengths: list[float] = described(
        "the largest of any signal in each of 14 equal parts of the time shown, to two decimals; 0 where none drifted"
    )
    window_end_ms: TimeMs | None = described(
        "end of the newest window: of events, or, where there is none of them, of hours that labels judge"
    )
    last_event_ms: TimeMs | None = described("when an event came last, by the clock; null where that is not watched")
    silent_ms: LengthMs | None = described("for how long nothing has come, while it could be seen that nothing came")
    allowed_ms: LengthMs | None = described("for how long that is nothing new; null until it is known")
    labelled: float | None = described("share of the predictions of the time shown that have a label by now")


@dataclass(frozen=True, kw_only=True)
class Fleet(Question):
    """All models at a glance: what fires first, then what is rejected or silent, what learns, and what is fine.

    The time that is shown ends with the newest window of any of them.
    """

    path = "/v1/fleet"
    answer = FleetModel
    is_paged = False
    verb = "Show all models at a glance: which fire, since when, and how fresh they are."

    namespace: str | None = described("the models of this namespace", default=None)
    days: int = described("how many days are shown", default=7, low=1, high=90)
