"""What a change would have fired is worked out only as long as somebody waits for it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest

from monitor.api import configuration_diff
from monitor.errors import InputError
from monitor.evaluate.backtest import Span
from tests.api.examples import DOCUMENT
from tests.api.full_world import full_world
from tests.api.world import serving

PATIENCE_S = 120
ASKED = [
    ("GET", "/v1/models/fraud/configuration/diff?to=1&days=7", ""),
    ("PUT", "/v1/models/orders/configuration?dry_run=true&days=7", json.dumps(DOCUMENT)),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
def test_a_backtest_stops_when_nobody_waits_for_it(
    method: str, path: str, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, stopped = threading.Event(), threading.Event()

    def endless(
        _store: Any, _watch: Any, _span: Any, on_progress: Callable[[int, int], None], **_more: Any
    ) -> NoReturn:
        try:
            for _ in range(100 * PATIENCE_S):
                on_progress(0, 1)
                began.set()
                stopped.wait(0.01)
        except InputError:
            stopped.set()
            raise
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(configuration_diff, "span_of", lambda *_: Span(0, 0, 1, 0, "panes"))
    monkeypatch.setattr(configuration_diff, "backtest", endless)
    with serving(full_world()) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request(method, path, body, {"Content-Type": "application/yaml"})
        assert began.wait(PATIENCE_S), "it is worked out while somebody waits"
        connection.close()
        assert stopped.wait(PATIENCE_S)
