"""What goes wrong when in a run of chaos: a list of times that a seed settles."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["FAULTS", "KILLS_UNTIL", "Fault", "Happening", "schedule"]

KILLS_UNTIL = 0.55
"""The share of a run after which the service is not killed any more: what it holds is then watched over one life."""

FIRST_S, LEAST_PAUSE_S, MOST_PAUSE_S = 15.0, 2.0, 10.0


class Fault(NamedTuple):
    """One kind of fault.

    Attributes
    ----------
    group : str
        Of one group one fault holds at a time.
    least_s, most_s : float
        How long it lasts; 0: it happens, and that is all.
    """

    group: str
    least_s: float = 0.0
    most_s: float = 0.0


FAULTS: dict[str, Fault] = {
    "kill": Fault("service"),
    "reload": Fault("service"),
    "clock a day ahead": Fault("clock", 15, 45),
    "clock a day behind": Fault("clock", 15, 45),
    "store stopped": Fault("store", 5, 40),
    "store killed": Fault("store", 3, 20),
    "store full": Fault("store", 5, 25),
    "broker stopped": Fault("broker", 5, 30),
    "broker killed": Fault("broker", 3, 15),
    "own disk full": Fault("disk", 5, 25),
    "hostile posts": Fault("posts"),
    "half-open connections": Fault("connections", 5, 40),
    "drift": Fault("traffic", 40, 80),
}


@dataclass(frozen=True, order=True)
class Happening:
    """A fault begins, or is over.

    Attributes
    ----------
    at_s : float
        Since the start of the run.
    fault : str
        One of :data:`FAULTS`.
    is_over : bool
    """

    at_s: float
    fault: str
    is_over: bool = False


def schedule(seed: int, seconds: float, faults: Collection[str] = tuple(FAULTS)) -> list[Happening]:
    """Return what happens in a run, in order: every fault in turn, in rounds whose order is drawn.

    Parameters
    ----------
    seed : int
    seconds : float
        After which everything is over.
    faults : collection of str
        Those that can be had here.

    Examples
    --------
    >>> events = schedule(1, 600)
    >>> events == schedule(1, 600), max(event.at_s for event in events) <= 600
    (True, True)
    """
    rng = random.Random(seed)
    happenings: list[Happening] = []
    free_at_s: dict[str, float] = {}
    at_s, turn = FIRST_S, list[str]()
    while True:
        turn = turn or rng.sample(sorted(faults), len(faults))
        name = turn.pop()
        fault = FAULTS[name]
        begins_s = max(at_s, free_at_s.get(fault.group, 0.0))
        ends_s = begins_s + rng.uniform(fault.least_s, fault.most_s)
        if begins_s >= seconds:
            return sorted(happenings)
        at_s += rng.uniform(LEAST_PAUSE_S, MOST_PAUSE_S)
        if ends_s >= seconds or (name == "kill" and begins_s > KILLS_UNTIL * seconds):
            continue
        free_at_s[fault.group] = ends_s + LEAST_PAUSE_S
        happenings.append(Happening(begins_s, name))
        if fault.most_s:
            happenings.append(Happening(ends_s, name, is_over=True))
