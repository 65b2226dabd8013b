"""Configurations of models: what is in force, every version that was, and changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from monitor.client.connection import Connection
from monitor.clock import Clock, SystemClock

__all__ = ["WAIT_S", "Configurations"]

WAIT_S = 15.0
"""How long a change waits until every process goes by it."""

LOOK_EVERY_S = 0.5
PAGE = 1_000


class Configurations:
    """What a running service has models watched with. A change is sent once.

    Parameters
    ----------
    connection : Connection
    clock : Clock or None
        The machine's if None.
    """

    def __init__(self, connection: Connection, clock: Clock | None = None) -> None:
        self._connection, self._clock = connection, clock or SystemClock()

    def get(self, model: str, version: int | None = None) -> dict[str, Any]:
        """Return a version, the last one if None: its ``document`` as it was written, ``digest``, ``author`` ….

        Raises
        ------
        UnknownError
            There is no such model, or version.
        """
        return self._connection.document(_path(model), {"version": version}, holds="document")

    def versions(self, model: str) -> dict[str, Any]:
        """Return every version (``items``), the last one first, and who does not go by that one (``not_converged``)."""
        versions = page = self._page(model, PAGE)
        while page["next_cursor"] is not None:
            page = self._page(model, PAGE, page["next_cursor"])
            versions = {**page, "items": versions["items"] + page["items"]}
        return versions

    def diff(
        self,
        model: str,
        document: str | None = None,
        *,
        from_: int | None = None,
        to: int | None = None,
        days: int = 0,
    ) -> dict[str, Any]:
        """Return what a document would change, or what has changed from one version to another.

        Parameters
        ----------
        model : str
        document : str or None
            Compared with what is in force; two versions are compared if None.
        from_, to : int or None
            Of versions; the last two if None.
        days : int
            Also what would have fired in the last so many days.
        """
        if document is not None:
            difference: dict[str, Any] = self.plan(model, document, days)["difference"]
            return difference
        return self._connection.document(_path(model, "/diff"), {"from": from_, "to": to, "days": days}, holds="fields")

    def plan(self, model: str, document: str, days: int = 0) -> dict[str, Any]:
        """Return what :meth:`apply` would do, and change nothing.

        Raises
        ------
        QuestionError
            Its ``errors`` hold every mistake, with its line.
        """
        return self._change("PUT", model, {"dry_run": "true", "days": days}, document)

    def apply(
        self, model: str, document: str, *, replaces: str | None = None, wait_s: float = WAIT_S, **details: str
    ) -> dict[str, Any]:
        """Put a document in force, wait until every process goes by it, and return the version and who does not.

        Parameters
        ----------
        model, document : str
        replaces : str or None
            Only if this version is in force, by its number or digest.
        wait_s : float
        **details
            ``reason``, and ``created_by``, who changes it.

        Raises
        ------
        QuestionError
            It is refused; ``errors`` hold every mistake, with its line.
        """
        return self._awaited(self._change("PUT", model, details, document, replaces), wait_s)

    def rollback(self, model: str, to: int, *, wait_s: float = WAIT_S, **details: str) -> dict[str, Any]:
        """Put an earlier version in force again, as a new one; parameters and answer as of :meth:`apply`."""
        current, earlier = self.get(model), self.get(model, to)
        details = {**details, "reason": details.get("reason") or f"back to version {to}"}
        return self.apply(model, earlier["document"], replaces=current["digest"], wait_s=wait_s, **details)

    def release(self, model: str, *, wait_s: float = WAIT_S, **details: str) -> dict[str, Any]:
        """Give up a model that the API owns; parameters and answer as of :meth:`apply`."""
        return self._awaited(self._change("DELETE", model, details), wait_s)

    def _page(self, model: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
        return self._connection.document(_path(model, "/versions"), {"limit": limit, "cursor": cursor})

    def _change(
        self, method: str, model: str, parameters: Mapping[str, Any], document: str = "", replaces: str | None = None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/yaml"} | ({} if replaces is None else {"If-Match": f'"{replaces}"'})
        return self._connection.change(method, _path(model), parameters, document, headers)

    def _awaited(self, version: Mapping[str, Any], wait_s: float) -> dict[str, Any]:
        until_s = self._clock.monotonic_s() + wait_s
        while laggards := self._page(version["model"], 1)["not_converged"]:
            if self._clock.monotonic_s() >= until_s:
                break
            self._clock.wait(threading.Event(), LOOK_EVERY_S)
        return {**version, "is_in_force": not laggards, "not_converged": laggards}


def _path(model: str, part: str = "") -> str:
    return f"/v1/models/{quote(model, safe='')}/configuration{part}"
