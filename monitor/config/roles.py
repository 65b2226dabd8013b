"""Which stages a process runs, and what has to run together."""

from __future__ import annotations

from collections.abc import Collection

from monitor.config.load import Configuration
from monitor.config.model import Model
from monitor.errors import InputError

__all__ = ["ROLES", "check_roles", "out_of_reach", "parse_roles"]

ROLES: dict[str, str] = {
    "ingest": "reads the sources; any number of processes, which share Kafka's partitions",
    "evaluate": "evaluates windows; one process",
    "alert": "notifies receivers; one process does, others stand by",
    "api": "serves the API",
}
"""Every role and what it does."""


def parse_roles(text: str) -> frozenset[str]:
    """Read roles as they are written on the command line.

    Raises
    ------
    InputError

    Examples
    --------
    >>> sorted(parse_roles("ingest, api"))
    ['api', 'ingest']
    """
    roles = [part.strip() for part in text.split(",")]
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise InputError(f"--roles {text}: {unknown[0]!r} is no role; there are {', '.join(ROLES)}")
    return frozenset(roles)


def check_roles(roles: frozenset[str], configuration: Configuration) -> None:
    """See whether a process can do with these roles.

    Raises
    ------
    InputError
        If something that this process keeps for itself would be out of another role's reach.
    """
    store = configuration.service.spec.store.kind
    apart = [role for role in ("ingest", "evaluate", "alert") if role not in roles]
    if apart and store != "clickhouse":
        raise InputError(
            f"a store of kind {store} belongs to one process, which then has to run {', '.join(apart)} too: leave"
            " --roles out, or keep results in a `clickhouse` store"
        )
    for model in configuration.models.values():
        if reason := out_of_reach(roles, model):
            raise InputError(reason)


def out_of_reach(roles: Collection[str], model: Model) -> str:
    """Return why a process with these roles cannot watch a model; empty if it can."""
    streams = [source.http for source in model.spec.sources if source.http is not None]
    if not streams or ("api" in roles) == ("ingest" in roles):
        return ""
    return (
        f"the stream {streams[0]!r} comes by HTTP, and waits in a file of the process that takes it: run ingest and"
        " api in one process, or send the events to Kafka"
    )
