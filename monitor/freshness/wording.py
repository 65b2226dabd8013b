"""What people read about a silence: written once, from numbers."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.freshness.streams import Stream
from sinks.receivers.times import utc

__all__ = ["Silence", "expected", "lasting", "reasons", "subject", "title", "title_of_end", "unjudged"]

_UNITS = (("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400))


@dataclass(frozen=True)
class Silence:
    """A silence that is too long.

    Attributes
    ----------
    stream : Stream
    last_ms : int
        When its last event came; 0 if none ever did.
    now_ms : int
    watched_s : float
        How much of the silence Leeway watched.
    allowed_s : float
        How long it may last.
    rate : float
        Events a second that are usual.
    by_hour : bool
        Whether that is known of this hour of the week.
    expect_s : float or None
        Within which the configuration expects an event.
    is_late : bool
        Whether it is too long.
    """

    stream: Stream
    last_ms: int
    now_ms: int
    watched_s: float
    allowed_s: float
    rate: float
    by_hour: bool
    expect_s: float | None = None
    is_late: bool = True

    @property
    def lasts_s(self) -> float:
        """How long nothing has come, watched or not."""
        return max((self.now_ms - self.last_ms) / 1000, self.watched_s) if self.last_ms else self.watched_s


def lasting(seconds: float) -> str:
    """Write a length of time in at most two units.

    Examples
    --------
    >>> lasting(3), lasting(720), lasting(5400), lasting(0.25), lasting(200_000)
    ('3 s', '12 min', '1 h 30 min', '0.25 s', '2 d 7 h')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    number = max(i for i, (_, size) in enumerate(_UNITS) if seconds >= size or not i)
    unit, size = _UNITS[number]
    if number < 2:
        return f"{seconds / size:.0f} {unit}"
    lower_unit, lower_size = _UNITS[number - 1]
    rest = int(seconds % size / lower_size)
    return f"{int(seconds // size)} {unit}" + (f" {rest} {lower_unit}" if rest else "")


def subject(stream: Stream) -> str:
    """Return what does not come."""
    match stream.kind:
        case "labels":
            return "labels"
        case "source":
            return f"events from {stream.topic}"
        case "partition":
            return f"events from {stream.topic}/{stream.partition}"
        case _:
            return "events"


def expected(silence: Silence) -> str:
    """Return how often something should come."""
    if silence.expect_s is not None:
        return f"expected every {lasting(silence.expect_s)}"
    return f"usually every {lasting(1 / silence.rate)}" if silence.rate > 0 else "usually more often"


def title(silence: Silence) -> str:
    """Return the title of the alert.

    Examples
    --------
    >>> title(Silence(Stream("fraud"), 1_360_387_800_000, 1_360_388_520_000, 720.0, 300.0, 1 / 3, True))
    'fraud: no events for 12 min, usually every 3 s; last at 2013-02-09 05:30 UTC'
    """
    end = f"last at {utc(silence.last_ms)}" if silence.last_ms else "none came since it is watched"
    of_stream = f"{silence.stream.model}: no {subject(silence.stream)}"
    return f"{of_stream} for {lasting(silence.lasts_s)}, {expected(silence)}; {end}"


def title_of_end(stream: Stream, last_ms: int, now_ms: int) -> str:
    """Return the title of an alert that is over.

    Examples
    --------
    >>> title_of_end(Stream("fraud"), 1_360_387_800_000, 1_360_388_520_000)
    'fraud: events come again, after 12 min without; the last before was at 2013-02-09 05:30 UTC'
    """
    again = f"{stream.model}: {subject(stream)} come again"
    if not last_ms:
        return again
    return f"{again}, after {lasting((now_ms - last_ms) / 1000)} without; the last before was at {utc(last_ms)}"


def reasons(silence: Silence) -> list[str]:
    """Return what there is to say beside the title, a sentence each."""
    return [_expectation(silence), _watched(silence), _look_at(silence.stream)]


def unjudged(alert: str, alert_id: str) -> str:
    """Return what there is to say about an alert of a model that nothing comes of any more."""
    return f"It fires, and cannot be judged until events return: {alert} ({alert_id})."


def _expectation(silence: Silence) -> str:
    events = subject(silence.stream)
    if silence.expect_s is not None:
        return f"The configuration expects {events} at least every {lasting(silence.expect_s)}."
    missing = silence.rate * silence.watched_s
    hour = "at this hour of the week" if silence.by_hour else "so far (this hour of the week is not known yet)"
    about = f"{missing:,.0f}" if missing >= 1 else "one"
    longest = f"a silence of up to {lasting(silence.allowed_s)} would have been nothing new"
    return f"About {about} should have come meanwhile, by what is usual {hour}; {longest}."


def _watched(silence: Silence) -> str:
    read = "Leeway reads, and has read everything there is"
    unwatched_s = silence.lasts_s - silence.watched_s
    if unwatched_s < 60:
        return f"{read}: what is missing was never written where it reads."
    return f"{read}; for {lasting(unwatched_s)} of the silence it did not read, which does not count."


def _look_at(stream: Stream) -> str:
    match stream.kind:
        case "labels":
            return "Look at: the job that writes labels, and its last run."
        case "partition" | "source":
            return (
                f"Look at: who writes to {stream.topic}, and with which keys; the model's other events still come, and "
                "windows go on without these."
            )
        case _:
            return (
                "Look at: whether the model still serves, its last deployment, and the producer that writes its events."
                " Until events return, nothing of it is judged."
            )
