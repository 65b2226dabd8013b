"""Windows that are evaluated so many at a time, with a restart after each time."""

from __future__ import annotations

from monitor.evaluate.change import Changes
from monitor.evaluate.model import follow, lifecycle_of
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import Watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, START_MS


def evaluated(store: Store, watch: Watch, days: int, sizes: list[int]) -> dict[str, list[str]]:
    """Rows of scores, expectations and alerts of some days, so many windows at a time."""
    window_ms = watch.model.spec.detect.defaults.window
    ends = range(first_window_end(watch, START_MS), START_MS + days * DAY_MS, window_ms)
    kind, lifecycle, first = Changes(watch, None), lifecycle_of(watch), 0
    made: dict[str, list[str]] = {"scores": [], "expectations": [], "alerts": []}
    while first < len(ends):
        batch = ends[first : first + sizes[first % len(sizes)]]
        state, kind = kind.snapshot(), Changes(watch, None)
        kind.restore(state)
        verdicts = list(kind.advance(read_panes(store, watch, batch[0] - window_ms, batch[-1]), batch))
        made["alerts"] += [repr(transition) for transition in follow(lifecycle, verdicts, batch)]
        for of_series in verdicts:
            made["scores"] += [repr(row) for row in zip(*of_series.rows("loans", "").values(), strict=True)]
        made["expectations"] += [repr(row) for row in zip(*kind.expectations().values(), strict=True)]
        first += len(batch)
    return {table: sorted(of_table) for table, of_table in made.items()}
