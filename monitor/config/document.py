"""YAML with line and column of every key, so that each mistake is reported where it is."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from yaml import Node

from monitor.config.nodes import MAX_FILE_BYTES, KeyPath, Position, Values, YamlError, compose, position_in
from monitor.errors import LeewayError

__all__ = [
    "VARIABLE",
    "ConfigError",
    "Document",
    "KeyPath",
    "Mistake",
    "dotted",
    "is_file",
    "judged",
    "read_as_far_as_known",
    "read_documents",
    "read_posted",
    "read_posted_as_far_as_known",
]

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
    unknown : dict of path to list of str
        Why it is not known what a text says that names environment variables. It stands there as it is written.
    """

    file: Path
    value: Any
    positions: dict[KeyPath, Position]
    referenced: dict[KeyPath, str] = field(default_factory=dict)
    layers: tuple[Document, ...] = ()
    text: str = ""
    unknown: dict[KeyPath, list[str]] = field(default_factory=dict)

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

    def is_unknown(self, path: KeyPath) -> bool:
        """Whether a variable keeps the text at ``path`` from being known."""
        document, key = self.origin(path)
        return key in document.unknown

    def holds_unknown(self, path: KeyPath) -> bool:
        """Whether it is not known what stands at ``path``, or somewhere within it."""
        places = [self.origin(path), *((layer, path) for layer in self.layers)]
        return any(each[: len(key)] == key for document, key in places for each in document.unknown)

    def mistake(self, path: KeyPath, message: str) -> Mistake:
        """Return a mistake with its place."""
        document, key = self.origin(path)
        return Mistake(str(document.file), *document.position(key), dotted(key), message)

    def wrong_variables(self) -> list[Mistake]:
        """Return what is wrong with the environment variables that it names."""
        return [self.mistake(path, message) for path, messages in self.unknown.items() for message in messages]


def judged(mistakes: Iterable[Mistake], unknown: Collection[Mistake]) -> Iterator[Mistake]:
    """Yield mistakes but those in values that are not known, of which only the variable counts."""
    places = {replace(mistake, message="") for mistake in unknown}
    yield from unknown
    yield from (mistake for mistake in mistakes if replace(mistake, message="") not in places)


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file; there is none of a name that is too long, or holds a zero."""
    return os.path.isfile(path)


def read_documents(file: Path) -> list[Document]:
    """Read the documents of a file, with environment variables in place of their names.

    Raises
    ------
    ConfigError
        If the file is no YAML, has more of it than a configuration may have, or cannot be read; or a variable is not
        set.
    """
    documents = read_as_far_as_known(file)
    if wrong := [mistake for document in documents for mistake in document.wrong_variables()]:
        raise ConfigError(sorted(wrong))
    return documents


def read_as_far_as_known(file: Path) -> list[Document]:
    """Read the documents of a file as :func:`read_documents` does, and of variables that are not set the names.

    Nothing may run with what stands there then: :attr:`Document.unknown` says where.

    Raises
    ------
    ConfigError
    """
    text = _read_text(file)
    try:
        nodes = list(compose(text))
        alone = len(nodes) == 1
        return [
            _document(file, node, text if alone else text[node.start_mark.index : node.end_mark.index], os.environ)
            for node in nodes
        ]
    except YamlError as error:
        raise ConfigError([Mistake(str(file), *error.position, dotted(error.path), str(error))]) from error


def read_posted(file: Path, text: str) -> Document:
    """Read a document as :func:`read_posted_as_far_as_known` does, that names no environment variables.

    Raises
    ------
    ConfigError
        Its mistakes name no file.
    """
    document = read_posted_as_far_as_known(file, text)
    if wrong := document.wrong_variables():
        raise ConfigError(sorted(replace(mistake, file="") for mistake in wrong))
    return document


def read_posted_as_far_as_known(file: Path, text: str) -> Document:
    """Read the one document that somebody has sent, who may not ask for environment variables of this process.

    Their names stand in it then, and nothing may run with those.

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
    unknown: dict[KeyPath, list[str]] = {}

    def read_text(text: str, path: KeyPath) -> str:
        # Once the YAML is parsed: a variable is one value, whatever it holds, and adds no keys.
        def substitute(match: re.Match[str]) -> str:
            referenced[path] = text
            if variables is None:
                unknown[path] = ["only files may name environment variables"]
                return match[0]
            value = variables.get(match[1])
            if value is None:
                unknown.setdefault(path, []).append(f"environment variable {match[1]} is not set")
                return match[0]
            # Of bytes that are no UTF-8, Python makes halves of surrogate pairs.
            if not value.isascii() and value.encode(errors="replace").decode() != value:
                unknown.setdefault(path, []).append(f"environment variable {match[1]} is not UTF-8")
                return match[0]
            return value

        return VARIABLE.sub(substitute, text)

    values = Values(read_text)
    return Document(file, values.of(node), values.positions, referenced, text=written, unknown=unknown)


def dotted(path: KeyPath) -> str:
    """Write a path with dots.

    Examples
    --------
    >>> dotted(("spec", "sources", 0))
    'spec.sources.0'
    """
    return ".".join(str(part) for part in path)
