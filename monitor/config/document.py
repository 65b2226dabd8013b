"""YAML with line and column of every key, so that each mistake is reported where it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml import Node

from monitor.config.nodes import MAX_FILE_BYTES, KeyPath, Position, Values, YamlError, compose, position_in
from monitor.errors import LeewayError

__all__ = ["ConfigError", "Document", "KeyPath", "Mistake", "dotted", "is_file", "read_documents", "read_posted"]

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake and where it stands.

    Attributes
    ----------
    file : str
        Empty of what came through the API.
    line, column : int
        Counted from 1; 0 if it is about the file, or a folder, as a whole.
    path : str
        Dotted path of the key.
    message : str
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        position = position if self.file else f"line {self.line}"
        return f"{position}: {self.path}: {self.message}" if self.path else f"{position}: {self.message}"


class ConfigError(LeewayError):
    """One or more mistakes in the configuration."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


@dataclass
class Document:
    """A YAML document.

    Attributes
    ----------
    file : Path
    value : object
    positions : dict of path to Position
        Of every path in it.
    referenced : dict of path to str
        What is written where an environment variable is named.
    layers : tuple of Document
        Of a document that was merged, the lowest first.
    text : str
        As it is written, with its comments.
    """

    file: Path
    value: Any
    positions: dict[KeyPath, Position]
    referenced: dict[KeyPath, str] = field(default_factory=dict)
    layers: tuple[Document, ...] = ()
    text: str = ""

    def position(self, path: KeyPath) -> Position:
        """Where ``path`` stands, or its nearest ancestor that stands in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.positions:
                return self.positions[path[:length]]
        return 0, 0

    def origin(self, path: KeyPath) -> tuple[Document, KeyPath]:
        """The document that says what stands at ``path``, and where it does: this one, unless there are layers."""
        return self, path

    def as_stated(self, path: KeyPath, text: str) -> str:
        """Return a text as it is written: with the names of variables, since what they hold may be a secret."""
        return self.referenced.get(path, text)

    def mistake(self, path: KeyPath, message: str) -> Mistake:
        """Return a mistake with its place."""
        document, key = self.origin(path)
        return Mistake(str(document.file), *document.position(key), dotted(key), message)


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file; there is none of a name that is too long, or holds a zero."""
    return os.path.isfile(path)


def read_documents(file: Path) -> Iterator[Document]:
    """Read the documents of a file, with environment variables in place of their names.

    Raises
    ------
    ConfigError
        If the file is no YAML, has more of it than a configuration may have, or cannot be read.
    """
    text = _read_text(file)
    try:
        nodes = list(compose(text))
        for node in nodes:
            written = text if len(nodes) == 1 else text[node.start_mark.index : node.end_mark.index]
            yield _document(file, node, written, os.environ)
    except YamlError as error:
        raise ConfigError([Mistake(str(file), *error.position, dotted(error.path), str(error))]) from error


def read_posted(file: Path, text: str) -> Document:
    """Read the one document that somebody has sent, who may not ask for environment variables of this process.

    Parameters
    ----------
    file : Path
        Where it would stand: file names in it are relative to its folder.
    text : str
        YAML, and so also JSON.

    Raises
    ------
    ConfigError
        Its mistakes name no file.
    """
    try:
        if len(text) > MAX_FILE_BYTES:
            message = f"the document is larger than {MAX_FILE_BYTES // 1024} KiB, which no configuration is"
            raise YamlError(message, (1, 1))
        nodes = list(compose(text))
        if len(nodes) != 1:
            raise YamlError(f"expected one document, and there are {len(nodes)}", (1, 1))
        return _document(file, nodes[0], text, None)
    except YamlError as error:
        raise ConfigError([Mistake("", *error.position, dotted(error.path), str(error))]) from error


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            # No more than that: it may be a device, or a log that somebody's pattern matches.
            written = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([Mistake(str(file), 0, 0, "", error.strerror or str(error))]) from error
    if len(written) > MAX_FILE_BYTES:
        message = f"the file is larger than {MAX_FILE_BYTES // 1024} KiB, which no configuration is"
        raise ConfigError([Mistake(str(file), written.count(b"\n") + 1, 1, "", message)])
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError as error:
        position = position_in(written.decode("latin-1"), error.start)
        message = f"not UTF-8: {error.reason} at byte {error.start}"
        raise ConfigError([Mistake(str(file), *position, "", message)]) from error


def _document(file: Path, node: Node, written: str, variables: Mapping[str, str] | None) -> Document:
    referenced: dict[KeyPath, str] = {}

    def read_text(text: str, path: KeyPath) -> str:
        # Once the YAML is parsed: a variable is one value, whatever it holds, and adds no keys.
        def substitute(match: re.Match[str]) -> str:
            referenced[path] = text
            if variables is None:
                raise YamlError("only files may name environment variables", values.positions[path], path)
            if match[1] not in variables:
                raise YamlError(f"environment variable {match[1]} is not set", values.positions[path], path)
            value = variables[match[1]]
            # Of bytes that are no UTF-8, Python makes halves of surrogate pairs.
            if not value.isascii() and value.encode(errors="replace").decode() != value:
                raise YamlError(f"environment variable {match[1]} is not UTF-8", values.positions[path], path)
            return value

        return _ENV.sub(substitute, text)

    values = Values(read_text)
    return Document(file, values.of(node), values.positions, referenced, text=written)


def dotted(path: KeyPath) -> str:
    """Write a path with dots.

    Examples
    --------
    >>> dotted(("spec", "sources", 0))
    'spec.sources.0'
    """
    return ".".join(str(part) for part in path)
