"""Matchers: read as Alertmanager reads them, also those that nobody should write."""

from __future__ import annotations

import random
import re

import pytest

from monitor.routing.matchers import Matcher, MatcherError, parse_matchers, quoted
from tests.services.alertmanager import ask

ATOMS = [
    *("a", "b1", "team", "föö", "é", "日本", "1", "-", "/", ":", "$", "^", "~", "!", "{", "}", ",", " ", "\n", "\t"),
    *("=", "!=", "=~", "!~", '"', '"', "'", "`", "\u2003", "\x1c", ".*", "(x|y)", "(", "[a", "a)(b", "(?i)x", "\\d+"),
    *("\\", "\\\\", "\\n", '\\"', "\\x41", "\\xff", "\\u00e9", "\\ud800", "\\101", "\\777", "\\8"),
]
NAMES = ["a", "team", "föö", '"x y"', "b:c", "1a"]
PIECES = ["a", "b", "é", "x y", ".*", '"', "\\", "1", ",", "=", "(c|d)"]
TEXTS = 6_000


def text(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return "".join(rng.choice(ATOMS) for _ in range(rng.randint(1, 10)))
    written = ",".join(
        f"{rng.choice(['', ' '])}{rng.choice(NAMES)}{rng.choice(['=', '!=', '=~', '!~', ' = '])}{value(rng)}"
        for _ in range(rng.randint(1, 3))
    )
    written = f"{{{written}}}" if rng.random() < 0.3 else written
    return written + "," if rng.random() < 0.1 else written


def value(rng: random.Random) -> str:
    word = "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 3)))
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return rng.choice([f'"{escaped}"', f'"{escaped}"', f'"{word}"', word, word])


def read(written: str) -> list[list[str]] | None:
    try:
        found = parse_matchers(written)
    except MatcherError:
        return None
    return [[matcher.name, matcher.operator, matcher.value, str(matcher)] for matcher in found]


def test_random_texts_are_read_as_by_alertmanager() -> None:
    rng = random.Random(5)
    texts = [text(rng) for _ in range(TEXTS)]
    theirs = ask({"matchers": written} for written in texts)
    taken = 0
    for written, said in zip(texts, theirs, strict=True):
        fields = ("name", "type", "value", "text")
        matchers = [[matcher[name] for name in fields] for matcher in said.get("matchers", [])]
        expected = None if "error" in said else matchers
        taken += expected is not None
        assert read(written) == expected, (written, said)
    assert TEXTS / 10 < taken < TEXTS * 9 / 10


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("team", "column 5: found the end instead of = or != or =~ or !~"),
        ("{team", "column 6: found the end instead of = or != or =~ or !~"),
        ("größe='a'", 'column 7: "\'" stands here without quotes'),
        ('team="a', "the quotes are not closed"),
        ("größe=~(", "no regular expression"),
    ],
)
def test_what_is_no_matcher_is_refused_with_its_place(written: str, message: str) -> None:
    with pytest.raises(MatcherError, match=re.escape(message)):
        parse_matchers(written)


def test_a_missing_label_has_the_empty_value() -> None:
    labels = {"a": ""}
    assert all(Matcher(name, "=", "").matches(labels) for name in ("a", "b"))
    assert all(Matcher(name, "=~", ".*").matches(labels) for name in ("a", "b"))
    assert not any(Matcher(name, "!~", "x?").matches(labels) for name in ("a", "b"))


def test_an_expression_matches_the_whole_value_and_takes_no_time() -> None:
    assert not Matcher("a", "=~", "b").matches({"a": "bc"})
    assert not Matcher("a", "=~", "b").matches({"a": "b\n"})
    # A matcher that backtracks would need longer than the universe is old.
    assert not Matcher("a", "=~", "(x+x+)+y").matches({"a": "x" * 5_000})


def test_characters_are_quoted_as_by_go() -> None:
    rng = random.Random(7)
    codes = [rng.choice([rng.randrange(0x20, 0xD800), rng.randrange(0x80)]) for _ in range(1_500)]
    values = ["".join(map(chr, codes[at : at + 5])) for at in range(0, len(codes), 5)]
    # Alertmanager writes a matcher's name and value in quotes where the name needs them.
    said = ask({"matchers": f'"x y"={quoted(one)}'} for one in values)
    assert [one["matchers"][0]["value"] for one in said] == values
    assert [one["matchers"][0]["text"] for one in said] == [f'"x y"={quoted(one)}' for one in values]
