"""docs/formats.md says what can be configured, and what becomes of values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.model import SourceSpec
from monitor.config.service import Service
from monitor.decoders import DECODERS

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
EXAMPLES: list[dict[str, Any]] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
SOURCES = [source for example in EXAMPLES for source in example.get("sources", [])]


def test_the_registry_of_the_page_can_be_configured() -> None:
    [registry] = [example for example in EXAMPLES if "kind" in example]

    spec = Service.model_validate(registry).spec.schema_registry

    assert spec is not None
    assert len(spec.url) == 2


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_source_of_the_page_can_be_configured(source: dict[str, Any]) -> None:
    assert SourceSpec.model_validate(source).format.kind in DECODERS


def test_every_format_is_shown() -> None:
    shown = {SourceSpec.model_validate(source).format.kind for source in SOURCES}
    assert shown == set(DECODERS) - {"json", "parquet"}
    assert all(f"| `{kind}` |" in PAGE for kind in set(DECODERS) - {"parquet"})
