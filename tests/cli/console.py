"""Runs commands as a user would, in this process."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute

MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud}
spec:
  sources: [{http: fraud}]
  schema:
    features: {amount: {type: numeric, range: [0, 100]}, country: {type: category}}
    prediction: {score: {type: numeric}}
  detect:
    rules:
"""


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def by_line(text: object) -> str:
    """What is said of mistakes, without the column of each."""
    return re.sub(r"^(.+?:\d+):\d+: ", r"\1: ", str(text), flags=re.MULTILINE)


class Console:
    """A terminal that is none: output is captured."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        self._capsys.readouterr()
        code = execute([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)


def with_rules(folder: Path, *rules: str) -> Path:
    """A model's file with these rules; the first stands in line 11."""
    file = folder / "fraud.yaml"
    file.write_text(MODEL + "".join(f"      - {rule}\n" for rule in rules))
    return file
