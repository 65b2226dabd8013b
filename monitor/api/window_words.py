"""What is said of a window that is explained, made of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from detectors.distance import VECTOR_DISTANCES
from monitor.alerts.wording import listed
from monitor.resources.status import amount
from monitor.values import format_duration
from sinks.receivers.times import utc

__all__ = ["words"]

Row = Mapping[str, Any]

OUTCOMES = {
    "alarmed": "alarmed",
    "stands": "raised no new alarm: an earlier one stands",
    "quiet": "did not alarm",
    "learning": "could not alarm: it was only learned from",
    "not_judged": "could not be judged",
}


def words(window: Row, change: Row | None, *, alarm_is_over: bool = False) -> Iterator[str]:
    """Yield sentences.

    Parameters
    ----------
    window : mapping
        As `monitor.resources.windows.ExplainedWindow` has it, but for the words.
    change : mapping or None
        What the detector `change` said, a row of ``scores``; None under another rule.
    alarm_is_over : bool
        Whether an alarm stood until this window.
    """
    where = f" [{window['segment']}]" if window["segment"] else ""
    where += f" of version {window['version']}" if window["version"] else ""
    length = format_duration(window["window_end_ms"] - window["window_start_ms"])
    yield (
        f"{window['signal']}{where} in the {length} up to {utc(window['window_end_ms'])}, {window['n']:,} events: "
        f"{OUTCOMES[window['outcome']]}"
    )
    if window["other_versions"]:
        names = listed([name or "none" for name in window["other_versions"]])
        yield f"that is the version with most events; others that have this window: {names} (--version)"
    if window["late"]:
        events = "event" if window["late"] == 1 else "events"
        yield f"{window['late']:,} more {events} of this time came late, and count in no window"
    yield from _of_change(window, change) if change is not None else _of_variation(window["scores"])
    if alarm_is_over:
        yield "an alarm was over in it, and everything begins anew: nothing would have alarmed in it by itself"
    if window["muted_because"]:
        yield f"it is muted, and no alert comes of it: {window['muted_because']}"
    if window["idle"]:
        yield f"it was decided without waiting for, or with messages lost of, {window['idle']}"
    if not window["alerts"]:
        yield "it belongs to no alert"
    elif all(each["reason"] is None for each in window["alerts"]):
        yield f"it is a part of the alert about {window['signal']}, to which it was no news when it joined"


def _of_change(window: Row, change: Row) -> Iterator[str]:
    if change["detail"]:
        yield str(change["detail"])
    if window["outcome"] == "alarmed":
        yield f"evidence {change['surprise']:.1f} against a threshold of {change['surprise_limit']:.1f}"
    if window["outcome"] in ("quiet", "stands"):
        yield from _enough(window["contrasts"])
    if window["raised"] > 0:
        yield f"its threshold is higher by {window['raised']:.1f} than that of others, as its alerts were marked false"
    for row in window["scores"]:
        if row["detector"] == "skew" and row["detail"]:
            yield f"against the data set that the model was built on: {row['detail']}"
    if window["outcome"] == "learning" or window["contrasts"]:
        return
    if window["n"] == 0:
        yield "nothing came in this window that could be compared with what is expected at its hour"
    else:
        yield "what was expected at this hour was not stored, or its configuration is not at hand"


def _enough(contrasts: Sequence[Row]) -> Iterator[str]:
    """Say what else would have been needed."""
    ends = [
        f"{each['contrast']} {' or '.join(parts)}"
        for each in contrasts
        if (
            parts := [
                f"{side} {amount(each[name], each['unit'])}"
                for side, name in (("below", "alarms_below"), ("above", "alarms_above"))
                if each[name] is not None
            ]
        )
    ]
    if ends:
        yield f"any of these would have alarmed by itself in this window: {'; '.join(ends)}"
    standing = [each["contrast"] for each in contrasts if each["judged"] == "standing"]
    if standing:
        yield f"an alarm stands for {', '.join(standing)}: what moves on from the new level would alarm"


def _of_variation(scores: Sequence[Row]) -> Iterator[str]:
    """Say what each detector said under another rule than `change`, which has no expectations by the hour."""
    for row in scores:
        if row["status"] == "drift":
            yield f"{row['detector']}: effect {row['effect']:.3g} of {row['min_effect']:.3g}, and surprising"
        elif row["detail"]:
            yield f"{row['detector']}: {row['detail']}"
    if any(row["detector"] in VECTOR_DISTANCES for row in scores):
        yield "nothing is expected of a vector at an hour: what is judged is how far it is from its baseline"
    else:
        yield "what is expected at an hour is known under `detect.rule: change` only"
