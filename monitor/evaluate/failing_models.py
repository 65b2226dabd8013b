"""Models whose evaluation fails: each is tried again, after growing pauses, and holds up no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import structlog

from monitor import threads
from monitor.clock import Clock

__all__ = ["FailingModels", "failing_stages"]

log = structlog.get_logger("leeway.service")


class FailingModels:
    """Which models fail, and which of them wait for another try.

    Parameters
    ----------
    clock : Clock
    models : iterable of str

    Attributes
    ----------
    errors : dict of str to Exception
        What each failed with last, until it works again.
    failures : Counter of str
        How often each has failed.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> failing = FailingModels(clock, ["fraud"])
    >>> failing.note("fraud", KeyError("x"))
    >>> failing.waits("fraud")
    True
    >>> clock.advance(1.0)
    >>> failing.waits("fraud"), failing.stages
    (False, ['evaluate/fraud'])
    """

    def __init__(self, clock: Clock, models: Iterable[str]) -> None:
        self._clock = clock
        self._models = list(models)
        self.errors: dict[str, Exception] = {}
        self.failures: Counter[str] = Counter(dict.fromkeys(self._models, 0))
        self._pauses_s: dict[str, float] = {}
        self._due_s: dict[str, float] = {}
        self._worked: set[str] = set()

    @property
    def stages(self) -> list[str]:
        """What the evaluation of each model is called among the stages."""
        return [self.stage_of(model) for model in self._models]

    @staticmethod
    def stage_of(model: str) -> str:
        """What the evaluation of a model is called among the stages."""
        return f"evaluate/{model}"

    def watch(self, models: Iterable[str]) -> None:
        """Know of these models from now on; of those that are there no more nothing is said."""
        self._models = list(models)
        self.failures = Counter({model: self.failures[model] for model in self._models})
        for gone in [model for model in self.errors if model not in self._models]:
            self.settle(gone)
        self._worked.intersection_update(self._models)

    def note(self, model: str, error: Exception) -> None:
        """It has failed: the pause before it is tried again grows each time."""
        last_pause_s = self._pauses_s.get(model, threads.FIRST_PAUSE_S / 2)
        self._pauses_s[model] = pause_s = min(2 * last_pause_s, threads.LAST_PAUSE_S)
        self._due_s[model] = self._clock.monotonic_s() + pause_s
        # Counted first, as in `monitor.threads`.
        self.failures[model] += 1
        self.errors[model] = error
        self._worked.discard(model)
        log.error("the evaluation of a model failed", model=model, reason=threads.in_words(error), wait_s=pause_s)

    def waits(self, model: str) -> bool:
        """Whether it is not to be tried yet."""
        return self._clock.monotonic_s() < self._due_s.get(model, 0.0)

    def settle(self, model: str) -> None:
        """It works."""
        self._worked.add(model)
        self.errors.pop(model, None)
        self._pauses_s.pop(model, None)
        self._due_s.pop(model, None)

    def is_sound(self, stage: str) -> bool:
        """Whether the evaluation of a model has worked since it began here, or is none of these models'."""
        return stage not in self.stages or stage.removeprefix(self.stage_of("")) in self._worked


def failing_stages(process: threads.Threads, models: FailingModels) -> dict[str, Exception]:
    """Return what the stages of a process fail with, by stage: its threads, and the evaluation of each model."""
    # A copy: meanwhile another model may fail, or work again.
    return process.failing | {models.stage_of(model): error for model, error in models.errors.copy().items()}
