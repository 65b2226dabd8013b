"""What models and the service have to agree on about private fields, and about single events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.config.model import Model
from monitor.config.service import Service

__all__ = ["wrong_privacy"]

_Wrong = tuple[str, tuple[str | int, ...], str]


def wrong_privacy(models: Mapping[str, Model], service: Service) -> Iterator[_Wrong]:
    """Yield model, path and message of what models and the service do not agree on."""
    for name, model in models.items():
        if not service.spec.privacy.hash_key.get_secret_value():
            yield from _without_key(name, model)
        if service.spec.privacy.keep == "none" or model.spec.keep.summaries_only:
            yield from _of_single_events(name, model)


def _without_key(name: str, model: Model) -> Iterator[_Wrong]:
    schema = model.spec.schema_
    for part, fields in (("features", schema.features), ("prediction", schema.prediction), ("labels", schema.labels)):
        for field, spec in fields.items():
            if spec.is_digest:
                message = (
                    f"`{spec.privacy}` makes digests of categories under a key: name it in the service's file, "
                    "privacy: {hash_key: ${LEEWAY_HASH_KEY}}"
                )
                yield name, ("spec", "schema", part, field, "privacy"), message


def _of_single_events(name: str, model: Model) -> Iterator[_Wrong]:
    """What would write single events, or judge them, though only summaries are to be kept."""
    # Only here: detectors bring the compiler along.
    from monitor.config.references import WINDOWED, uses_for

    only = "only summaries are to be kept (`keep: none`)"
    keep = model.spec.keep
    for key in ("events", "predictions"):
        if getattr(keep, key):
            yield name, ("spec", "keep", key), f"{only}, and this keeps single events: leave it out"
    for index, source in enumerate(model.spec.sources):
        if source.http is not None:
            message = f"{only}, and events of an HTTP stream wait in a file, `ingest_log`: have them read from Kafka"
            yield name, ("spec", "sources", index, "http"), message
    if model.spec.performance is not None:
        yield (
            name,
            ("spec", "performance"),
            f"{only}, and predictions are compared with labels one by one: leave it out",
        )
    per_event = {detector for uses in uses_for(model).values() for detector in uses if detector not in WINDOWED}
    if per_event:
        message = f"{only}, and {', '.join(sorted(per_event))} would keep single values in checkpoints: leave it out"
        yield name, ("spec", "detect", "rules"), message
