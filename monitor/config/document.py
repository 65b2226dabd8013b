"""YAML with the line of every key, so that each mistake is reported where it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import LeewayError

__all__ = ["ConfigError", "Document", "KeyPath", "Mistake", "read_documents"]

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake and where it stands.

    Attributes
    ----------
    file : str
    line : int
        Counted from 1; 0 if the file has no such key.
    path : str
        Dotted path of the key.
    message : str
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}" if self.line else self.file
        return f"{position}: {self.path}: {self.message}" if self.path else f"{position}: {self.message}"


class ConfigError(LeewayError):
    """One or more mistakes in the configuration."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


@dataclass
class Document:
    """A YAML document with the line of every path in it."""

    file: Path
    value: Any
    lines: dict[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """The line of ``path``, or of its nearest ancestor that stands in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0

    def mistake(self, path: KeyPath, message: str) -> Mistake:
        return Mistake(str(self.file), self.line(path), ".".join(str(part) for part in path), message)


def read_documents(file: Path) -> Iterator[Document]:
    """Read the documents of a file, with environment variables in place of their names.

    Raises
    ------
    ConfigError
        If the file is no YAML, or cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except OSError as error:
        raise ConfigError([Mistake(str(file), 0, "", error.strerror or str(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Mistake(str(file), 0, "", f"not UTF-8: {error.reason} at byte {error.start}")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError([Mistake(str(file), line, "", f"not YAML: {error.problem}")]) from error
    for node in nodes:
        document = Document(file, None, {})
        document.value = _build(node, (), document)
        yield document


def _build(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, index), document) for index, item in enumerate(node.value)]
    value = yaml.SafeLoader("").construct_object(node)
    # Once the YAML is parsed: a variable is one value, whatever it holds, and adds no keys.
    return _with_environment(value, path, document) if isinstance(value, str) else value


def _build_mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[Any, Any]:
    built: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = yaml.SafeLoader("").construct_object(key_node)
        if key is True:
            key = "on"  # YAML 1.1 reads the key `on` as a boolean
        key_path = (*path, key)
        if key in built:
            line = key_node.start_mark.line + 1
            dotted = ".".join(str(part) for part in key_path)
            raise ConfigError([Mistake(str(document.file), line, dotted, "the key is there twice")])
        document.lines[key_path] = key_node.start_mark.line + 1
        built[key] = _build(value_node, key_path, document)
    return built


def _with_environment(value: str, path: KeyPath, document: Document) -> str:
    def substitute(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigError([document.mistake(path, f"environment variable {match[1]} is not set")])
        return os.environ[match[1]]

    return _ENV.sub(substitute, value)
