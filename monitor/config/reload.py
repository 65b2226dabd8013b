"""What of a configuration may change while its service runs: who is notified, and the models."""

from __future__ import annotations

from monitor.config.load import Configuration

__all__ = ["lasting_changes"]

TAKEN_UP = ("alerting", "external_url", "incidents", "models", "receivers", "subscriptions")
"""Keys of the service's file that say who is notified, and which files are models."""


def lasting_changes(former: Configuration, current: Configuration) -> list[str]:
    """Return what differs between two configurations that only a restart takes up, by its path.

    Examples
    --------
    >>> from pathlib import Path
    >>> from monitor.config.service import Service
    >>> specs = {"external_url": "http://a/", "idle_after": "1s"}, {"external_url": "http://b/", "idle_after": "2s"}
    >>> lasting_changes(*(Configuration(Service.model_validate({"spec": spec}), {}, Path()) for spec in specs))
    ['spec.idle_after']
    """
    service, changed = former.service.spec, current.service.spec
    keys = [key for key in type(service).model_fields if key not in TAKEN_UP]
    return [f"spec.{key}" for key in keys if getattr(service, key) != getattr(changed, key)]
