"""What a check has found, and how checks are run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from monitor.clock import Clock
from monitor.logs import errors_only
from monitor.threads import in_words

__all__ = ["WITHIN_S", "Check", "Finding", "State", "examine", "fine", "unknown", "wrong"]

WITHIN_S = 15.0
"""How long all checks may take together: they run side by side."""

State = Literal["fine", "wrong", "unknown"]


@dataclass(frozen=True)
class Finding:
    """What is so about one thing.

    Attributes
    ----------
    check : str
        Which one has found it.
    subject : str
    state : State
        ``unknown``: it could not be looked at.
    detail : str
    advice : str
        What to do; empty where there is nothing to do.
    """

    check: str
    subject: str
    state: State
    detail: str
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def fine(check: str, subject: str, detail: str) -> Finding:
    """Return that all is well with a thing."""
    return Finding(check, subject, "fine", detail)


def wrong(check: str, subject: str, detail: str, advice: str) -> Finding:
    """Return what is wrong with a thing, and what to do."""
    return Finding(check, subject, "wrong", detail, advice)


def unknown(check: str, subject: str, detail: str, advice: str = "") -> Finding:
    """Return that a thing could not be looked at."""
    return Finding(check, subject, "unknown", detail, advice)


def examine(checks: Mapping[str, Check], clock: Clock, within_s: float = WITHIN_S) -> list[Finding]:
    """Run checks side by side, and return what they have found by then, in their order.

    One that raises, or does not end in time, is wrong itself; what it had found before stays.

    Examples
    --------
    >>> from monitor.clock import SystemClock
    >>> checks = {"disk": lambda: [fine("disk", "/data", "5 GiB are free")], "kafka": lambda: 1 / 0}
    >>> [(each.check, each.state) for each in examine(checks, SystemClock())]
    [('disk', 'fine'), ('kafka', 'wrong')]
    """
    findings: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = {
        name: threading.Thread(target=partial(_run, name, check, findings[name]), name=name, daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    until_s = clock.monotonic_s() + within_s
    for thread in threads.values():
        thread.join(max(0.0, until_s - clock.monotonic_s()))
    late = {
        name: wrong(
            name, name, f"it did not answer within {within_s:g} s", "find out what hangs; see the rest, and try again"
        )
        for name, thread in threads.items()
        if thread.is_alive()
    }
    return [each for name in checks for each in (*findings[name], *([late[name]] if name in late else []))]


def _run(name: str, check: Check, findings: list[Finding]) -> None:
    # What it would warn of is what it finds.
    with errors_only():
        try:
            for finding in check():
                findings.append(finding)
        except Exception as error:  # noqa: BLE001 -- one check that fails ends no other
            detail = f"this check could not be completed: {in_words(error)}"
            findings.append(wrong(name, name, detail, "see the rest, and try again; if it fails again, report it"))
