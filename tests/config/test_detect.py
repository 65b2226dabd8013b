"""What a model's `detect` refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monitor.config.detect import Detect


def test_levels_are_adopted_under_the_rule_that_has_levels_only() -> None:
    assert Detect.model_validate({"adopt_after": "14d"}).adopt_after == 14 * 86_400_000
    with pytest.raises(ValidationError, match="adopt_after needs `rule: change`"):
        Detect.model_validate({"rule": "variation", "adopt_after": "14d"})
