"""Takes Alertmanager's place: its command line, and behind it Leeway with the same configuration.

Alertmanager's acceptance tests start this (:mod:`bench.alertmanager_suite`). Their webhooks are on this machine, which
a service has to allow; all else is as it stands in their file.
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

__all__ = ["service"]


def service(written: dict[str, Any], address: str, folder: Path) -> dict[str, Any]:
    """Return the service's file around a configuration of Alertmanager's.

    Examples
    --------
    >>> made = service({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}, "127.0.0.1:9093", Path("/data"))
    >>> made["spec"]["api"], made["spec"]["store"]["path"]
    ({'host': '127.0.0.1', 'port': 9093}, '/data/store')
    """
    host, _, port = address.rpartition(":")
    for receiver in written.get("receivers") or ():
        for hook in receiver.get("webhook_configs") or ():
            hook["allow_private"] = True
    spec = {
        "models": [],
        "api": {"host": host or "0.0.0.0", "port": int(port)},
        "store": {"path": str(folder / "store")},
        "receivers": [],
        "alerting": written,
    }
    return {"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}


def main(arguments: Sequence[str] | None = None) -> None:
    """Become Leeway."""
    parser = argparse.ArgumentParser(prog="alertmanager")
    parser.add_argument("--config.file", dest="file", type=Path, required=True)
    parser.add_argument("--storage.path", dest="folder", type=Path, required=True)
    parser.add_argument("--web.listen-address", dest="address", required=True)
    parser.add_argument("--web.route-prefix", dest="prefix", default="")
    # What is about logs and clusters.
    options, _ = parser.parse_known_args(arguments)
    made = service(yaml.safe_load(options.file.read_text()), options.address, options.folder)
    made["spec"]["api"]["prefix"] = options.prefix
    path = options.folder / "service.yaml"
    path.write_text(yaml.safe_dump(made, allow_unicode=True, sort_keys=False))
    os.execv(sys.executable, [*LEEWAY, "run", str(path)])


if __name__ == "__main__":
    main()
