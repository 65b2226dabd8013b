from __future__ import annotations

import subprocess
import sys

import pytest

from monitor.config.model import SourceSpec
from monitor.sources import SOURCES, source_class


def test_every_kind_of_source_that_can_be_configured_is_in_the_table() -> None:
    kinds = {name for name in SourceSpec.model_fields if name in SOURCES}
    assert kinds == set(SOURCES)
    for kind in SOURCES:
        assert source_class(kind).guarantee


@pytest.mark.parametrize("module", ["monitor.sources", "monitor.sources.files"])
def test_the_table_and_files_load_neither_kafka_nor_arrow(module: str) -> None:
    program = f"import sys, {module}; print(sorted({{'kafka', 'pyarrow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
