"""Configurations with something wrong in them: the files of `configs/` and the documentation's, changed at random."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cli import console

ROOT = Path(__file__).parents[2]
MODEL = console.MODEL.partition("  detect:")[0]
SERVICE = "apiVersion: leeway/v1\nkind: Service\nspec:\n  models: [model.yaml]\n"


def mutant(seed: int) -> str:
    """One of the examples with a few changes."""
    chance = random.Random(seed)
    text = chance.choice(examples())
    return (mutated if chance.random() < 0.5 else replaced)(text, chance)


def configurations() -> list[Path]:
    """The files of `configs/` that are Leeway's own; others are for Prometheus and Grafana."""
    others = ROOT / "configs" / "prometheus", ROOT / "configs" / "grafana"
    files = sorted((ROOT / "configs").rglob("*.yaml"))
    return [file for file in files if not any(file.is_relative_to(folder) for folder in others)]


@cache
def examples() -> list[str]:
    """The files of `configs/`, and what the documentation shows, in a file of its own."""
    files = [path.read_text() for path in configurations()]
    pages = [path.read_text() for path in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]]
    blocks = [block for page in pages for block in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)]
    texts = [re.sub(r"\$\{\w+\}", "${ADDRESS}", text) for text in files + blocks]
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    return [yaml.safe_dump(_whole(document)) for document in documents if isinstance(document, dict)]


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """A part of a file, with what it needs around it."""
    if document.get("kind") == "Model":
        return document
    spec: dict[str, Any] = document.get("spec", document)
    of_models = {"sources", "schema", "segments", "baseline", "detect", "alerts", "keep", "freshness", "performance"}
    is_models = spec.keys() <= of_models
    base: dict[str, Any] = yaml.safe_load(MODEL if is_models else SERVICE)
    return {**base, "spec": {**base["spec"], **spec} | ({} if is_models else {"models": ["model.yaml"]})}


HOSTILE = [
    "null", "true", "[null]", "{}", "[]", "{a: {b: [1]}}", "-1", "1.5", "1e999", ".nan", "-.inf", "9" * 30, "9" * 999,
    "2026-01-01", "2026-99-99", "12:30:45", "!!binary aGk=", "!x y", "&a [*a]", "*b", "<<", "=", "''", '"\\0"',
    '"\\uD800"', "/(/", "'feature:*'", "'*'", "${NOT_SET}", "{? [a] : b}", "é" * 50, "x" * 9_999, "0s", "99999w",
    "[" * 99 + "]" * 99, "river.drift.KSWIN", "{psi: {min_effect: []}}", "[adwin: 3]",
    "0x" + "f" * 40, "{1: 2, true: 3}",
]  # fmt: skip
"""Values that stand where others are expected."""


def mutated(text: str, chance: random.Random) -> str:
    """The text with a few changes: lines that go or come twice, values and characters that are others."""
    for _ in range(chance.randint(1, 3)):
        lines = text.splitlines(keepends=True) or ["\n"]
        at = chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(chance.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = re.sub(r"^ *", lambda indent: indent[0] + " " * chance.randint(1, 4), lines[at])
            case 3 | 4:
                values = list(re.finditer(r"(?<=[:\[,] )[^\s,\]}{\[]+|(?<=\[)[^\s,\]}{\[]+", lines[at]))
                if values:
                    value = chance.choice(values)
                    lines[at] = lines[at][: value.start()] + chance.choice(HOSTILE) + lines[at][value.end() :]
            case 5:
                column = chance.randrange(len(lines[at]))
                lines[at] = lines[at][:column] + chance.choice("{}[],:&*!|>'\"%@`#-?\t\0\x85 0a") + lines[at][column:]
            case _:
                column = chance.randrange(len(lines[at]))
                lines[at] = lines[at][:column] + lines[at][column + 1 :]
        text = "".join(lines)
    return text


def replaced(text: str, chance: random.Random) -> str:
    """The text with a value, or the key of one, that is another: the YAML stays whole."""
    document = yaml.safe_load(text)
    holders = list(_holders(document))
    holder = chance.choice(holders)
    key = chance.choice(list(holder) if isinstance(holder, dict) else list(range(len(holder))))
    if isinstance(holder, dict) and chance.random() < 0.2:
        holder[chance.choice([*ODD, "x"])] = holder.pop(key)
    else:
        holder[key] = chance.choice(
            [*ODD, [], {}, [chance.choice(ODD)], {"a": chance.choice(ODD)}, [[]], [holder[key]]]
        )
    return yaml.safe_dump(document, allow_unicode=True)


ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**25, float("inf"), float("nan"), "", "a b", "\0", "*", "5m", "0s", "99y",
    "forever", "é", "/[a-/", "feature:amount", "volume", "psi", "adwin", "river.anomaly.HalfSpaceTrees", "1 per 30d",
    "999 per 1ms",
]  # fmt: skip


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _holders(part)
