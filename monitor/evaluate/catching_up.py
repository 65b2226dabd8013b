"""Which models catch up with windows that have been complete for a while: what stands fresh about them is not."""

from __future__ import annotations

from sinks.receivers.times import utc

__all__ = ["CatchingUp"]

MOST_NOTES = 10


class CatchingUp:
    """The models that were not evaluated up to what is complete in their last turn.

    Examples
    --------
    >>> catching_up = CatchingUp()
    >>> catching_up.note("fraud", (1_767_225_600_000, 1_769_904_000_000))
    >>> catching_up.notes()
    ['fraud: windows up to 2026-01-01 00:00 UTC are evaluated, and catch up with events up to 2026-02-01 00:00 UTC: \
what its pages and `leeway status` say is of then']
    >>> catching_up.note("fraud", None)
    >>> catching_up.notes()
    []
    """

    def __init__(self) -> None:
        # Other threads look at it, so it is replaced and never changed.
        self._behind: dict[str, tuple[int, int]] = {}

    def note(self, model: str, behind: tuple[int, int] | None) -> None:
        """Note up to where a model is evaluated, and up to where it could be; None if that is the same."""
        others = {other: spans for other, spans in self._behind.items() if other != model}
        self._behind = others if behind is None else {**others, model: behind}

    def notes(self) -> list[str]:
        """What people should know of it, a sentence for each model."""
        behind = sorted(self._behind.items())
        others = [f"{len(behind) - MOST_NOTES:,} more models catch up with windows"] if len(behind) > MOST_NOTES else []
        return [
            f"{model}: windows up to {utc(evaluated_ms)} are evaluated, and catch up with events up to"
            f" {utc(complete_ms)}: what its pages and `leeway status` say is of then"
            for model, (evaluated_ms, complete_ms) in behind[:MOST_NOTES]
        ] + others
