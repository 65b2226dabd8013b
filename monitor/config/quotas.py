"""How much a namespace may have: models, series, and events a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from monitor.config.model import Model
from monitor.values import Strict, ordinal

__all__ = ["Quota", "quota_refusals", "series_of", "wrong_quotas"]

_AT = ("metadata", "namespace")


class Quota(Strict):
    """How much one namespace may have; what is absent is not limited."""

    models: int | None = Field(default=None, ge=0, description="of files and of the API; one more is refused")
    series: int | None = Field(
        default=None, ge=0, description="signals of its models, in all traffic and in each segment; more are refused"
    )
    events_per_s: float | None = Field(
        default=None,
        gt=0,
        description="on average; over HTTP more are refused with 429, from Kafka they are read, and an alert says so",
    )


def series_of(model: Model) -> int:
    """Return how many series a model has at most: its signals, in all traffic and in each segment.

    Examples
    --------
    >>> model = Model.model_validate({
    ...     "apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "m"},
    ...     "spec": {"sources": [{"http": "m"}], "segments": [{"by": ["country"], "values": ["DE", "FR"]}],
    ...              "schema": {"features": {"amount": {"type": "numeric"}, "country": {"type": "category"}}}}})
    >>> series_of(model)  # amount, country and the volume, in all traffic and in two countries
    9
    """
    schema = model.spec.schema_
    signals = len(schema.features) + len(schema.prediction) + len(model.spec.detect.vectors) + 1
    segments = sum(each.top if each.values is None else len(each.values) for each in model.spec.segments)
    return signals * (1 + segments)


def wrong_quotas(
    models: Mapping[str, Model], quotas: Mapping[str, Quota]
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield model, path and message of every model beyond what its namespace may have, in their order."""
    for namespace, quota in quotas.items():
        of_namespace = {name: each for name, each in models.items() if each.metadata.namespace == namespace}
        series = 0
        for number, (name, model) in enumerate(of_namespace.items(), 1):
            series += series_of(model)
            if quota.models is not None and number > quota.models:
                yield name, _AT, _too_many_models(namespace, quota.models, number)
            if quota.series is not None and series > quota.series:
                yield name, _AT, _too_many_series(namespace, quota.series, series_of(model), series)


def quota_refusals(former: Mapping[str, Model], model: Model, quotas: Mapping[str, Quota]) -> list[str]:
    """Return why a model's change is refused: what grows beyond a quota; what was beyond it before may stay.

    Parameters
    ----------
    former : mapping of str to Model
        All models that there are.
    model : Model
        What it is to be.
    quotas : mapping of str to Quota
        By namespace.
    """
    name, namespace = model.name, model.metadata.namespace
    quota = quotas.get(namespace)
    if quota is None:
        return []
    others = [each for key, each in former.items() if key != name and each.metadata.namespace == namespace]
    was_there = name in former and former[name].metadata.namespace == namespace
    refusals = []
    if quota.models is not None and not was_there and len(others) >= quota.models:
        refusals.append(_too_many_models(namespace, quota.models, len(others) + 1))
    series = series_of(model)
    total = sum(map(series_of, others)) + series
    grows = not was_there or series > series_of(former[name])
    if quota.series is not None and grows and total > quota.series:
        refusals.append(_too_many_series(namespace, quota.series, series, total))
    return refusals


def _too_many_models(namespace: str, limit: int, number: int) -> str:
    return f"namespace {namespace} may have {limit:,} models (`spec.quotas`); this would be the {ordinal(number)}"


def _too_many_series(namespace: str, limit: int, series: int, total: int) -> str:
    return (
        f"namespace {namespace} may have {limit:,} series (`spec.quotas`); with the {series:,} of this model it would"
        f" have {total:,}"
    )
