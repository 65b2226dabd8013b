"""``docs/architecture.md`` says of the tree what the tree is: files and names exist, and rooms stand in its order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.structure import (
    MEANINGLESS,
    MOST_ATTRIBUTES,
    MOST_PARAMETERS,
    PAGE,
    ROOT,
    Source,
    Tree,
    measures,
    order_of_rooms,
    sources,
    table_below,
)

TEXT = (ROOT / PAGE).read_text()
MOST_WIDE_FUNCTIONS = 10
MOST_LOOSE_FILES = 20
MOST_REPRESENTATIONS = 14
FILES_TO_TOUCH = {"a distance": 2, "a receiver": 2, "a table": 2, "a route with its verb and client method": 3}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(ROOT)


def paths_named(text: str) -> set[str]:
    """Paths of the project that stand in backticks; those with capitals stand for any name."""
    quoted = re.findall(r"`((?:monitor|detectors|sinks|tests|docs|bench)/[\w./]*)`", text)
    return {path for path in quoted if not re.search("[A-Z]", path)}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_path_on_the_page_exists() -> None:
    assert len(paths_named(TEXT)) > 30
    assert [path for path in sorted(paths_named(TEXT)) if not (ROOT / path).exists()] == []


def test_every_representation_of_an_event_is_defined_where_the_page_says() -> None:
    rows = table_below(TEXT, "## What an event is on its way")
    assert 0 < len(rows) <= MOST_REPRESENTATIONS
    for _, name, where in rows:
        (path,) = paths_named(where)
        assert re.search(rf"(?m)^(class {name.strip('`')}\b|{name.strip('`')}\b.* = )", (ROOT / path).read_text()), name


def test_what_is_added_touches_as_few_files_as_promised() -> None:
    touched = {row[0]: re.findall("`[^`]+`", row[1] + row[2]) for row in table_below(TEXT, "## Where to add what")}
    for addition, most in FILES_TO_TOUCH.items():
        assert len(touched[addition]) == most, addition


def test_the_page_names_every_room_once_and_no_other(tree: Tree) -> None:
    rooms = [room for floor in order_of_rooms(TEXT) for room in floor]
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == set(tree.room_arrows)


def test_no_room_imports_one_that_does_not_stand_lower(tree: Tree) -> None:
    assert list(tree.backward(order_of_rooms(TEXT))) == []


def test_no_files_and_no_rooms_import_each_other_in_a_circle(tree: Tree) -> None:
    assert tree.file_circles == []
    assert tree.room_circles == []


def test_the_root_of_the_service_stays_a_hall() -> None:
    loose = [path.name for path in (ROOT / "monitor").glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= MOST_LOOSE_FILES


def test_no_class_holds_more_than_a_dozen_attributes(tree: Tree) -> None:
    wide = [f"{s.path} {name}" for s in tree.files.values() for name, n in s.attributes() if n > MOST_ATTRIBUTES]
    assert wide == []


def test_few_functions_take_more_than_six_parameters_and_each_says_why(tree: Tree) -> None:
    wide = [(s, name) for s in tree.files.values() for name, n in s.parameters() if n > MOST_PARAMETERS]
    assert len(wide) <= MOST_WIDE_FUNCTIONS


def test_names_of_variables_say_what_they_hold(tree: Tree) -> None:
    meaningless = [f"{s.path}:{line} {name}" for s in tree.files.values() for line, name in s.meaningless_names()]
    assert meaningless == []


TREE = {
    "monitor/values.py": "",
    "monitor/panes/__init__.py": "",
    "monitor/panes/codec.py": "from monitor.values import x",
    "monitor/evaluate/__init__.py": "",
    "monitor/evaluate/loop.py": "from monitor.panes.codec import y",
}
ORDER = [["monitor/values"], ["monitor/panes"], ["monitor/evaluate"]]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for path, text in TREE.items():
        write(tmp_path / path, text)
    return tmp_path


def test_a_tree_in_order_has_no_breach(small: Path) -> None:
    tree = Tree(small, ["monitor"])
    assert list(tree.backward(ORDER)) == []
    assert tree.floors() == ORDER


@pytest.mark.parametrize(
    "text",
    [
        "from monitor.evaluate.loop import z",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from monitor.evaluate import loop",
        "def lazy():\n    import monitor.evaluate.loop",
    ],
    ids=["plainly", "for a type", "inside a function"],
)
def test_an_import_of_a_higher_room_is_named_however_it_is_written(text: str, small: Path) -> None:
    write(small / "monitor/panes/codec.py", text)
    tree = Tree(small, ["monitor"])
    assert list(tree.backward(ORDER)) == ["monitor/panes/codec.py imports monitor.evaluate.loop"]
    assert tree.room_circles == [["monitor/evaluate", "monitor/panes"]]


def test_a_circle_through_the_face_of_a_package_is_found(small: Path) -> None:
    write(small / "monitor/panes/__init__.py", "from monitor.panes.codec import y")
    write(small / "monitor/panes/codec.py", "from monitor.panes import y")
    assert Tree(small, ["monitor"]).file_circles == [["monitor.panes", "monitor.panes.codec"]]


def test_a_room_that_the_page_does_not_name_is_a_breach(small: Path) -> None:
    write(small / "monitor/attic/dust.py", "")
    assert list(Tree(small, ["monitor"]).backward(ORDER)) == [f"monitor/attic has no floor in {PAGE}"]


def test_a_name_that_says_nothing_is_found_where_it_is_bound(tmp_path: Path) -> None:
    write(
        tmp_path / "monitor/a.py", "def f(what):\n    found = what\n    return found\nclass Fired:\n    before: int\n"
    )
    (source,) = sources(tmp_path, "monitor")
    assert list(source.meaningless_names()) == [(1, "what"), (2, "found")]
    assert {"what", "found"} <= MEANINGLESS


def test_the_measures_are_printed_for_any_tree(small: Path) -> None:
    printed = dict(measures(Tree(small, ["monitor"]), small))
    assert printed["circles between files; between rooms"] == "0; 0"
    assert printed["loose files at the root of monitor/"] == "1"
    assert isinstance(next(iter(Tree(small, ["monitor"]).files.values())), Source)
