"""A receiver that reaches whatever the library Apprise knows: some hundred services, each by an address of its own."""

from __future__ import annotations

import logging
from concurrent.futures import Future, wait
from functools import partial
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, SecretStr

from sinks.parameters import DurationMs
from sinks.receivers.contract import Delivered, Notification, Outcome, Retry
from sinks.receivers.text import Worded
from sinks.time_limit import begun

__all__ = ["Apprise", "AppriseParameters"]

MOST_UNFINISHED = 4
"""So many attempts may go on after their time is up: Apprise cannot be told to end one."""


class AppriseParameters(Worded):
    """Reaches any service that Apprise knows; needs `pip install 'leeway[apprise]'`."""

    kind: Literal["apprise"]
    url: SecretStr = Field(
        description="as Apprise's documentation has it, such as `matrix://user:password@host/#room`; by reference"
    )
    timeout: DurationMs = Field(
        default=30_000, gt=0, description="for all that Apprise asks and is answered, altogether"
    )


class Apprise:
    """Hands title and text to a service. Needs the extra ``leeway[apprise]``.

    Delivered means that Apprise says so. It does not say why it failed, or whether trying again can help: every
    failure is tried again, and its own warnings are in the process's log. None of these services has a key by which it
    recognises repetitions. What takes longer than the time-out is given up, and goes on in a thread that ends with the
    process; where some do already, nothing else is begun.

    Parameters
    ----------
    parameters : AppriseParameters

    Raises
    ------
    ValueError
        If Apprise is not installed, or knows no such address.
    """

    Parameters = AppriseParameters

    def __init__(self, parameters: AppriseParameters) -> None:
        self.name, self.send_resolved = parameters.name, parameters.send_resolved
        try:
            import apprise
        except ModuleNotFoundError as error:
            message = f"receiver {self.name!r} needs the package apprise: pip install 'leeway[apprise]'"
            raise ValueError(message) from error
        self._text = parameters.words()
        self._kinds = {"firing": apprise.NotifyType.WARNING, "resolved": apprise.NotifyType.SUCCESS}
        self._timeout_s = parameters.timeout / 1000
        self._unfinished: set[Future[Any]] = set()
        services = apprise.Apprise(asset=_without_limit(apprise))
        # Below WARNING it writes addresses and payloads, and an address that it does not know at ERROR.
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.CRITICAL)
        is_known = services.add(parameters.url.get_secret_value())
        logger.setLevel(logging.WARNING)
        if not is_known:
            raise ValueError(f"receiver {self.name!r}: Apprise knows no such address")
        # One by one: what it asks at once, it asks from threads that the process would wait for at its end.
        self._services = [apprise.Apprise(service) for service in services]

    def send(self, notification: Notification) -> Outcome:
        """Hand it over, once."""
        title, text = self._text.of(notification)
        words: dict[str, Any] = {
            "title": title,
            "body": text,
            "notify_type": self._kinds[notification.status],
            "body_format": "text",
        }
        self._unfinished = {sending for sending in self._unfinished if not sending.done()}
        if len(self._unfinished) >= MOST_UNFINISHED:
            return Retry(f"{len(self._unfinished)} attempts of Apprise's are still under way after their time was up")
        sendings = [begun("apprise", partial(service.notify, **words)) for service in self._services]
        finished, unfinished = wait(sendings, self._timeout_s)
        if unfinished:
            self._unfinished |= unfinished
            return Retry(f"Apprise has not ended within {self._timeout_s:g} s", may_have_it=True)
        if all(sending.result() for sending in finished):
            return Delivered()
        return Retry("Apprise did not deliver it; its warnings in the log may say why")

    def close(self) -> None:
        """Nothing to release."""


def _without_limit(apprise: ModuleType) -> Any:
    """Return settings without a time-out of its own, for which it takes threads that the process would wait for."""
    try:
        return apprise.AppriseAsset(service_timeout=0)
    except AttributeError:  # older ones have none
        return apprise.AppriseAsset()
