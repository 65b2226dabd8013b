"""A world whose model `fraud` has an estimator, and keeps its events."""

from __future__ import annotations

from dataclasses import replace

from monitor.config.keep import Keep
from monitor.config.performance import Performance
from monitor.config.schema import FieldSpec
from monitor.estimators.artefact import FORMAT, Artefact, Fidelity, Fitted, Knots
from monitor.estimators.estimator import Estimator
from tests.api.world import World

__all__ = ["with_estimates"]


def with_estimates(world: World) -> World:
    """Have the scores of `fraud` be probabilities that are right as often as they say."""
    estimator = Estimator(
        "estimated:accuracy",
        Artefact(
            format=FORMAT,
            kind="cbpe",
            model="fraud",
            prediction="prediction:score",
            fitted=Fitted("drawn.parquet", 1_000, 0.8, {}),
            fidelity=Fidelity(chunks=10, chunk_events=100, error=0.03, constant_error=0.05, chance_error=0.03),
            spread=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            threshold=0.5,
            calibration=Knots([0.0, 1.0], [0.0, 1.0]),
        ),
    )
    watch = world.watches["fraud"]
    spec = watch.model.spec
    schema = spec.schema_.model_copy(update={"id": "id", "labels": {"fraud": FieldSpec(type="category")}})
    stated = {"schema_": schema, "performance": Performance(positive="yes"), "keep": Keep(events=1.0)}
    compared = spec.model_copy(update=stated)
    # A copy takes over what was worked out of the original.
    compared.__dict__.pop("performance_plan", None)
    model = watch.model.model_copy(update={"spec": compared})
    layouts = {**watch.layouts, estimator.signal: estimator.layout}
    world.watches["fraud"] = replace(watch, model=model, layouts=layouts, estimators=(estimator,))
    return world
