"""Each broken configuration is refused where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import check
from monitor.config import ConfigError
from tests.config.broken import BROKEN, written


@pytest.mark.parametrize("defect", BROKEN)
def test_a_broken_configuration_is_refused_where_it_is_broken(defect: str, tmp_path: Path) -> None:
    file = written(tmp_path, BROKEN[defect])
    with pytest.raises(ConfigError) as refused:
        check.load(file)
    mistakes = [str(mistake).removeprefix(f"{file}:") for mistake in refused.value.mistakes]
    assert any(mistake.startswith(BROKEN[defect].mistake) for mistake in mistakes), mistakes
    assert all(mistake.line and mistake.column for mistake in refused.value.mistakes)
