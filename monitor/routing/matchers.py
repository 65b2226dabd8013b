r"""Matchers: conditions on one label, such as ``severity=~"warning|critical"``, as Alertmanager reads them.

Alertmanager 0.28 has two parsers. The newer takes any UTF-8 in names and values, quoted where it holds one of
``{}!=~,\"'` `` or white space; the classic one takes names of letters, digits, ``_`` and ``:`` and nearly anything as
a value. Both are asked: where only one can read a text its answer counts, and where they differ the classic one's does.

``annotation:summary`` names an annotation in place of a label, which Alertmanager does not know: to both of its parsers
it is the name of a label, and a label of that name counts where an alert has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import re2

__all__ = ["ANNOTATION", "Labels", "Matcher", "MatcherError", "matches_all", "parse_matchers", "quoted"]

Labels = Mapping[str, str]

ANNOTATION = "annotation:"
"""What the name of an annotation begins with, where a matcher names one."""

MOST_VALUES = 1_000
"""So many values are remembered with what an expression says of them: labels have few, and come again and again."""

Operator = Literal["=", "!=", "=~", "!~"]
_OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")

_SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(n) for n in range(0x2000, 0x200B)}
_RESERVED = frozenset("{}!=~,\\\"'`") | _SPACES
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_CODE = re.compile(r"x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{3}")
_CLASSIC = re.compile(
    r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.DOTALL
)


class MatcherError(ValueError):
    """A text is no matcher, or no list of them; the message says where."""


def _options(name: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    # An annotation may have many lines, and nobody who writes `.*amount.*` has one of them in mind.
    options.dot_nl = name.startswith(ANNOTATION)
    return options


@dataclass(frozen=True)
class Matcher:
    """A condition on the value of one label; a label that is missing has the empty value.

    Parameters
    ----------
    name : str
        Of the label; :data:`ANNOTATION` and a name is an annotation's.
    operator : {"=", "!=", "=~", "!~"}
    value : str
        For the last two a regular expression (RE2) for the whole value.

    Raises
    ------
    MatcherError
        The regular expression is none.

    Examples
    --------
    >>> matcher = Matcher("severity", "=~", "warning|critical")
    >>> matcher.matches({"severity": "critical"}), matcher.matches({})
    (True, False)
    >>> print(matcher)
    severity=~"warning|critical"
    """

    name: str
    operator: Operator
    value: str
    _pattern: Any = field(init=False, repr=False, compare=False, default=None)
    _known: dict[str, bool] = field(init=False, repr=False, compare=False, default_factory=dict)

    @property
    def as_posted(self) -> dict[str, Any]:
        """The matcher as Alertmanager's API has it.

        Examples
        --------
        >>> Matcher("model", "!=", "fraud").as_posted
        {'name': 'model', 'value': 'fraud', 'isRegex': False, 'isEqual': False}
        """
        is_regex, is_equal = self.operator in ("=~", "!~"), self.operator in ("=", "=~")
        return {"name": self.name, "value": self.value, "isRegex": is_regex, "isEqual": is_equal}

    def __post_init__(self) -> None:
        if self.operator in ("=~", "!~"):
            try:
                # Put together like this, and not matched in full, since an expression may close the bracket.
                pattern = re2.compile(f"^(?:{self.value})$", _options(self.name))
            except re2.error as error:
                detail = error.args[0].decode() if isinstance(error.args[0], bytes) else error
                raise MatcherError(f"{self.value!r} is no regular expression (RE2): {detail}") from error
            object.__setattr__(self, "_pattern", pattern)

    def matches(self, labels: Labels) -> bool:
        """Whether labels fulfil the condition."""
        value = labels.get(self.name, "")
        if self._pattern is None:
            return (value == self.value) == (self.operator == "=")
        holds = self._known.get(value)
        if holds is None:
            if len(self._known) >= MOST_VALUES:
                self._known.clear()
            holds = self._known[value] = self.asks(value)
        return holds

    def asks(self, value: str) -> bool:
        """Ask the regular expression of a value, whether it was asked before or not; its answer is not remembered.

        Examples
        --------
        >>> Matcher("host", "!~", "web-.*").asks("db-1")
        True
        """
        return (self._pattern.search(value) is not None) == (self.operator == "=~")

    @property
    def order(self) -> tuple[str, str, int]:
        """What Alertmanager sorts a route's matchers by."""
        return self.name, self.value, _OPERATORS.index(self.operator)

    @cached_property
    def _text(self) -> str:
        if any(character in _RESERVED for character in self.name):
            return f"{quoted(self.name)}{self.operator}{quoted(self.value)}"
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.operator}"{escaped}"'

    def __str__(self) -> str:
        return self._text


def matches_all(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Whether labels fulfil every condition."""
    for matcher in matchers:  # noqa: SIM110 -- the heart of routing: a generator would take twice as long
        if not matcher.matches(labels):
            return False
    return True


def quoted(text: str) -> str:
    r"""Return a text in quotes, as Go writes it.

    Examples
    --------
    >>> print(quoted('é\n"\x07\u200b'))
    "é\n\"\a\u200b"
    """
    named = {value: f"\\{name}" for name, value in _ESCAPES.items()}
    return f'"{"".join(named.get(c) or (c if c.isprintable() else _code(c)) for c in text)}"'


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def parse_matchers(text: str) -> list[Matcher]:
    """Return the matchers of a list with commas between them, in braces or not.

    Raises
    ------
    MatcherError
        Neither parser can read it.

    Examples
    --------
    >>> [str(matcher) for matcher in parse_matchers('{team="a b", "größe"!~x.*}')]
    ['team="a b"', 'größe!~"x.*"']
    >>> parse_matchers("team=a b")[0].value  # which only the classic parser can read
    'a b'
    """
    try:
        newer = _Utf8(text).parse()
    except MatcherError as refusal:
        try:
            return _classic(text)
        except MatcherError:
            raise refusal from None
    try:
        classic = _classic(text)
    except MatcherError:
        return newer
    return classic


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


class _Utf8:
    """The parser that takes any UTF-8."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._token: _Token | None = None

    def parse(self) -> list[Matcher]:
        opened = self._accept("{")
        matchers: list[Matcher] = []
        if self._peek().kind not in ("}", "end"):
            matchers.append(self._matcher())
            while self._accept(","):
                if self._peek().kind in ("}", "end"):
                    break
                matchers.append(self._matcher())
        if opened:
            self._expect("}")
        self._expect("end")
        return matchers

    def _matcher(self) -> Matcher:
        name = self._word("the name of a label")
        operator = self._expect(*_OPERATORS).kind
        return Matcher(name, operator, self._word("a value"))  # type: ignore[arg-type]

    def _word(self, name: str) -> str:
        token = self._expect("quoted", "plain", name=name)
        return token.text if token.kind == "plain" else _unquoted(token)

    def _accept(self, kind: str) -> bool:
        is_next = self._peek().kind == kind
        if is_next:
            self._token = None
        return is_next

    def _expect(self, *kinds: str, name: str = "") -> _Token:
        token = self._peek()
        if token.kind not in kinds:
            expected = name or " or ".join("the end" if kind == "end" else kind for kind in kinds)
            actual = "the end" if token.kind == "end" else repr(token.text)
            raise MatcherError(f"column {token.column}: found {actual} instead of {expected}")
        self._token = None
        return token

    def _peek(self) -> _Token:
        if self._token is None:
            self._token = self._scan()
        return self._token

    def _scan(self) -> _Token:
        text = self._text
        while self._at < len(text) and text[self._at] in _SPACES:
            self._at += 1
        start, rest = self._at, text[self._at :]
        if not rest:
            return _Token("end", "", start + 1)
        kind = next((sign for sign in ("!=", "!~", "=~", "=", "{", "}", ",") if rest.startswith(sign)), "")
        if kind:
            self._at += len(kind)
        elif rest[0] == '"':
            kind, self._at = "quoted", self._end_of_quoted(start)
        elif rest[0] in _RESERVED:
            raise MatcherError(f"column {start + 1}: {rest[0]!r} stands here without quotes")
        else:
            kind = "plain"
            while self._at < len(text) and text[self._at] not in _RESERVED:
                self._at += 1
        return _Token(kind, text[start : self._at], start + 1)

    def _end_of_quoted(self, start: int) -> int:
        at = start + 1
        while at < len(self._text):
            if self._text[at] == '"':
                return at + 1
            at += 2 if self._text[at] == "\\" else 1
        raise MatcherError(f"column {start + 1}: the quotes are not closed")


def _unquoted(token: _Token) -> str:
    """A text as Go's quotes hold it: an escape may stand for one byte of a character."""
    body, at, text = token.text[1:-1], 0, bytearray()
    while at < len(body):
        code = _CODE.match(body, at + 1)
        if body[at] != "\\":
            if body[at] == "\n":
                raise MatcherError(f"column {token.column}: a new line in quotes is written \\n")
            text += body[at].encode()
            at += 1
        elif body[at + 1] in _ESCAPES:
            text += _ESCAPES[body[at + 1]].encode()
            at += 2
        elif code is None:
            raise MatcherError(f"column {token.column}: \\{body[at + 1]} is no escape")
        else:
            text += _escaped(code[0], token)
            at = code.end()
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise MatcherError(f"column {token.column}: the escapes in quotes give no UTF-8") from error


def _escaped(code: str, token: _Token) -> bytes:
    number = int(code, 8) if code[0].isdigit() else int(code[1:], 16)
    try:
        return chr(number).encode() if code[0] in "uU" else bytes([number])
    except ValueError as error:  # half of a surrogate pair, beyond Unicode, an octal number beyond a byte
        raise MatcherError(f"column {token.column}: \\{code} is no character") from error


# -- the classic parser ------------------------------------------------------------------------------------------------


def _classic(text: str) -> list[Matcher]:
    text = text.removeprefix("{").removesuffix("}")
    parts, part, in_quotes, escaped = [], "", False, False
    for character in text:
        if character == "," and not in_quotes:
            parts.append(part)
            part = ""
            continue
        if character == '"':
            in_quotes, escaped = in_quotes == escaped, False
        elif character != ",":
            escaped = character == "\\" and not escaped
        part += character
    stripped = part.strip("".join(_SPACES))
    return [_classic_matcher(entry) for entry in [*parts, *([stripped] if stripped else [])]]


def _classic_matcher(text: str) -> Matcher:
    match = _CLASSIC.fullmatch(text)
    if match is None:
        raise MatcherError(f"{text!r} is no matcher")
    name, operator, raw = match.groups()
    in_quotes = raw.startswith('"')
    raw = raw.removeprefix('"')
    value, escaped = "", False
    for at, character in enumerate(raw):
        is_last = at == len(raw) - 1
        if escaped:
            value += {"n": "\n", '"': '"', "\\": "\\"}.get(character, f"\\{character}")
            escaped = False
        elif character == "\\" and not is_last:
            escaped = True
        elif character == '"':
            if not in_quotes or not is_last:
                raise MatcherError(f"{text!r} has quotes within the value")
            in_quotes = False
        else:
            value += character
    if in_quotes:
        raise MatcherError(f"{text!r} has quotes that are not closed")
    return Matcher(name, operator, value)  # type: ignore[arg-type]
