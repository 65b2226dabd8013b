"""The model of :func:`tests.web.browser.site.drifted` as one of the API, with versions of its configuration."""

from __future__ import annotations

from dataclasses import replace

import yaml

from monitor.clock import ManualClock
from monitor.config import Model
from monitor.configurations.log import Change, ConfigurationLog
from tests.api.world import HOUR_MS, World
from tests.web.browser.site import HOSTILE, MARKUP, NOW_MS, described

__all__ = ["DOCUMENT", "FILE", "FILED", "filed", "governed"]

FILED, FILE = "filed", "models/<b>filed</b>.yaml"
"""A model of a file."""

DOCUMENT = f"# {MARKUP}\n" + yaml.safe_dump(described(), sort_keys=False, allow_unicode=True)


def governed(world: World) -> World:
    """Add two versions, which differ by their budget."""
    first = Change("fraud", DOCUMENT.replace("1 per 30d", "1 per 7d"), author=MARKUP, reason="the first one")
    second = Change("fraud", DOCUMENT, author="ann", reason=f"quieter {HOSTILE}")
    for hours, change in ((5, first), (2, second)):
        ConfigurationLog(world.store, ManualClock(NOW_MS - hours * HOUR_MS)).put(change)
    world.configuration = replace(world.configuration, texts={"fraud": DOCUMENT}, posted=frozenset({"fraud"}))
    return world


def filed(world: World) -> World:
    """Add a model of a file."""
    of_file = DOCUMENT.replace("name: fraud", f"name: {FILED}").replace("http: fraud", f"http: {FILED}")
    ConfigurationLog(world.store, world.clock).put(Change(FILED, of_file, owner="file", file=FILE))
    models = world.configuration.models | {FILED: Model.model_validate(yaml.safe_load(of_file))}
    texts = {**world.configuration.texts, FILED: of_file}
    world.configuration = replace(world.configuration, models=models, texts=texts)
    world.__dict__.pop("watches", None)
    return world
