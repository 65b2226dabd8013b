"""The title of an alert: what alarms, in which segment most, since which version, and how often it came before."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.alerts.change_words import joined, plural, said_also, said_beyond
from monitor.alerts.verdict import (
    Change,
    Verdict,
)
from monitor.alerts.wording import (
    Moved,
    listed,
    named,
    said_failure,
    said_measure,
    said_most,
    short_version,
    since_version,
    whole_of,
)

__all__ = [
    "moved_most",
    "title",
]

KINDS = {
    "volume": "volumes",
    "prediction": "predictions",
    "performance": "performance metrics",
    "feature": "features",
    "missing": "missing rates",
    "serving": "serving metrics",
}
"""What several signals of a kind are called, in the order in which a title lists them."""

FURTHER = 1.5
"""How many times as far as the whole a segment must have moved to be named: else all of them moved alike."""

BEYOND_CHANCE = 3.0
"""Standard errors by which it must have moved further: one event has an effect with a standard deviation of about 1."""


def title(model: str, ranked: Sequence[Moved], *, version: str | None = None, is_over: bool = False) -> str:
    """Return the headline of an alert: what alarms still, and then what does no longer.

    Parameters
    ----------
    model : str
    ranked : sequence of Moved
        At least one, strongest first.
    version : str or None
        The one that it is about, where other alerts are about others.
    is_over : bool
        Whether the alert has ended: then it is of all that moved.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from monitor.alerts.verdict import NewVersion, Verdict
    >>> verdict = Verdict("", "", "feature:hour", "psi", "drift", 600_000, 300_000, effect=1.43, min_effect=0.1)
    >>> moved = SimpleNamespace(evidence=verdict, status="drift", new_version=None, failure=None, recurrence=None)
    >>> title("flights", [moved])
    'flights: feature:hour moved (PSI 1.43, 14× its limit)'
    >>> moved.new_version = NewVersion("7", 1_360_418_520_000, "6")
    >>> title("flights", [moved])
    'flights: feature:hour moved (PSI 1.43, 14× its limit) since version 7 came at 2013-02-09 14:02 UTC, after 6'
    """
    alarmed = ranked if is_over else [moved for moved in ranked if moved.status == "drift"] or ranked
    failing = [moved for moved in alarmed if moved.failure is not None]
    headline = _failing(failing, alarmed) if failing else _moves(_of_newest_versions(alarmed))
    alarmed_series = {moved.evidence.series for moved in alarmed}
    quiet = [moved for moved in _of_newest_versions(ranked) if moved.evidence.series not in alarmed_series]
    named = "" if version is None else f" (version {short_version(version)})"
    return f"{model}{named}: {headline}{_no_longer(quiet)}{_came_before(alarmed)}"


def _came_before(alarmed: Sequence[Moved]) -> str:
    """Say how often the foremost alarmed so of late, and that it is about that alone, where others come for once."""
    foremost, recurrence = alarmed[0].evidence, alarmed[0].recurrence
    if recurrence is None:
        return ""
    is_alone = all(moved.recurrence is not None or moved.evidence.signal == foremost.signal for moved in alarmed)
    return f"; {recurrence.headline if is_alone else recurrence.headline_of(named(foremost))}"


def _moves(ranked: Sequence[Moved]) -> str:
    """Say what moved, of what has not gone on in a newer version."""
    foremost = whole_of(ranked[0], ranked)
    top, most = foremost.evidence, said_most(foremost, moved_most(foremost, ranked))
    formers = _formers(ranked)
    versions_of_signals = {(moved.evidence.version, moved.evidence.signal) for moved in ranked}
    # A version and the one from which it has what moved are one.
    is_one_signal = len({(formers.get(version, version), signal) for version, signal in versions_of_signals}) == 1
    if is_one_signal and (not top.segment or len(ranked) == 1):
        others = _so_did(top, ranked)
        odd = top.facts.odd_labels
        measures = joined(
            [
                said_measure(top),
                said_also(top),
                said_beyond(top.facts.change),
                odd.missing if odd is not None and odd.is_missing else "",
            ]
        )
        moves = f"{named(top)} moved ({measures}{most or others})"
    else:
        versions = sorted({formers.get(version, version) for version, _ in versions_of_signals} - {""})
        of_versions = f" of versions {listed([short_version(name) for name in versions])}" if len(versions) > 1 else ""
        moves = f"{_subjects(ranked)}{of_versions} moved together (strongest: {named(top)} {said_measure(top)}{most})"
    return f"{moves}{since_version(foremost.new_version)}{_older(foremost, ranked)}"


def _no_longer(quiet: Sequence[Moved]) -> str:
    """Say what alarmed, and does no longer: the strongest, and how many there are."""
    if not quiet:
        return ""
    foremost = whole_of(quiet[0], quiet)
    measure = said_measure(foremost.evidence) if foremost.failure is None else said_failure(foremost.failure)
    if len(quiet) == 1:
        return f"; {named(foremost.evidence)} alarms no longer ({measure})"
    return f"; {len(quiet)} others alarm no longer (strongest: {named(foremost.evidence)} {measure})"


def _of_newest_versions(ranked: Sequence[Moved]) -> Sequence[Moved]:
    """Leave out what goes on in a newer version, with its segments: the title says how that is off."""
    formers = _formers(ranked)
    gone_on = {
        (formers[verdict.version], segment, verdict.signal)
        for verdict in (moved.evidence for moved in ranked if _goes_on(moved))
        for segment in ({verdict.segment} if verdict.segment else {moved.evidence.segment for moved in ranked})
    }
    return [moved for moved in ranked if moved.evidence.series not in gone_on]


def _goes_on(moved: Moved) -> bool:
    """Whether a version has what moved from the one before it."""
    return moved.new_version is not None and moved.new_version.was_off


def _formers(ranked: Sequence[Moved]) -> dict[str, str]:
    """By version, the one before from which it has what moved."""
    return {
        moved.evidence.version: moved.new_version.former
        for moved in ranked
        if moved.new_version is not None and moved.new_version.was_off
    }


def _older(foremost: Moved, ranked: Sequence[Moved]) -> str:
    """Say which signals were off before the version came with which the foremost began to move."""
    if foremost.new_version is None or foremost.new_version.was_off:
        return ""
    older = {moved.evidence.signal for moved in ranked if _goes_on(moved)}
    return f"; {listed(sorted(older))} off before that already" if older else ""


def moved_most(moved: Moved, ranked: Sequence[Moved]) -> Moved | None:
    """Return the segment that most explains how a whole signal moved, of those that moved clearly further that way.

    Parameters
    ----------
    moved : Moved
    ranked : sequence of Moved
        What the alert is about, strongest first.
    """
    overall = moved.evidence
    if overall.segment:
        return None
    further = [
        other
        for other in ranked
        if other.evidence.segment
        and (other.evidence.version, other.evidence.signal) == (overall.version, overall.signal)
        and _is_further(other, overall)
    ]
    # Of as many events each, the first is the strongest.
    return max(further, key=lambda other: other.evidence.effect * max(other.evidence.n, 1), default=None)


def _so_did(overall: Verdict, ranked: Sequence[Moved]) -> str:
    """Say how many segments moved as the whole did, and how many the other way."""
    ours, segments, other_way = overall.facts.change, set[str](), set[str]()
    for moved in ranked:
        its, segment = moved.evidence.facts.change, moved.evidence.segment
        is_other = ours is not None and its is not None and _is_other_way(ours, its)
        (other_way if is_other else segments).add(segment)
    so_did, others = len(segments - {overall.segment}), len(other_way - segments)
    parts = [f"so did {plural(so_did, 'segment')}" if so_did else ""]
    parts += [f"{plural(others, 'segment')} moved the other way" if others else ""]
    return "".join(f"; {part}" for part in parts if part)


def _is_other_way(ours: Change, its: Change) -> bool:
    is_comparable = ours.what == its.what or (ours.better and its.better)
    return bool(is_comparable) and (ours.after > ours.before) != (its.after > its.before)


def _is_further(other: Moved, overall: Verdict) -> bool:
    """Whether a segment moved in the direction of the whole, and further beyond what few events make of chance."""
    verdict = other.evidence
    if verdict.strength < FURTHER * overall.strength:
        return False
    ours, its = overall.facts.change, verdict.facts.change
    if ours is None or its is None:
        return True
    if math.isnan(verdict.effect) or math.isnan(overall.effect):
        return False
    if _is_other_way(ours, its):
        return False
    if not verdict.n and not overall.n:
        # A day may end with a window that says nothing of how many events there were.
        return True
    # The windows from when it moved to when that was found, which its effect is the mean of.
    step_ms = verdict.at_ms - verdict.window_start_ms
    windows = max((other.since_ms + step_ms - other.onset_ms) / step_ms, 1.0)
    return (verdict.effect - overall.effect) * math.sqrt(verdict.n * windows) >= BEYOND_CHANCE


def _failing(failing: Sequence[Moved], ranked: Sequence[Moved]) -> str:
    """Say which answer stands for many, first of all of the whole of which segments fail, and what moved besides."""
    foremost = whole_of(failing[0], failing)
    assert foremost.failure is not None
    others = [f"{len(failing) - 1} more as well"] if len(failing) > 1 else []
    others += [f"{plural(len(ranked) - len(failing), 'other')} moved"] if len(ranked) > len(failing) else []
    stuck = f"{named(foremost.evidence)} is {said_failure(foremost.failure)}"
    if foremost.failure.kind == "no_better":
        stuck = f"{said_failure(foremost.failure)} ({named(foremost.evidence)})"
    return "; ".join([stuck, *others]) + since_version(foremost.new_version)


def _subjects(ranked: Sequence[Moved]) -> str:
    signals = sorted({moved.evidence.signal for moved in ranked})
    segments = {moved.evidence.segment for moved in ranked}
    named = plural(len(segments - {""}), "segment")
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for signal in signals:
        kinds.setdefault(signal.partition(":")[0], []).append(signal)
    counted = [_counted(kind, names) for kind, names in kinds.items() if names]
    text = counted[0] if len(counted) == 1 else f"{', '.join(counted[:-1])} and {counted[-1]}"
    if len(segments) <= 1:
        return text
    return f"{text} in all traffic and {named}" if "" in segments else f"{text} in {named}"


def _counted(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{len(names)} {KINDS.get(kind, f'{kind} signals')}"
