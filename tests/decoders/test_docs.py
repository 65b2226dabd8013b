from __future__ import annotations

import re
from pathlib import Path

from monitor.decoders import REASONS
from monitor.decoders.document import MAX_DEPTH, MAX_PAYLOAD_BYTES
from monitor.decoders.values import MAX_NAME

PAGE = Path(__file__).parents[2] / "docs" / "dead-letters.md"


def test_the_page_explains_every_reason_under_its_action() -> None:
    explained: dict[str, str] = {}
    action = ""
    for line in PAGE.read_text().splitlines():
        if heading := re.match(r"## .*`(rejected|kept)`", line):
            action = heading[1]
        elif row := re.match(r"\| `(\w+)` \|", line):
            explained[row[1]] = action
    assert explained == REASONS


def test_the_page_states_the_limits_of_the_code() -> None:
    text = PAGE.read_text()
    assert f"{MAX_PAYLOAD_BYTES // (1 << 20)} MiB" in text
    assert f"{MAX_DEPTH} deep" in text
    assert f"{MAX_NAME} characters" in text
