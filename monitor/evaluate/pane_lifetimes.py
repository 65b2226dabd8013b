"""How long fine panes are kept: while something that their sums cannot answer may still need them.

Panes go by the machine's clock, and windows are evaluated in event time. So a model that has not come near the present,
after an outage or at the beginning of an old topic, keeps its panes until it has: no window is evaluated from what is
left of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from detectors.change.legend import LAG_DAYS, REFERENCE_DAYS
from monitor.config import Configuration
from monitor.config.baseline import FirstEventsBaseline, RollingBaseline
from monitor.config.lifetimes import lifetimes
from monitor.config.model import ModelSpec
from monitor.values import DAY_MS
from sinks.store.connection import Connection
from sinks.store.contract import Query, Store
from sinks.store.derived import TIERS
from sinks.store.marks import unsummed
from sinks.store.retention import Lifetimes
from sinks.store.spans import Span

__all__ = ["lifetimes_now", "needed_ms"]

VOLUME_DAYS = 28


def lifetimes_now(configuration: Configuration, store: Store, now_ms: int) -> dict[str, Lifetimes]:
    """Return how long the rows of each table are kept as of now.

    Parameters
    ----------
    configuration : Configuration
    store : Store
        Says how far each model is.
    now_ms : int

    Raises
    ------
    StoreError
    """
    keep = configuration.service.spec.store.keep
    chosen = "panes" in keep.model_fields_set
    by_model: dict[str, int | None] = {}
    spans: dict[str, Span] = {}
    for name, model in configuration.models.items():
        kept_ms = keep.panes if chosen or keep.panes is None else needed_ms(model.spec, keep.panes)
        by_model[name] = kept_ms
        if kept_ms is not None:
            spans[name] = (now_ms - kept_ms, now_ms - _delay_ms(model.spec, kept_ms))
    behind = _behind(store, spans)
    by_model = {name: None if name in behind else kept_ms for name, kept_ms in by_model.items()}
    return lifetimes(configuration) | {"panes": Lifetimes(keep.panes, by_model)}


def needed_ms(spec: ModelSpec, usual_ms: int) -> int | None:
    """Return how long a model's fine panes are kept unless the service's file says it; None is for ever.

    At least ``usual_ms``.

    A changed configuration learns again from stored panes. It takes sums of them where windows consist of whole ones;
    where they do not, panes are kept for as long as it learns. Estimates are kept until they are compared with labels.
    """
    defaults = spec.detect.defaults
    parts = (defaults.window, defaults.step_ms, defaults.offset)
    lengths = [length_ms for length_ms in TIERS.values() if length_ms % spec.detect.pane == 0]
    least_ms = max(usual_ms, 2 * defaults.window, _compared_ms(spec))
    if any(all(part % length_ms == 0 for part in parts) for length_ms in lengths):
        return least_ms
    if isinstance(spec.baseline, FirstEventsBaseline):
        return None
    span_ms = spec.baseline.span if isinstance(spec.baseline, RollingBaseline) else 0
    learned_ms = span_ms + 2 * defaults.learn_windows * defaults.window
    return max(least_ms, learned_ms, (REFERENCE_DAYS + LAG_DAYS) * DAY_MS, VOLUME_DAYS * DAY_MS) + defaults.window


def _compared_ms(spec: ModelSpec) -> int:
    """How long estimates are needed: until labels say what came of their day, and a day more for whoever is late."""
    plan = spec.performance_plan
    if plan is None or plan.weight is not None or not spec.estimates:
        return 0
    return plan.judge_at_ms[0] + 2 * DAY_MS


def _delay_ms(spec: ModelSpec, kept_ms: int) -> int:
    """How far from now a model may be without being behind: what a window needs is there, with time to spare.

    Whoever sends a week's events at once is not behind.
    """
    return max(kept_ms // 2, min(kept_ms * 3 // 4, kept_ms - spec.detect.defaults.window))


def _behind(store: Store, spans: Mapping[str, Span]) -> set[str]:
    """The models of which panes would go before they are evaluated, or added up."""
    rows = store.read(Query("checkpoints", {"stage": "evaluate"}, columns=("name", "position")))
    reached_ms = dict(zip(rows["name"], rows["position"].tolist(), strict=True))
    behind = {name for name, (_, to_ms) in spans.items() if reached_ms.get(name, 0) < to_ms}
    return behind | (unsummed(store, spans) if isinstance(store, Connection) else set())
