"""Takes Alertmanager's place: its command line, and behind it Leeway with the same configuration.

Alertmanager's acceptance tests start this (:mod:`bench.alertmanager_suite`). Their webhooks are on this machine, which
a service has to allow; all else is as it stands in their file. The members of a cluster share a store instead of
talking to one another, and the first one notifies.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.events import LEEWAY
from monitor.config.roles import ROLES

__all__ = ["SHARED_STORE", "roles", "service", "store"]

SHARED_STORE = "LEEWAY_SUITE_CLICKHOUSE"
"""The variable that names the server whose databases clusters share."""


def service(written: dict[str, Any], address: str, store: dict[str, Any]) -> dict[str, Any]:
    """Return the service's file around a configuration of Alertmanager's.

    Examples
    --------
    >>> made = service({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}, "127.0.0.1:9093", {"path": "/data"})
    >>> made["spec"]["api"], made["spec"]["store"]
    ({'host': '127.0.0.1', 'port': 9093}, {'path': '/data'})
    >>> service({"route": {"receiver": "r"}}, ":9093", {})["spec"]["access"]  # as open as Alertmanager
    'none'
    """
    host, _, port = address.rpartition(":")
    for receiver in written.get("receivers") or ():
        for hook in receiver.get("webhook_configs") or ():
            hook["allow_private"] = True
    spec = {
        "models": [],
        "access": "none",
        "api": {"host": host or "0.0.0.0", "port": int(port)},
        "store": store,
        "receivers": [],
        "alerting": written,
    }
    return {"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}


def store(peers: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return the store of a member: a cluster's own database on the server that is shared, or a folder.

    Examples
    --------
    >>> store(["127.0.0.1:9094"], Path("/data"))
    {'path': '/data/store'}
    """
    if len(peers) < 2:
        return {"path": str(folder / "store")}
    port = peers[0].rpartition(":")[2]
    return {"kind": "clickhouse", "hosts": [os.environ[SHARED_STORE]], "database": f"cluster_{port}"}


def roles(peers: Sequence[str], member: str) -> str:
    """Return what a member does: all, or only take what is posted.

    Examples
    --------
    >>> roles(["h:1", "h:2"], "h:1"), roles(["h:1", "h:2"], "h:2")
    ('ingest,evaluate,alert,api', 'api')
    """
    return "api" if member in peers[1:] else ",".join(ROLES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Become Leeway."""
    parser = argparse.ArgumentParser(prog="alertmanager")
    parser.add_argument("--config.file", dest="file", type=Path, required=True)
    parser.add_argument("--storage.path", dest="folder", type=Path, required=True)
    parser.add_argument("--web.listen-address", dest="address", required=True)
    parser.add_argument("--web.route-prefix", dest="prefix", default="")
    parser.add_argument("--cluster.listen-address", dest="member", default="")
    parser.add_argument("--cluster.peer", dest="peers", action="append", default=[])
    # What is about logs, and how members talk.
    options, _ = parser.parse_known_args(arguments)
    kept = store(options.peers, options.folder)
    made = service(yaml.safe_load(options.file.read_text()), options.address, kept)
    made["spec"]["api"]["prefix"] = options.prefix
    path = options.folder / "service.yaml"
    path.write_text(yaml.safe_dump(made, allow_unicode=True, sort_keys=False))
    os.execv(sys.executable, [*LEEWAY, "run", str(path), "--roles", roles(options.peers, options.member)])


if __name__ == "__main__":
    main()
