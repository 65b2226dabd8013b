"""Configurations of models: what is in force, every version that was, and changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.client.connection import AsyncConnection, Connection
from monitor.client.methods import does, does_async
from monitor.client.requests import Pause, Request, Steps, quoted
from monitor.clock import SystemClock

__all__ = ["WAIT_S", "AsyncConfigurations", "Configurations"]

WAIT_S = 15.0
"""How long a change waits until every process goes by it."""

LOOK_EVERY_S = 0.5
PAGE = 1_000

Document = dict[str, Any]


def get(model: str, version: int | None = None) -> Steps[Document]:
    """Return a version, the last one if None: its ``document`` as it was written, ``digest``, ``author`` ….

    Raises
    ------
    UnknownError
        There is no such model, or version.
    """
    return (yield Request(_path(model), {"version": version}, holds="document"))


def versions(model: str) -> Steps[Document]:
    """Return every version (``items``), the last one first, and who does not go by that one (``not_converged``)."""
    every = page = yield _page(model, PAGE)
    while page["next_cursor"] is not None:
        page = yield _page(model, PAGE, page["next_cursor"])
        every = {**page, "items": every["items"] + page["items"]}
    return every


def effective(model: str) -> Steps[Document]:
    """Return all that a model is watched with (``items``), and of each value the ``layer`` and ``line`` that says it.

    Raises
    ------
    UnknownError
        There is no such model.
    """
    return (yield Request(_path(model, "/effective"), holds="items"))


def schema(kind: str = "model") -> Steps[Document]:
    """Return the JSON Schema of a kind of file: ``model``, ``defaults`` or ``service``."""
    return (yield Request(f"/v1/schemas/{quoted(kind)}", holds="$defs"))


def diff(
    model: str,
    document: str | None = None,
    *,
    from_: int | None = None,
    to: int | None = None,
    days: int = 0,
) -> Steps[Document]:
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
        difference: Document = (yield from plan(model, document, days))["difference"]
        return difference
    return (yield Request(_path(model, "/diff"), {"from": from_, "to": to, "days": days}, holds="fields"))


def plan(model: str, document: str, days: int = 0) -> Steps[Document]:
    """Return what `apply` would do, and change nothing.

    Raises
    ------
    QuestionError
        Its ``errors`` hold every mistake, with its line.
    """
    return (yield _change("PUT", model, {"dry_run": "true", "days": days}, document))


def apply(
    model: str, document: str, *, replaces: str | None = None, wait_s: float = WAIT_S, **details: str
) -> Steps[Document]:
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
    return (yield from _awaited((yield _change("PUT", model, details, document, replaces)), wait_s))


def rollback(model: str, to: int, *, wait_s: float = WAIT_S, **details: str) -> Steps[Document]:
    """Put an earlier version in force again, as a new one; parameters and answer as of `apply`."""
    current = yield from get(model)
    earlier = yield from get(model, to)
    details = {**details, "reason": details.get("reason") or f"back to version {to}"}
    return (yield from apply(model, earlier["document"], replaces=current["digest"], wait_s=wait_s, **details))


def build_baseline(model: str, baseline: Mapping[str, Any] | None = None, *, days: int = 0) -> Steps[Document]:
    """Return what another baseline would be, and what `promote_baseline` would do; nothing changes.

    Parameters
    ----------
    model : str
    baseline : mapping or None
        As ``spec.baseline`` of a file has it; the period that the present one was learned from if None.
    days : int
        Also what would have fired in the last so many days.

    Returns
    -------
    dict
        Its ``signals``, with events and how far the last week is from it; ``notes``, ``difference`` and ``document``.
    """
    return (yield _new_baseline(model, {"dry_run": "true", "days": days}, baseline, None))


def promote_baseline(
    model: str,
    baseline: Mapping[str, Any],
    *,
    replaces: str | None = None,
    wait_s: float = WAIT_S,
    **details: str,
) -> Steps[Document]:
    """Make another baseline that of a model, in a new version of its document; parameters and answer as of `apply`."""
    return (yield from _awaited((yield _new_baseline(model, details, baseline, replaces)), wait_s))


def freeze_baseline(
    model: str, *, replaces: str | None = None, wait_s: float = WAIT_S, **details: str
) -> Steps[Document]:
    """Make the period that a model's baseline was learned from its baseline: from now on that stands still."""
    return (yield from _awaited((yield _new_baseline(model, details, None, replaces)), wait_s))


def release(model: str, *, wait_s: float = WAIT_S, **details: str) -> Steps[Document]:
    """Give up a model that the API owns; parameters and answer as of `apply`."""
    return (yield from _awaited((yield _change("DELETE", model, details)), wait_s))


class Configurations:
    """What a running service has models watched with. A change is sent once.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    get = does(get)
    versions = does(versions)
    effective = does(effective)
    schema = does(schema)
    diff = does(diff)
    plan = does(plan)
    apply = does(apply)
    rollback = does(rollback)
    build_baseline = does(build_baseline)
    promote_baseline = does(promote_baseline)
    freeze_baseline = does(freeze_baseline)
    release = does(release)


class AsyncConfigurations:
    """What :class:`Configurations` is, for ``await``.

    Parameters
    ----------
    connection : AsyncConnection
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    get = does_async(get)
    versions = does_async(versions)
    effective = does_async(effective)
    schema = does_async(schema)
    diff = does_async(diff)
    plan = does_async(plan)
    apply = does_async(apply)
    rollback = does_async(rollback)
    build_baseline = does_async(build_baseline)
    promote_baseline = does_async(promote_baseline)
    freeze_baseline = does_async(freeze_baseline)
    release = does_async(release)


def _page(model: str, limit: int, cursor: str | None = None) -> Request:
    return Request(_path(model, "/versions"), {"limit": limit, "cursor": cursor}, holds="not_converged")


def _change(
    method: str, model: str, parameters: Mapping[str, Any], document: str = "", replaces: str | None = None
) -> Request:
    headers = {"Content-Type": "application/yaml"} | ({} if replaces is None else {"If-Match": f'"{replaces}"'})
    return Request(_path(model), parameters, method, content=document, headers=headers, holds="version")


def _new_baseline(
    model: str, parameters: Mapping[str, Any], baseline: Mapping[str, Any] | None, replaces: str | None
) -> Request:
    headers = {} if replaces is None else {"If-Match": f'"{replaces}"'}
    path = f"/v1/models/{quoted(model)}/baseline"
    body = {"baseline": None if baseline is None else dict(baseline)}
    return Request(path, parameters, "POST", body, headers=headers, holds="version")


def _awaited(version: Document, wait_s: float) -> Steps[Document]:
    clock = SystemClock()
    until_s = clock.monotonic_s() + wait_s
    while laggards := (yield _page(version["model"], 1))["not_converged"]:
        if clock.monotonic_s() >= until_s:
            break
        yield Pause(LOOK_EVERY_S)
    return {**version, "is_in_force": not laggards, "not_converged": laggards}


def _path(model: str, part: str = "") -> str:
    return f"/v1/models/{quoted(model)}/configuration{part}"
