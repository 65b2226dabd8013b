"""What labels say where none of them says the positive class: most likely its name was changed."""

from __future__ import annotations

from collections import Counter

from detectors.performance import Binary
from monitor.api.contract import ApiService
from sinks.store.contract import Query

__all__ = ["other_values"]

LOOKED_AT = 1_000
"""Labels that are looked at, the newest ones."""

NAMED = 3
"""Values that are named, the most frequent ones."""

LONGEST = 40
"""Characters of a value that are shown."""


def other_values(service: ApiService, model: str, from_ms: int, to_ms: int) -> str:
    """Return what the newest labels of a span of their own time say, if none of them says the positive class; else "".

    Raises
    ------
    StoreError
    """
    watch = service.watches.get(model)
    plan = None if watch is None else watch.model.spec.performance_plan
    if plan is None or not isinstance(plan.scheme, Binary):
        return ""
    where = {"model": model, "signal": plan.label, "retracted": 0}
    newest = Query(
        "labels", where, {"event_ms": from_ms}, {"event_ms": to_ms},
        order=("event_ms",), descending=True, limit=LOOKED_AT, columns=("label",),
    )  # fmt: skip
    values = Counter(str(value) for value in service.store.read(newest)["label"])
    if not values or plan.scheme.positive in values:
        return ""
    ranked = sorted(values, key=lambda value: (-values[value], value))
    names = ", ".join(repr(value[:LONGEST]) for value in ranked[:NAMED])
    others = f" and {len(ranked) - NAMED} other values" if len(ranked) > NAMED else ""
    return f"labels say {names}{others}, and none {plan.scheme.positive!r}, which is `positive`"
