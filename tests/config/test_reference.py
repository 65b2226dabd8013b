"""docs/configuration.md is the code's own description of itself."""

from __future__ import annotations

from pathlib import Path

from monitor.config.detect import Defaults
from monitor.config.model import SourceSpec
from monitor.config.reference import reference
from monitor.values import parse_duration

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_reference_lists_every_key_as_the_code_describes_it() -> None:
    assert DOCUMENT.read_text(encoding="utf-8").endswith(reference()), "run: make docs"


def test_keys_called_durations_take_durations() -> None:
    assert SourceSpec.model_validate({"kafka": "t", "allowed_lateness": "1m"}).allowed_lateness == 60_000
    assert Defaults.model_validate({"window": "1h", "every": "5m", "offset": "5m"}).every == parse_duration("5m")
    for key in ("window", "every", "offset", "allowed_lateness"):
        assert f"| `{key}` | duration |" in reference()
