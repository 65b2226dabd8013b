"""Short ways to say what a window looked like, in windows of one minute."""

from __future__ import annotations

from typing import Any

from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.transition import Transition
from monitor.alerts.verdict import Status, Verdict
from monitor.config.model import Alerts
from monitor.evaluate.model import policy_of
from monitor.values import format_duration

WINDOW_MS = 60_000


def verdict(minute: int, signal: str, status: Status = "drift", effect: float = 0.3, **rest: Any) -> Verdict:
    """The window that ends at ``minute``."""
    key = {"version": rest.pop("version", "v1"), "segment": rest.pop("segment", "")}
    detector = rest.pop("detector", "psi")
    return Verdict(
        **key,
        signal=signal,
        detector=detector,
        status=status,
        at_ms=minute * WINDOW_MS,
        window_start_ms=(minute - 1) * WINDOW_MS,
        statistic=effect,
        effect=effect,
        min_effect=rest.pop("min_effect", 0.1),
        **rest,
    )


def lifecycle(**alerts: Any) -> Lifecycle:
    """A lifecycle of the model ``flights``; durations in its configuration are ms."""
    written = {"resolve_after": 3 * WINDOW_MS, "group_by": ["model", "version"]} | alerts
    config = Alerts.model_validate(
        {key: format_duration(value) if isinstance(value, int) else value for key, value in written.items()}
    )
    return Lifecycle("flights", "ops", {"tier": "1"}, policy_of(config, WINDOW_MS), WINDOW_MS)


def play(alerts: Lifecycle, *minutes: str) -> list[Transition]:
    """Step through minutes 1, 2, 3 …; each is the names of the alarmed signals, separated by spaces."""
    log: list[Transition] = []
    for minute, alarmed in enumerate(minutes, start=1):
        log += alerts.step(minute * WINDOW_MS, [verdict(minute, signal) for signal in alarmed.split()])
    return log


def told(log: list[Transition]) -> list[tuple[int, str, list[str]]]:
    """Minute, state and members of each transition."""
    return [(t.at_ms // WINDOW_MS, t.state, sorted(s["signal"] for s in t.signals)) for t in log]
