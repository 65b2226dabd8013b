"""`leeway whoami`: as whom a service sees somebody, and what they may."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from monitor.api.needs import NEEDS
from monitor.config import Service
from tests.api.world import World, configured, model, serving
from tests.cli.console import Console

SECRET = "viewer" * 8


def test_the_holder_of_a_token_is_named_with_what_the_role_may(
    leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = {"name": "vic", "role": "viewer", "token": SECRET, "namespaces": ["fraud-team"]}
    service = Service.model_validate({"spec": {"access": {"tokens": [token]}}})
    with serving(World(configuration=replace(configured(model("fraud")), service=service))) as url:
        assert leeway("whoami", "--url", url).code == 2
        monkeypatch.setenv("LEEWAY_TOKEN", SECRET)
        assert leeway("whoami", "--url", url).out == "vic: viewer, for fraud-team\n"
        who = json.loads(leeway("whoami", "--json", "--url", url).out)
    assert (who["name"], who["role"], who["namespaces"]) == ("vic", "viewer", ["fraud-team"])
    assert "GET /v1/heatmap" in who["may"]
    assert "POST /v1/marks" not in who["may"], "an editor's"
    assert "GET /metrics" not in who["may"], "about the whole service"


def test_where_nobody_is_asked_everybody_may_everything(leeway: Console) -> None:
    with serving(World()) as url:
        assert "asks nobody who they are" in leeway("whoami", "--url", url).out
        assert json.loads(leeway("whoami", "--json", "--url", url).out)["may"] == sorted(NEEDS)
