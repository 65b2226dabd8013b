"""The page of a vector: distances, where others have a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.sketch import JointFold, JointLayout
from monitor.clock import ManualClock
from monitor.config import Model
from monitor.panes.codec import vector_columns
from tests.api.world import HOUR_MS, World, configured, pane, score
from tests.web.browser.looking import Open
from tests.web.browser.site import NOW_MS, serving_site

SIGNAL = "feature:text"


def embedded() -> World:
    """Eight days of a model with an embedding that has moved in the last hours."""
    spec = {
        "sources": [{"http": "fraud"}],
        "schema": {"features": {"text": {"type": "vector", "dimension": 3}}},
        "detect": {"rule": "variation", "rules": [{"on": SIGNAL, "use": ["mmd"]}]},
    }
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    world = World(clock=ManualClock(NOW_MS), configuration=configured(Model.model_validate(model)))
    rng = np.random.default_rng(3)
    panes, scores = [], []
    for hour in range(-8 * 24, 0):
        start_ms, is_moved = NOW_MS + hour * HOUR_MS, hour >= -6
        panes.append(pane_of_vectors(world, start_ms, rng.normal(2.0 if is_moved else 0.0, 1, (30, 3))))
        row = score(0, signal=SIGNAL, detector="mmd", window_end_ms=start_ms + HOUR_MS, window_ms=HOUR_MS)
        scores.append(row | {"effect": 0.4 if is_moved else 0.01, "min_effect": 0.05, "n": 30})
        scores[-1]["status"] = "drift" if is_moved else "ok"
    world.add("panes", panes)
    world.add("scores", scores)
    return world


def pane_of_vectors(world: World, start_ms: int, vectors: Any) -> dict[str, Any]:
    layout = world.watches["fraud"].layouts[SIGNAL]
    assert isinstance(layout, JointLayout)
    fold = JointFold(layout)
    fold.ensure(1)
    fold.fold(np.zeros(len(vectors), dtype=np.int64), np.vstack([vectors]))
    return pane(SIGNAL, start_ms, layout.id) | vector_columns(fold.take(0)) | {"missing": 10}


def test_of_a_vector_distances_are_shown_in_place_of_a_distribution(look: Open) -> None:
    with serving_site(embedded()) as site:
        shown = look("/models/fraud/signals/feature%3Atext", of=site)
        page = shown.page
        table = page.get_by_role("group", name="Distances of the vectors", exact=True)
        table.wait_for()
        page.get_by_text("distance by mmd: 0.4, 8.0× what matters").wait_for()
        assert "nothing is expected of a vector at an hour" in shown.text
        [row] = [row for row in table.get_by_role("row").all() if "mmd" in row.inner_text()]
        assert "where the vectors lie" in row.inner_text()
        assert page.get_by_role("region", name="Missing and invalid").inner_text().count("25.0 % → 25.0 %") == 1
        for absent in ("out of range", "histogram", "Distribution"):
            assert absent not in shown.text
        assert shown.violations() == []
