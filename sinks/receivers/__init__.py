"""Receivers: whom alerts are notified to. A new one is one file here and one line in ``RECEIVERS``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sinks.receivers.contract import Receiver

if TYPE_CHECKING:
    from sinks.receivers.parameters import Parameters

__all__ = ["RECEIVERS", "build", "parameters_class", "read_parameters"]

RECEIVERS = {
    "alertmanager": "sinks.receivers.alertmanager:Alertmanager",
    "apprise": "sinks.receivers.apprise:Apprise",
    "clickhouse": "sinks.receivers.table:Table",
    "email": "sinks.receivers.mail:Mail",
    "kafka": "sinks.receivers.kafka:Kafka",
    "log": "sinks.receivers.log:Log",
    "opsgenie": "sinks.receivers.opsgenie:Opsgenie",
    "pagerduty": "sinks.receivers.pagerduty:PagerDuty",
    "slack": "sinks.receivers.slack:Slack",
    "teams": "sinks.receivers.teams:Teams",
    "webhook": "sinks.receivers.webhook:Webhook",
}
"""Kind to ``module:class``; a module is imported only when it is needed."""


def parameters_class(kind: str) -> type[Parameters]:
    """Return the class of the parameters of a kind.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    parameters: type[Parameters] = _receiver_class(kind).Parameters
    return parameters


def read_parameters(config: Mapping[str, Any]) -> Parameters:
    """Read the parameters of a receiver as the service's file holds them.

    Raises
    ------
    ValueError
        If there is no such kind, or a parameter is wrong.

    Examples
    --------
    >>> read_parameters({"kind": "log"}).name
    'log'
    """
    return parameters_class(config.get("kind", "")).model_validate(config)


def build(parameters: Parameters, **lent: Any) -> Receiver:
    """Build a receiver.

    Parameters
    ----------
    parameters : Parameters
    **lent
        What the service lends it: ``connect`` to ``kafka``, ``draw`` to what shows pictures.

    Examples
    --------
    >>> build(read_parameters({"kind": "log", "name": "console"})).name
    'console'
    """
    receiver: Receiver = _receiver_class(parameters.kind)(parameters, **lent)
    return receiver


def _receiver_class(kind: str) -> Any:
    if not isinstance(kind, str) or kind not in RECEIVERS:
        raise ValueError(f"unknown receiver {kind!r}; there are {', '.join(sorted(RECEIVERS))}")
    module, _, name = RECEIVERS[kind].partition(":")
    return getattr(import_module(module), name)
