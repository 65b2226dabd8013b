"""Receivers: whom alerts are told to. A new one is one file here and one line in ``RECEIVERS``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sinks.receivers.contract import Receiver

__all__ = ["RECEIVERS", "build"]

RECEIVERS = {
    "alertmanager": "sinks.receivers.alertmanager:Alertmanager",
    "apprise": "sinks.receivers.apprise:Apprise",
    "clickhouse": "sinks.receivers.table:Table",
    "email": "sinks.receivers.mail:Mail",
    "kafka": "sinks.receivers.kafka:Kafka",
    "log": "sinks.receivers.log:Log",
    "memory": "sinks.receivers.memory:Memory",
    "opsgenie": "sinks.receivers.opsgenie:Opsgenie",
    "pagerduty": "sinks.receivers.pagerduty:PagerDuty",
    "slack": "sinks.receivers.slack:Slack",
    "teams": "sinks.receivers.teams:Teams",
    "webhook": "sinks.receivers.webhook:Webhook",
}
"""Kind to ``module:class``; a module is imported only when it is needed."""


def build(config: Mapping[str, Any]) -> Receiver:
    """Build the receiver that ``config`` describes.

    Parameters
    ----------
    config : mapping
        ``kind``, and the keys of that kind as the service's configuration names them (durations in ms).

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> build({"kind": "memory", "name": "inbox"}).name
    'inbox'
    """
    kind = config["kind"]
    if kind not in RECEIVERS:
        raise ValueError(f"unknown receiver {kind!r}; there are {', '.join(sorted(RECEIVERS))}")
    module, _, name = RECEIVERS[kind].partition(":")
    receiver: type[Receiver] = getattr(import_module(module), name)
    return receiver.from_config({key: value for key, value in config.items() if key != "kind"})
