"""A receiver that reaches whatever the library Apprise knows: some hundred services, each by an address of its own."""

from __future__ import annotations

import logging
from typing import Literal

from pydantic import Field, SecretStr

from sinks.receivers.contract import Delivered, Notification, Outcome, Retry
from sinks.receivers.text import Worded

__all__ = ["Apprise", "AppriseParameters"]


class AppriseParameters(Worded):
    """Reaches any service that Apprise knows; needs `pip install 'leeway[apprise]'`."""

    kind: Literal["apprise"]
    url: SecretStr = Field(
        description="as Apprise's documentation has it, such as `matrix://user:password@host/#room`; by reference"
    )


class Apprise:
    """Hands title and text to a service. Needs the extra ``leeway[apprise]``.

    Delivered means that Apprise says so. It does not say why it failed, or whether trying again can help: every
    failure is tried again, and its own warnings are in the process's log. None of these services has a key by which it
    recognises repetitions.

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
        self._service = apprise.Apprise()
        # Below WARNING it writes addresses and payloads, and an address that it does not know at ERROR.
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.CRITICAL)
        is_known = self._service.add(parameters.url.get_secret_value())
        logger.setLevel(logging.WARNING)
        if not is_known:
            raise ValueError(f"receiver {self.name!r}: Apprise knows no such address")

    def send(self, notification: Notification) -> Outcome:
        """Hand it over, once."""
        title, text = self._text.of(notification)
        kind = self._kinds[notification.status]
        if self._service.notify(title=title, body=text, notify_type=kind, body_format="text"):
            return Delivered()
        return Retry("Apprise did not deliver it; its warnings in the log may say why")

    def close(self) -> None:
        """Nothing to release."""
