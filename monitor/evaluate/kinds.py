"""The kinds of series that a model has, all in one table.

A new kind (performance against labels, figures of serving …) is a file with a class of the shape below and a line in
:data:`KINDS`. Everything else follows: it is evaluated, checkpointed, learned from stored panes under another
configuration, backtested, and its verdicts become scores and alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from monitor.evaluate.change import Changes
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.series import Distributions
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.volume import Volumes
from monitor.panes.reading import PaneRows
from monitor.watch import Watch

__all__ = ["KINDS", "SeriesKind"]


class SeriesKind(Protocol):
    """All series of one kind that a model has.

    It is made of a ``Watch``, of the signals whose scores are shown, and of the period that is the model's baseline.

    Series come and go with versions and segments: one begins with its first pane. Nothing here reads a clock or a
    store, so that the same panes give the same verdicts, however many windows are taken at a time.
    """

    def __init__(self, watch: Watch, shown: Sequence[str] | None, pinned: PinnedPeriod | None = None) -> None: ...

    def decide(self, marks: Sequence[Mark]) -> None:
        """Take in every mark of the model whose window is settled, in the order of these; each time all of them."""
        ...

    def advance(self, panes: PaneRows, ends_ms: range) -> Iterable[Verdicts]:
        """Yield the verdicts on the windows that end at ``ends_ms``, in the order of keys, and learn from them.

        Parameters
        ----------
        panes : PaneRows
            All panes from the first window's start to the last one's end, of all series or of some.
        ends_ms : range
            Later than at every call before.
        """
        ...

    def forget(self, versions: Collection[str]) -> None:
        """Let go of the series of versions that have made room for others."""
        ...

    def versions(self) -> Collection[str]:
        """Return the versions that have series."""
        ...

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the state of every series, for a checkpoint, in the order of keys."""
        ...

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        ...


KINDS: Mapping[str, type[SeriesKind]] = {"series": Distributions, "volumes": Volumes, "changes": Changes}
"""Every kind, by the name under which checkpoints hold its state, in the order of their verdicts."""
