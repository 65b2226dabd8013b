"""Fixtures of the command line's tests."""

from __future__ import annotations

import pytest

from tests.cli.console import Console


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    """Run `leeway` with arguments."""
    return Console(capsys)
