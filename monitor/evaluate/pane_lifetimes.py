"""How long fine panes are kept: while something that their sums cannot answer may still need them.

Panes go by the machine's clock, and windows are evaluated in event time. So a model that has not come near the present,
after an outage or at the beginning of an old topic, keeps its panes until it has: no window is evaluated from what is
left of them.
"""

from __future__ import annotations

from detectors.change.legend import LAG_DAYS, REFERENCE_DAYS
from monitor.config import Configuration
from monitor.config.baseline import FirstEventsBaseline, RollingBaseline
from monitor.config.lifetimes import lifetimes
from monitor.config.model import ModelSpec
from monitor.values import DAY_MS
from sinks.store.connection import Connection
from sinks.store.contract import Query, Store
from sinks.store.derived import TIERS
from sinks.store.retention import Lifetimes
from sinks.store.rollups import unsummed

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
    reached_ms = _reached_ms(store)
    by_model: dict[str, int | None] = {}
    for name, model in configuration.models.items():
        kept_ms = keep.panes if chosen or keep.panes is None else needed_ms(model.spec, keep.panes)
        is_behind = kept_ms is not None and reached_ms.get(name, 0) < now_ms - kept_ms // 2
        by_model[name] = None if is_behind else kept_ms
    return lifetimes(configuration) | {"panes": Lifetimes(keep.panes, by_model)}


def needed_ms(spec: ModelSpec, usual_ms: int) -> int | None:
    """Return how long a model's fine panes are kept unless the service's file says it; None is for ever.

    At least ``usual_ms``.

    A changed configuration learns again from stored panes. It takes sums of them where windows consist of whole ones;
    where they do not, panes are kept for as long as it learns.
    """
    defaults = spec.detect.defaults
    parts = (defaults.window, defaults.step_ms, defaults.offset)
    lengths = [length_ms for length_ms in TIERS.values() if length_ms % spec.detect.pane == 0]
    least_ms = max(usual_ms, 2 * defaults.window)
    if any(all(part % length_ms == 0 for part in parts) for length_ms in lengths):
        return least_ms
    if isinstance(spec.baseline, FirstEventsBaseline):
        return None
    span_ms = spec.baseline.span if isinstance(spec.baseline, RollingBaseline) else 0
    learned_ms = span_ms + 2 * defaults.learn_windows * defaults.window
    return max(least_ms, learned_ms, (REFERENCE_DAYS + LAG_DAYS) * DAY_MS, VOLUME_DAYS * DAY_MS) + defaults.window


def _reached_ms(store: Store) -> dict[str, int]:
    """Up to where each model is evaluated, and its panes are added up."""
    rows = store.read(Query("checkpoints", {"stage": "evaluate"}, columns=("name", "position")))
    reached_ms = dict(zip(rows["name"], rows["position"].tolist(), strict=True))
    waiting_ms = unsummed(store) if isinstance(store, Connection) else {}
    return {name: min(ms, waiting_ms.get(name, ms)) for name, ms in reached_ms.items()}
