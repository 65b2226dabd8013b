"""How a process is named among those that share its store: its own alerts go by it."""

from __future__ import annotations

import socket

import pytest

from monitor.config.instance import instance_of
from monitor.config.service import ServiceSpec

ONE_FILE = ServiceSpec.model_validate({"kafka": {"instance": "leeway"}})


def test_processes_that_share_a_file_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for host in ("a", "b"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        names |= {instance_of(ONE_FILE, [role], port) for role in ("ingest", "evaluate") for port in (8080, 8081)}
    assert len(names) == 8
    assert "leeway@a:8080/ingest" in names


def test_a_process_keeps_its_name_over_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "a")
    assert instance_of(ServiceSpec()) == instance_of(ServiceSpec()) == "a:8080"
    assert instance_of(ONE_FILE, {"ingest", "alert"}, 0) == instance_of(ONE_FILE, ["alert", "ingest"], 0)
