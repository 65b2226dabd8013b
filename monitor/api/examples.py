"""What bodies and answers look like, for whoever reads the OpenAPI document.

They are real answers of the tests' world, cut short: ``python -m tests.api.examples`` writes them, and a test compares
them with what the routes answer.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["FILE", "add_examples"]

FILE = "examples.json"
JSON = "application/json"


def add_examples(label: str, operation: dict[str, Any]) -> None:
    """Show an operation, such as ``GET /v1/alerts``, with its body and its answer."""
    example = _examples().get(label, {})
    if "body" in example:
        operation["requestBody"]["content"][JSON]["example"] = example["body"]
    good: dict[str, Any] = next((each for status, each in operation["responses"].items() if status.startswith("2")), {})
    if "answer" in example:
        good["content"][JSON]["example"] = example["answer"]


@cache
def _examples() -> dict[str, Any]:
    examples: dict[str, Any] = json.loads(files("monitor.api").joinpath(FILE).read_text())
    return examples
