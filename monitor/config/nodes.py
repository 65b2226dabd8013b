"""From a file's text to values, and back: what of YAML a configuration needs, and no more than it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

__all__ = [
    "MAX_DEPTH",
    "MAX_FILE_BYTES",
    "MAX_VALUES",
    "KeyPath",
    "Position",
    "Values",
    "Writer",
    "YamlError",
    "compose",
    "position_in",
]

MAX_FILE_BYTES = 1024 * 1024
"""Larger files are refused: ten thousand features take half of it, and a mistake in it is shown after seconds."""

MAX_DEPTH = 64
"""How deep lists and mappings may be nested; each route below another takes two."""

MAX_VALUES = 100_000
"""How many values a document may have where all of its aliases are written out."""

MAX_NUMBER_LENGTH = 100
"""Longer numbers take Python a time that grows with the square of it."""

KeyPath = tuple[str | int, ...]

Position = tuple[int, int]
"""Line and column of a file, both counted from 1."""

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
# A date is text: pydantic reads those that are meant as dates, and names of segments may look like one.
_TEXT = {_TAG + name for name in ("str", "timestamp", "value", "merge")}
_TRUTHS_AND_NUMBERS = {_TAG + name for name in ("bool", "int", "float")}
# YAML 1.1 takes NO for false, 22:00 for 1320 and 010 for 8; here they are what they look like, as in YAML 1.2.
_AS_WRITTEN = re.compile(r"(?i:yes|no|on|off)|[-+]?0[0-9_]+|.*:.*")
_HINTS = (
    ("cannot start any token", "is a line indented with a tab, or does a text begin with a sign that needs quotes?"),
    ("mapping values are not allowed here", "does a text with a colon need quotes, or is a line indented too far?"),
    ("expected <block end>", "is a line indented otherwise than those that it belongs with?"),
    ("expected alphabetic or numeric character", "a text that begins with * or & stands in quotes"),
    ("found undefined alias", "a text that begins with * stands in quotes"),
    ("found unexpected end of stream", "a quote that is opened here is not closed"),
)
"""What is behind complaints of the parser, most often."""

_READ: dict[str, Callable[[SafeConstructor, yaml.ScalarNode], Any]] = {
    _TAG + "null": SafeConstructor.construct_yaml_null,
    _TAG + "bool": SafeConstructor.construct_yaml_bool,
    _TAG + "int": SafeConstructor.construct_yaml_int,
    _TAG + "float": SafeConstructor.construct_yaml_float,
}


class YamlError(Exception):
    """Something in a file that is no YAML, or more of it than a configuration may have.

    Parameters
    ----------
    message : str
    position : Position
    path : tuple of str and int
        The key, where it is known.
    """

    def __init__(self, message: str, position: Position, path: KeyPath = ()) -> None:
        super().__init__(message)
        self.position = position
        self.path = path


class _Composer(yaml.SafeLoader):
    """Stops where nodes are nested too deep, before Python's stack ends."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self._depth > MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} deep", (self.line + 1, self.column + 1))
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class Writer(yaml.SafeDumper):
    """Writes a value in one line that is read as the same value."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value that is there twice is written twice."""
        return True


def _write_text(writer: Writer, text: str) -> yaml.ScalarNode:
    return writer.represent_scalar(_TAG + "str", text, style='"' if _LINE_BREAK.search(text) else None)


_LINE_BREAK = re.compile("[\n\x85\u2028\u2029]")
Writer.add_representer(str, _write_text)

# YAML 1.1 takes `1e-6` for text, and everybody for a number.
for _kind in (_Composer, Writer):
    _kind.add_implicit_resolver(
        _TAG + "float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+\Z"), list("-+.0123456789")
    )


def position_in(text: str, index: int) -> Position:
    r"""Return where a character of a text stands.

    Examples
    --------
    >>> position_in("a: 1\nb: 2", 8)
    (2, 4)
    """
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def compose(text: str) -> Iterator[yaml.Node]:
    """Yield the documents of a file, as nodes.

    Raises
    ------
    YamlError
        If the text is no YAML, or nested too deep.

    Examples
    --------
    >>> [node.tag for node in compose("a: 1")]
    ['tag:yaml.org,2002:map']
    """
    try:
        composer = _Composer(text)
    except yaml.reader.ReaderError as error:
        message = f"not YAML: the character U+{error.character:04X} may only stand in quotes, written \\x or \\u"
        raise YamlError(message, position_in(text, error.position)) from error
    try:
        while composer.check_node():
            node = composer.get_node()
            assert node is not None
            yield node
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem)
        hint = next((f": {words}" for beginning, words in _HINTS if beginning in problem), "")
        # Where a quote is opened says more than where the file ends.
        is_open = "end of stream" in problem and error.context_mark is not None
        mark = (error.context_mark if is_open else error.problem_mark) or composer.get_mark()
        raise YamlError(f"not YAML: {problem}{hint}", (mark.line + 1, mark.column + 1)) from error
    except ValueError as error:
        # Of `\U` beyond the last character, and of a version with thousands of digits.
        raise YamlError(f"not YAML: {error}", (composer.line + 1, composer.column + 1)) from error


class Values:
    r"""Makes the values of one document out of its nodes.

    Parameters
    ----------
    read_text : callable
        From a text and its path to what it stands for.

    Attributes
    ----------
    positions : dict of path to Position
        Where each key and each item stands.

    Examples
    --------
    >>> [node] = compose("first: &a {x: 1, y: 2}\nsecond: {<<: *a, y: 3}")
    >>> values = Values(lambda text, path: text)
    >>> values.of(node)
    {'first': {'x': 1, 'y': 2}, 'second': {'y': 3, 'x': 1}}
    >>> values.positions["second", "y"], values.positions["second", "x"]
    ((2, 18), (1, 12))
    """

    def __init__(self, read_text: Callable[[str, KeyPath], str]) -> None:
        self.positions: dict[KeyPath, Position] = {}
        self._read_text = read_text
        self._constructor = SafeConstructor()
        self._open: list[yaml.Node] = []
        self._count = 0

    def of(self, node: yaml.Node, path: KeyPath = ()) -> Any:
        """Return what a node stands for.

        Raises
        ------
        YamlError
            With the line and the path of what cannot be read.
        """
        self.positions.setdefault(path, _position(node))
        with self._inside(node, path):
            if isinstance(node, yaml.MappingNode):
                self._expect(node, "map", path)
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                self._expect(node, "seq", path)
                return [self.of(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.ScalarNode)
            return self._scalar(node, path)

    @contextmanager
    def _inside(self, node: yaml.Node, path: KeyPath) -> Iterator[None]:
        if any(node is opened for opened in self._open):
            raise YamlError("an alias stands inside of what it names", _position(node), path)
        # Aliases that stand in each other's anchors nest deeper than the file does.
        if len(self._open) > MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} deep where aliases are written out", _position(node), path)
        self._count_value(node, path)
        self._open.append(node)
        yield
        self._open.pop()

    def _count_value(self, node: yaml.Node, path: KeyPath) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlError(f"more than {MAX_VALUES} values where aliases are written out", _position(node), path)

    def _expect(self, node: yaml.Node, kind: str, path: KeyPath) -> None:
        if node.tag != _TAG + kind:
            raise YamlError(f"unknown tag {_short(node.tag)}", _position(node), path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, key_node, value in self._entries(node, path):
            if key in built:
                raise YamlError("the key is there twice", _position(key_node), (*path, key))
            self.positions[*path, key] = _position(key_node)
            built[key] = self.of(value, (*path, key))
        for key, key_node, value in self._merged(node, path):
            if key not in built:
                self.positions[*path, key] = _position(key_node)
                built[key] = self.of(value, (*path, key))
            else:
                # Passed over, but looked at.
                self._count_value(key_node, path)
        return built

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """A mapping's own keys, as they are written: `on` is one, and no boolean."""
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError("a key is text, and not a list or a mapping", _position(key_node), path)
            if key_node.tag != _MERGE:
                yield _key(key_node, path), key_node, value

    def _merged(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """The keys that ``<<`` brings along; of several, the first counts."""
        for key_node, value in node.value:
            if key_node.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise YamlError("`<<` takes a mapping, or a list of them", _position(key_node), (*path, "<<"))
                with self._inside(source, (*path, "<<")):
                    yield from self._entries(source, path)
                    yield from self._merged(source, path)

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        if node.tag in _TEXT:
            return self._read_text(_text(node, path), path)
        if node.tag not in _READ:
            raise YamlError(f"unknown tag {_short(node.tag)}", _position(node), path)
        if len(node.value) > MAX_NUMBER_LENGTH:
            raise YamlError(f"a number of more than {MAX_NUMBER_LENGTH} characters", _position(node), path)
        if node.tag in _TRUTHS_AND_NUMBERS and _AS_WRITTEN.fullmatch(node.value):
            return self._read_text(_text(node, path), path)
        try:
            return _READ[node.tag](self._constructor, node)
        except (ValueError, KeyError, IndexError) as error:
            raise YamlError(f"this is not {_short(node.tag)}, as its tag says", _position(node), path) from error


def _key(node: yaml.ScalarNode, path: KeyPath) -> str:
    # What writes YAML 1.1, such as PyYAML, takes the key `on` for a boolean.
    return "on" if node.tag == _TAG + "bool" and node.value.lower() == "true" else _text(node, path)


def _text(node: yaml.ScalarNode, path: KeyPath) -> str:
    """Return what a node says, with a character for each surrogate pair, as JSON writes those beyond U+FFFF."""
    text = str(node.value)
    try:
        return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise YamlError("half of a surrogate pair is no character", _position(node), path) from error


def _position(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")
