"""Which stages a process runs, and what has to run together."""

from __future__ import annotations

from monitor.config import Configuration
from monitor.errors import InputError

__all__ = ["ROLES", "check_roles", "parse_roles"]

ROLES: dict[str, str] = {
    "ingest": "reads the sources; any number of processes, which share Kafka's partitions",
    "evaluate": "evaluates windows; one process",
    "alert": "notifies receivers; one process",
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
    streams = [s.http for model in configuration.models.values() for s in model.spec.sources if s.http is not None]
    if streams and ("api" in roles) != ("ingest" in roles):
        raise InputError(
            f"the stream {streams[0]!r} comes by HTTP, and waits in a file of the process that takes it: run ingest and"
            " api in one process, or send the events to Kafka"
        )
