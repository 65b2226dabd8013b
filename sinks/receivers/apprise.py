"""A receiver that reaches whatever the library Apprise knows: some hundred services, each by an address of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sinks.receivers.contract import Delivered, Notification, Outcome, Retry
from sinks.receivers.text import Text

__all__ = ["Apprise"]


class Apprise:
    """Hands title and text to a service. Needs the extra ``leeway[apprise]``.

    Delivered means that Apprise says so. It does not say why it failed, or whether trying again can help: every
    failure is tried again, and its own warnings are in the process's log. None of these services has a key by which it
    recognises repetitions.

    Parameters
    ----------
    name : str
    url : str
        As Apprise's documentation has it, for example ``matrix://user:password@host/#room``. A secret.
    title, text : str
        Templates; see :mod:`sinks.receivers.text`.
    send_resolved : bool

    Raises
    ------
    ValueError
        If Apprise is not installed, or knows no such address.
    """

    def __init__(self, name: str, url: str, *, title: str = "", text: str = "", send_resolved: bool = True) -> None:
        try:
            import apprise
        except ModuleNotFoundError as error:
            raise ValueError(f"receiver {name!r} needs the package apprise: pip install 'leeway[apprise]'") from error
        self.name = name
        self.send_resolved = send_resolved
        self._text = Text(title, text)
        self._kinds = {"firing": apprise.NotifyType.WARNING, "resolved": apprise.NotifyType.SUCCESS}
        self._service = apprise.Apprise()
        # Below WARNING it writes addresses and payloads, and an address that it does not know at ERROR.
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.CRITICAL)
        known = self._service.add(url)
        logger.setLevel(logging.WARNING)
        if not known:
            raise ValueError(f"receiver {name!r}: Apprise knows no such address")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Apprise:
        """Take the parameters by their names."""
        return cls(**config)

    def send(self, notification: Notification) -> Outcome:
        """Hand it over, once."""
        title, text = self._text.of(notification)
        kind = self._kinds[notification.status]
        if self._service.notify(title=title, body=text, notify_type=kind, body_format="text"):
            return Delivered()
        return Retry("Apprise did not deliver it; its warnings in the log may say why")

    def close(self) -> None:
        """Nothing to release."""
