"""The table of pages is what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.web.shells import SHELLS

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
NAMES = {"{model}": "NAME", "{signal:path}": "SIGNAL", "{incident}": "ID"}


def test_every_page_stands_in_the_documentation() -> None:
    rows = re.findall(r"^\| (`/.*?) \|", PAGE, flags=re.MULTILINE)
    drawn = {re.sub(r"\{[^}]+\}", lambda name: NAMES[name[0]], shell.path) for shell in SHELLS}
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == {*drawn, "/alerts", "/alerts/ID", "/docs"}
