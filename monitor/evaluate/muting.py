"""Estimators that have lost their fidelity: from which windows on their signals do not alarm, and what says so.

That one is lost, or has become faithful again, is found by labels, later than windows are evaluated. It is written down
as a mark of Leeway's own, ``muted`` or ``heard``, which takes effect like any other (:mod:`monitor.evaluate.mark_log`):
with the first window that is not evaluated by then. An alert of its own fires with that window, and is resolved with
the one from which on the signal alarms again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import xxhash

from monitor.alerts.alert_log import ESTIMATOR
from monitor.alerts.transition import Transition
from monitor.estimators.estimator import ESTIMATED, Estimator
from monitor.evaluate.mark_log import Mark, note_adopted
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["Muting", "alert_of", "is_muted", "muting_notices", "mutings", "take_up_mutings"]

REPLACED = "its estimator is used no longer: another fit takes its place, or none"


@dataclass(frozen=True)
class Muting:
    """A spell in which a signal of estimates does not alarm.

    Attributes
    ----------
    muted : Mark
    heard : Mark or None
        What ended it.
    """

    muted: Mark
    heard: Mark | None = None

    @property
    def signal(self) -> str:
        return self.muted.signal

    @property
    def is_replaced(self) -> bool:
        """Whether it ended since the fit was used no longer, rather than by a day of labels, which is a later one."""
        return self.heard is not None and self.heard.from_ms == self.muted.from_ms

    def holds(self, end_ms: int) -> bool:
        """Whether the signal does not alarm in the window that ends then."""
        begun = 0 < self.muted.effective_ms <= end_ms
        return begun and (self.heard is None or not 0 < self.heard.effective_ms <= end_ms)

    def is_of(self, estimator: Estimator) -> bool:
        """Whether it is about this very fit, and not about another one of the same name."""
        return self.muted.alert_id == alert_of(self.muted.model, estimator, self.muted.from_ms)


def alert_of(model: str, estimator: Estimator, from_ms: int) -> str:
    """Return the id of the alert about an estimator that was lost at a time."""
    text = f"{ESTIMATOR}|{model}|{estimator.signal}|{estimator.artefact.digest}|{from_ms}"
    return xxhash.xxh3_64_hexdigest(text.encode())


def mutings(marks: Sequence[Mark]) -> list[Muting]:
    """Return the spells that marks begin and end."""
    heard = {mark.alert_id: mark for mark in marks if mark.says == "heard"}
    return [Muting(mark, heard.get(mark.alert_id)) for mark in marks if mark.says == "muted"]


def take_up_mutings(store: Store, watch: Watch, marks: Sequence[Mark], next_end_ms: int) -> list[Muting]:
    """Return the spells, those ended of fits that are used no longer: with the first window that is not evaluated yet.

    Raises
    ------
    StoreError
    """
    spells = []
    for spell in mutings(marks):
        if spell.heard is None and not any(spell.is_of(estimator) for estimator in watch.estimators):
            mark = replace(spell.muted, says="heard", reason=REPLACED, effective_ms=next_end_ms, id="")
            note_adopted(store, [mark])
            spells.append(Muting(spell.muted, mark))
        else:
            spells.append(spell)
    return spells


def is_muted(watch: Watch, spells: Sequence[Muting], signal: str, end_ms: int) -> bool:
    """Whether a signal does not alarm in the window that ends then, since its estimator is lost."""
    if not spells or not signal.startswith(ESTIMATED):
        return False
    estimators = [estimator for estimator in watch.estimators if estimator.signal == signal]
    return any(spell.is_of(each) and spell.holds(end_ms) for spell in spells for each in estimators)


def muting_notices(watch: Watch, spells: Sequence[Muting], ends: range) -> Iterator[Transition]:
    """Yield what is to be notified with some windows: that signals are muted from them on, or are no longer."""
    for spell in spells:
        for mark in filter(None, (spell.muted, spell.heard)):
            if ends[0] - ends.step < mark.effective_ms <= ends[-1]:
                yield _notice(watch, spell, mark)


def _notice(watch: Watch, spell: Muting, mark: Mark) -> Transition:
    metadata, is_over = watch.model.metadata, mark is spell.heard
    own = {
        "alertname": ESTIMATOR,
        "cause": "estimator",
        "model": mark.model,
        "namespace": metadata.namespace,
        "severity": "warning",
        "signal": mark.signal,
    }
    verb = "alarms again" if is_over else "is muted"
    entry = {
        "version": "",
        "segment": "",
        "signal": mark.signal,
        "detector": "fidelity",
        "since_ms": spell.muted.from_ms,
        "last_ms": mark.effective_ms,
        "alarmed": not is_over,
        "reason": mark.reason,
    }
    return Transition(
        model=mark.model,
        alert_id=mark.alert_id,
        sequence=int(is_over),
        state="resolved" if is_over else "firing",
        at_ms=mark.effective_ms,
        starts_ms=spell.muted.from_ms,
        ends_ms=mark.effective_ms if is_over else 0,
        version="",
        segment="",
        severity="warning",
        title=f"{mark.model}: {mark.signal} {verb}, {mark.reason}",
        labels={**metadata.labels, **{name: value for name, value in own.items() if value}},
        signals=[entry],
    )
