"""Whom a subscription notifies: a receiver that the configuration names, or an address of a kind that it allows.

An address comes from whoever reaches the API. It is held to the hosts that the configuration allows, as the one that
sends reads them, and to public ones unless it says otherwise; nothing of a configured receiver goes there but, for
mail, the server and the sender.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from monitor.config.service import ServiceSpec
from monitor.config.subscriptions import EmailSubscribers, WebhookSubscribers
from monitor.delivery.target import Target
from monitor.errors import InputError
from monitor.routing.subscriptions import Subscription
from monitor.values import format_duration
from sinks.receivers import read_parameters
from sinks.receivers.parameters import Parameters

__all__ = ["entries_of", "reached", "target_of"]

_ADDRESS = re.compile(r"https?://[!-\[\]-~]{1,2000}")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)")


def reached(spec: ServiceSpec, subscription: Subscription) -> dict[Target, Parameters]:
    """Return the entries that a subscription notifies, each with what builds it.

    Raises
    ------
    InputError
        If the configuration has no such receiver, or does not allow the address.

    Examples
    --------
    >>> from monitor.routing.subscriptions import Subscription
    >>> [target.name for target in reached(ServiceSpec(), Subscription((), "log"))]
    ['log/0']
    """
    if not subscription.address:
        return entries_of(spec, subscription.receiver)
    parameters = _mail(spec, subscription) if subscription.receiver == "email" else _webhook(spec, subscription)
    return dict([_made_of(Target(subscription.told), parameters.named(subscription.told))])


def target_of(receiver: Parameters) -> Target:
    """Return the entry of a receiver that is configured beside the routes.

    Examples
    --------
    >>> from sinks.receivers import read_parameters
    >>> target_of(read_parameters({"kind": "alertmanager", "name": "am", "url": "http://am:9093"})).forgets
    True
    """
    return Target(receiver.name, 0, receiver.send_resolved, receiver.forgets, receiver)


def entries_of(spec: ServiceSpec, name: str) -> dict[Target, Parameters]:
    """Return the entries of a receiver of the configuration, each with what builds it.

    Raises
    ------
    InputError
        If there is no such receiver, or it has no entry.
    """
    for receiver in spec.receivers:
        if receiver.name == name:
            return {target_of(receiver): receiver}
    for digest in spec.routing.leeway.digests:
        if digest.name == name:
            return dict(_summed_up(name, entries_of(spec, digest.receiver)))
    for other in spec.routing.receivers:
        if other.name == name:
            entries = [(Target(name, n, entry.send_resolved), entry) for n, entry in enumerate(other.parts)]
            if not entries:
                raise InputError(f"the receiver {name!r} has no entry: it notifies nobody")
            shared = spec.routing.global_
            return dict(_made_of(target, entry.parameters(target.name, shared)) for target, entry in entries)
    others = [] if spec.alerting is None else spec.alerting.receivers
    names = ", ".join([receiver.name for receiver in spec.receivers] + [other.name for other in others])
    raise InputError(f"no receiver is named {name!r}; there are {names or 'none'}")


def _summed_up(name: str, entries: Mapping[Target, Parameters]) -> Iterator[tuple[Target, Parameters]]:
    """The entries of a digest: those of the receiver that is sent it, under its own name, resolved alerts included."""
    for entry, parameters in entries.items():
        target = Target(name, entry.number)
        yield _made_of(target, parameters.named(target.name))


def _made_of(target: Target, parameters: Parameters) -> tuple[Target, Parameters]:
    return replace(target, configuration=parameters), parameters


def _mail(spec: ServiceSpec, subscription: Subscription) -> Parameters:
    allowed = spec.subscriptions.email
    if allowed is None:
        raise _not_allowed("email")
    match = _MAIL.fullmatch(subscription.address)
    if match is None:
        raise InputError("the address is no mail address such as ann@example.org")
    _check_host(allowed, "email", match.group(1))
    server = next(receiver for receiver in spec.receivers if receiver.name == allowed.through)
    return server.model_copy(update={"to": [subscription.address], "send_resolved": True})


def _webhook(spec: ServiceSpec, subscription: Subscription) -> Parameters:
    # httpx sends, and so says which host an address has: another reader might take it for another.
    import httpx

    from sinks.receivers.post import private

    allowed = spec.subscriptions.webhook
    if allowed is None:
        raise _not_allowed("webhook")
    if _ADDRESS.fullmatch(subscription.address) is None:
        raise InputError("expected an address that begins with https:// or http://, without blanks and backslashes")
    try:
        url = httpx.URL(subscription.address)
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError("the address cannot be read") from error
    if url.userinfo or url.query or url.fragment:
        raise InputError("the address is kept as it is: it has no password, no ? and no #")
    _check_host(allowed, "webhook", url.host)
    try:
        is_private = private(url.host)
    except ValueError:
        # A name; where it leads is looked at whenever something is sent.
        is_private = False
    if is_private and not allowed.allow_private:
        raise InputError("the address is not a public one")
    written = {"url": subscription.address, "timeout": format_duration(allowed.timeout)}
    return read_parameters({"kind": "webhook", "name": "subscriber", "allow_private": allowed.allow_private, **written})


def _check_host(allowed: EmailSubscribers | WebhookSubscribers, kind: str, host: str) -> None:
    if not allowed.allows(host):
        raise InputError(f"{host!r} is not among spec.subscriptions.{kind}.hosts: {', '.join(allowed.hosts)}")


def _not_allowed(kind: str) -> InputError:
    return InputError(f"no {kind} address may subscribe: the service's file has no spec.subscriptions.{kind}")
