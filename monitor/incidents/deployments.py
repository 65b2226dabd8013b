"""Deployments in the store: what somebody changed, and when, as it was announced."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.clock import Clock
from monitor.incidents.incidents import Change
from sinks.store.change_log import ChangeLog
from sinks.store.contract import Store

__all__ = ["Deployment", "announce", "read_deployments"]


@dataclass(frozen=True)
class Deployment:
    """Something that was changed.

    Attributes
    ----------
    id : str
        Announcing one again with the same id changes it. Empty: made of all fields but the link and the author.
    name : str
    at_ms : int
    version : str
    models, topics : tuple of str
    labels : mapping of str to str
        Models that are named, that read one of the topics, or whose alerts have all labels, are affected.
    link, created_by : str
    """

    id: str
    name: str
    at_ms: int
    version: str = ""
    models: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    created_by: str = ""

    @property
    def known_as(self) -> str:
        """Its id, stated or made."""
        # In one order, whatever the order in which models, topics and labels were named.
        identity = [self.name, self.at_ms, self.version, sorted(self.models), sorted(self.topics), dict(self.labels)]
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return self.id or hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def change(self) -> Change:
        """As incidents see it."""
        return Change(
            "deployment",
            self.known_as,
            self.name,
            self.at_ms,
            self.version,
            frozenset(self.models),
            frozenset(self.topics),
            self.labels,
            self.link,
        )


def read_deployments(store: Store, since_ms: int = 0) -> list[Deployment]:
    """Return the deployments from a time on, by id.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.store.memory import MemoryStore
    >>> store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    >>> announce(store, clock, Deployment("build-7", "fraud v2", 900, models=("fraud",)))
    >>> announce(store, clock, Deployment("build-7", "fraud v2", 800, models=("fraud",)))
    >>> [(deployment.id, deployment.at_ms) for deployment in read_deployments(store)]
    [('build-7', 800)]
    """
    return [
        Deployment(
            row["id"],
            row["name"],
            row["at_ms"],
            row["version"],
            tuple(row["models"]),
            tuple(row["topics"]),
            json.loads(row["labels"]),
            row["link"],
            row["created_by"],
        )
        for row in ChangeLog(store, "deployments").rows(low={"at_ms": since_ms})
    ]


def announce(store: Store, clock: Clock, deployment: Deployment) -> None:
    """Add a deployment, or change the one with its id.

    Raises
    ------
    StoreError
    """
    row = {
        **vars(deployment),
        "id": deployment.known_as,
        "updated_ms": clock.now_ms(),
        "models": sorted(deployment.models),
        "topics": sorted(deployment.topics),
        "labels": json.dumps(dict(deployment.labels), sort_keys=True, ensure_ascii=False),
    }
    ChangeLog(store, "deployments").put([row])
