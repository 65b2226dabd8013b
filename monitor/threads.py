"""Threads that run stages, each by itself: one that fails is started again, after growing pauses, and no other stops.

What failed is shown by :attr:`Threads.failing` until the stage has run for a while again. Only an error of which a
stage says itself that trying again is no use (:class:`~monitor.errors.LeewayError`: a right that is missing, say) ends
everything: a person has to mend it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import structlog

from monitor.clock import Clock
from monitor.errors import LeewayError

__all__ = ["Threads", "ends_within", "in_words", "join_within"]

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 60.0
STEADY_S = 10.0
"""A stage that has run for so long is sound."""

LEAVE_WITHIN_S = 20.0
"""A stage that takes longer to end, such as one whose broker hangs, ends with the process."""

REASON_CHARACTERS = 300
log = structlog.get_logger("leeway.service")


def in_words(error: Exception) -> str:
    """Return what went wrong, in a line.

    Examples
    --------
    >>> in_words(KeyError("x"))
    "KeyError: 'x'"
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:REASON_CHARACTERS]


def join_within(threads: Iterable[threading.Thread], clock: Clock, within_s: float) -> list[str]:
    """Wait for threads to end, for so long at most; return the names of those that have not.

    Examples
    --------
    >>> from monitor.clock import SystemClock
    >>> stop = threading.Event()
    >>> thread = threading.Thread(target=stop.wait, name="waiting")
    >>> thread.start()
    >>> join_within([thread], SystemClock(), 0.0)
    ['waiting']
    >>> stop.set()
    """
    until_s, awaited = clock.monotonic_s() + within_s, list(threads)
    for thread in awaited:
        thread.join(max(0.0, until_s - clock.monotonic_s()))
    return [thread.name for thread in awaited if thread.is_alive()]


def ends_within(name: str, work: Callable[[], object], clock: Clock, within_s: float) -> bool:
    """Do some work in a thread of its own, for so long at most; return whether it has ended, and raise what it raised.

    Examples
    --------
    >>> from monitor.clock import SystemClock
    >>> stop = threading.Event()
    >>> ends_within("waiting", stop.wait, SystemClock(), 0.0)
    False
    >>> stop.set()
    >>> ends_within("waiting", stop.wait, SystemClock(), 60.0)
    True
    """
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    if join_within([thread], clock, within_s):
        return False
    outcome.result()
    return True


class Threads:
    """The threads of one process, each running one stage.

    Parameters
    ----------
    clock : Clock
    instance : str
        Which process this is, among those that share its store.
    stop : threading.Event or None
        One of its own if None.

    Attributes
    ----------
    instance : str
    stop : threading.Event
        Set once everything is to end: by :meth:`join`, or by a stage that cannot go on.
    failure : Exception or None
        Why a stage cannot go on.
    failures : Counter of str
        How often each stage has failed.
    rounds : Counter of str
        How many rounds of its work each stage has done.

    Examples
    --------
    >>> from monitor.clock import SystemClock
    >>> threads = Threads(SystemClock())
    >>> threads.run("idle", threads.stop.wait)
    >>> threads.join()
    []
    >>> threads.failing
    {}
    """

    def __init__(self, clock: Clock, instance: str = "", stop: threading.Event | None = None) -> None:
        self.instance = instance
        self.stop = stop or threading.Event()
        self.failure: Exception | None = None
        self.failures: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self._clock = clock
        self._stages: list[_Stage] = []

    def run(self, name: str, stage: Callable[[], object], mend: Callable[[], object] = lambda: None) -> None:
        """Run a stage in a thread of its own.

        Parameters
        ----------
        name : str
        stage : callable
        mend : callable
            Called before a stage that failed runs again: has it go on from what is stored.
        """
        made = _Stage(name, self._clock, stage, mend)
        self.failures[name] = 0
        made.thread = threading.Thread(target=self._keep_running, args=(made,), name=name, daemon=True)
        self._stages.append(made)
        made.thread.start()

    def counting(self, name: str) -> Callable[[], None]:
        """Return what a stage calls after each round of its work."""

        def count() -> None:
            self.rounds[name] += 1

        return count

    @property
    def failing(self) -> dict[str, Exception]:
        """By stage, what it failed with, until it has run for a while again."""
        return {stage.name: error for stage in self._stages.copy() if (error := stage.unsettled_error) is not None}

    def is_sound(self, name: str) -> bool:
        """Whether a stage has run for a while since it began here, or there is none of that name."""
        return all(stage.is_steady for stage in self._stages.copy() if stage.name == name)

    @property
    def names(self) -> list[str]:
        """All stages that have not ended."""
        return [stage.name for stage in self._stages.copy()]

    def join(self) -> list[str]:
        """Ask every stage to stop, and wait for them; return those that have not after :data:`LEAVE_WITHIN_S`."""
        self.stop.set()
        unfinished = join_within((stage.thread for stage in self._stages.copy()), self._clock, LEAVE_WITHIN_S)
        if unfinished:
            log.warning("stages are left unfinished", stages=unfinished)
        return unfinished

    def raise_failure(self) -> None:
        """Raise the error of a stage that cannot go on, or that fails now."""
        for error in (self.failure, *self.failing.values()):
            if error is not None:
                raise error

    def _keep_running(self, stage: _Stage) -> None:
        while not self.stop.is_set():
            try:
                stage.run()
            except Exception as error:  # noqa: BLE001 -- a stage may fail in any way, and the others go on
                if isinstance(error, LeewayError):
                    log.error("a stage cannot go on", stage=stage.name, error=str(error))
                    self.failure = self.failure or error
                    self.stop.set()
                    return
                # Counted first: whoever sees that it fails finds the failure among those that are counted.
                self.failures[stage.name] += 1
                stage.note(error)
                log.error("a stage failed", stage=stage.name, reason=in_words(error), wait_s=stage.pause_s)
                self._clock.wait(self.stop, stage.pause_s)
            else:
                # Nobody waits for what has nothing more to do, such as to read a source that no model names any more.
                self._stages.remove(stage)
                return


class _Stage:
    """What a thread runs, and how it fares."""

    thread: threading.Thread

    def __init__(self, name: str, clock: Clock, stage: Callable[[], object], mend: Callable[[], object]) -> None:
        self.name, self._clock, self._stage, self._mend = name, clock, stage, mend
        self._error: Exception | None = None
        self._begun_s: float | None = None
        self.pause_s = FIRST_PAUSE_S

    @property
    def unsettled_error(self) -> Exception | None:
        """What it failed with last, unless it has run for a while since."""
        return None if self.is_steady else self._error

    def run(self) -> None:
        """Run it, mended if it failed before."""
        if self._error is not None:
            self._mend()
        self._begun_s = self._clock.monotonic_s()
        self._stage()
        self._error = None

    def note(self, error: Exception) -> None:
        """It has failed: the pause before it runs again grows with each failure that comes soon."""
        soon = self._error is not None and not self.is_steady
        self.pause_s = min(2 * self.pause_s, LAST_PAUSE_S) if soon else FIRST_PAUSE_S
        self._error, self._begun_s = error, None

    @property
    def is_steady(self) -> bool:
        """Whether it has run for a while since it was started last."""
        return self._begun_s is not None and self._clock.monotonic_s() - self._begun_s >= STEADY_S
