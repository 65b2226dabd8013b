"""The evaluations of a process's models; of one whose configuration has changed, first that of the former one.

Windows may have been evaluated behind the last checkpoint, by a process that was killed: their scores and transitions
are stored. They are made again, the same, under the configuration that they were made under. Only then the present one
comes into force, behind the last window that it was written down for with what it is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import structlog

from monitor import checkpoint
from monitor.alerts.transition import Transition
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import NOTHING_MS
from monitor.evaluate.horizon_log import read_bases
from monitor.evaluate.unwatched import end_unwatched
from monitor.watch import Watch
from sinks.store.contract import Query, Store

__all__ = ["Evaluations", "Former"]

Former = Callable[[str, str], Watch | None]
"""Returns a model as the document of a digest has it; None if that cannot be used any more."""

log = structlog.get_logger("leeway.service")


class Evaluations(dict[str, Evaluation]):
    """By model.

    Parameters
    ----------
    store : Store
    former : callable
    """

    def __init__(self, store: Store, former: Former) -> None:
        super().__init__()
        self._store, self._former = store, former
        self._failed: set[tuple[str, str]] = set()
        self._given_up: frozenset[str] = frozenset()

    def begin(self, watch: Watch) -> None:
        """Go on with a model from its checkpoint.

        Raises
        ------
        StoreError
        """
        saved = checkpoint.load(self._store, "evaluate", watch.name, 0)
        self[watch.name] = self._of_former(watch, saved) or Evaluation(watch, self._store, saved)

    def give_up(self, models: Collection[str]) -> None:
        """Have what fires of models that nobody owns any more ended with the next call of :meth:`end_given_up`."""
        self._given_up = frozenset(models)

    def end_given_up(self) -> list[Transition]:
        """End what fires of models that were given up; return what became of alerts.

        Raises
        ------
        StoreError
        """
        transitions = end_unwatched(self._store, self._given_up)
        self._given_up = frozenset()
        return transitions

    def settle(self, watch: Watch) -> None:
        """Leave the former configuration of a model, once there is nothing to be made again under it.

        Raises
        ------
        StoreError
        """
        evaluation = self[watch.name]
        if evaluation.watch is not watch and (evaluation.next_end_ms or 0) >= evaluation.stop_ms:
            evaluation.save()
            self.begin(watch)

    def fail(self, name: str) -> None:
        """Forget a model; its former configuration, if that is what fails, is not tried again."""
        evaluation = self.pop(name, None)
        if evaluation is not None:
            self._failed.add((name, evaluation.watch.document_digest))

    def _of_former(self, watch: Watch, saved: tuple[int, Any] | None) -> Evaluation | None:
        digest, next_end_ms = self._stands(watch.name, saved)
        if digest in ("", watch.document_digest) or (watch.name, digest) in self._failed:
            return None
        ends = [basis.to_ms for basis in read_bases(self._store, watch.name, next_end_ms)]
        former = self._former(watch.name, digest) if ends else None
        if former is None:
            if ends:
                log.error(
                    "windows that a killed process has evaluated are not made again: the former version of their model"
                    " is not found or cannot be used",
                    model=watch.name,
                    digest=digest,
                    to_ms=max(ends),
                )
            return None
        log.info("windows are made again under a former configuration", model=watch.name, to_ms=max(ends))
        evaluation = Evaluation(former, self._store, saved)
        evaluation.stop_ms = max(ends) + 1
        return evaluation

    def _stands(self, model: str, saved: tuple[int, Any] | None) -> tuple[str, int]:
        """Under which document a model was evaluated last, and the first window that no checkpoint holds."""
        if saved is not None:
            return saved[1].get("document", ""), saved[1].get("next_end_ms", saved[0])
        begun = Query("configured_windows", {"model": model}, descending=True, limit=1, columns=("digest",))
        return next(iter(self._store.read(begun)["digest"]), ""), NOTHING_MS
