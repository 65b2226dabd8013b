"""The structure of the code, read from its imports and definitions: rooms, arrows, circles, sizes, names.

``make structure`` prints it as a table; ``tests/test_boundaries.py`` and ``tests/test_architecture.py`` guard it.
A *room* is a folder, or a file at the root of a package. An *arrow* leads from a file to one that it imports, under
``TYPE_CHECKING`` and inside functions too. ``docs/architecture.md`` has the order of rooms, ground floor first.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import TypeGuard

__all__ = ["PACKAGES", "ROOT", "Source", "Tree", "main", "order_of_rooms", "sources"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("monitor", "detectors", "sinks")
PAGE = "docs/architecture.md"

MOST_ATTRIBUTES = 12
MOST_PARAMETERS = 6
MEANINGLESS = frozenset(
    {"found", "said", "place", "known", "wanted", "told", "given", "what", "before", "kept", "left", "asked", "one"}
    | {"same", "here", "there", "more", "going", "last", "whole", "some"}
)
"""Names that say nothing about what they hold."""


@dataclass(frozen=True)
class Source:
    """One Python file of a tree, as the rules see it."""

    root: Path
    path: PurePosixPath

    @property
    def package(self) -> str:
        return self.path.parts[0]

    @property
    def folder(self) -> str:
        return str(self.path.parent)

    @property
    def module(self) -> str:
        """The dotted name under which it is imported; that of a package for its ``__init__.py``."""
        return str(self.path.with_suffix("")).replace("/", ".").removesuffix(".__init__")

    @property
    def room(self) -> str:
        """Its folder, or itself where it stands at the root of a package."""
        parts = self.path.with_suffix("").parts
        return "/".join(parts if len(parts) == 2 and parts[1] != "__init__" else parts[:-1])

    @cached_property
    def text(self) -> str:
        return (self.root / self.path).read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def imports(self) -> list[str]:
        """Dotted names of what is imported, each with the names taken from it: `a.b`, `a.b.c`."""
        return _imports(self.root, self.path, self.text)

    def read_imports(self) -> Iterator[str]:
        """Dotted names of what is imported, as they come."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(node)
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        base = self.path.parent.parts[: len(self.path.parent.parts) - node.level + 1] if node.level else ()
        return ".".join([*base, *([node.module] if node.module else [])])

    @cached_property
    def names(self) -> dict[str, str]:
        """What each imported local name stands for: `{"dt": "datetime", "now": "time.time"}`."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                names.update({a.asname or a.name: f"{self._absolute(node)}.{a.name}" for a in node.names})
        return names

    def dotted(self, node: ast.AST) -> str | None:
        """Return what an expression such as `dt.datetime.now` names, with imports resolved."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return base and f"{base}.{node.attr}"
        return None

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    def meaningless_names(self) -> Iterator[tuple[int, str]]:
        """Lines with the names of variables and parameters that say nothing.

        Fields of records do not count: whoever reads one has the record's name before it.
        """
        records = [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]
        fields = {part.target for node in records for part in node.body if isinstance(part, ast.AnnAssign)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arg) and node.arg in MEANINGLESS:
                yield node.lineno, node.arg
            elif _is_bound(node) and node.id in MEANINGLESS and node not in fields:
                yield node.lineno, node.id

    def attributes(self) -> Iterator[tuple[str, int]]:
        """Each class with the number of attributes that its methods assign to ``self``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                stored = {
                    part.attr
                    for part in ast.walk(node)
                    if isinstance(part, ast.Attribute)
                    and isinstance(part.ctx, ast.Store)
                    and isinstance(part.value, ast.Name)
                    and part.value.id == "self"
                }
                yield node.name, len(stored)

    def parameters(self) -> Iterator[tuple[str, int]]:
        """Each function with the number of its parameters, `self` apart; compiled kernels are left out."""
        for node in self.functions:
            if not any(re.search("kernel|jit|inlined", ast.unparse(decorator)) for decorator in node.decorator_list):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                yield node.name, sum(argument.arg not in {"self", "cls"} for argument in arguments)

    def comments(self) -> list[str]:
        """Comments that stand in the file, those for tools apart."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [
            token.string
            for token in tokens
            if token.type == tokenize.COMMENT and not re.match(r"#\s*(noqa|type:|!)", token.string)
        ]

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())


@cache
def _imports(root: Path, path: PurePosixPath, text: str) -> list[str]:
    """Read each file once, whichever rules ask: its syntax tree is too large to be kept for the next one."""
    return sorted(set(Source(root, path).read_imports()))


def _is_bound(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def sources(root: Path, *folders: str) -> list[Source]:
    """Return the Python files below some folders of a tree, by path."""
    paths = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return [Source(root, PurePosixPath(path.relative_to(root))) for path in sorted(paths)]


class Tree:
    """The files of the three packages with the arrows between them."""

    def __init__(self, root: Path, packages: Sequence[str] = PACKAGES) -> None:
        self.files = {source.module: source for source in sources(root, *packages)}
        self.arrows: dict[str, set[str]] = {
            module: {target for name in source.imports if (target := self._file_of(name)) and target != module}
            for module, source in self.files.items()
        }

    def _file_of(self, name: str) -> str | None:
        """The file that an imported dotted name comes from, if it is one of ours."""
        module, _, _ = name.rpartition(".")
        return name if name in self.files else module if module in self.files else None

    def tied(self, module: str) -> set[str]:
        """Where the arrows of a file lead; one to a package's face counts only if nothing below it is named."""
        targets = self.arrows[module]
        below = {target.rpartition(".")[0] for target in targets}
        return {target for target in targets if target not in below or self._takes_from_face(module, target)}

    def _takes_from_face(self, module: str, package: str) -> bool:
        names = (name for name in self.files[module].imports if name.rpartition(".")[0] == package)
        return any(name not in self.files for name in names)

    @cached_property
    def file_circles(self) -> list[list[str]]:
        """Files that import each other in a loop."""
        return circles({module: self.tied(module) for module in self.files})

    @cached_property
    def room_arrows(self) -> dict[str, dict[str, list[str]]]:
        """Which rooms each room imports, each with the files that do, as `a -> b`."""
        rooms: dict[str, dict[str, list[str]]] = {source.room: {} for source in self.files.values()}
        for module, source in self.files.items():
            for target in sorted(self.tied(module)):
                room = self.files[target].room
                if room != source.room:
                    rooms[source.room].setdefault(room, []).append(f"{source.path} imports {target}")
        return rooms

    @cached_property
    def room_circles(self) -> list[list[str]]:
        """Rooms that import each other in a loop."""
        return circles({room: set(targets) for room, targets in self.room_arrows.items()})

    def floors(self) -> list[list[str]]:
        """Rooms by floor, the ground first: a room stands above all that it imports. Needs rooms without circles."""
        height: dict[str, int] = {}

        def floor_of(room: str) -> int:
            if room not in height:
                height[room] = 1 + max((floor_of(target) for target in self.room_arrows[room]), default=-1)
            return height[room]

        by_floor: dict[int, list[str]] = defaultdict(list)
        for room in sorted(self.room_arrows):
            by_floor[floor_of(room)].append(room)
        return [by_floor[floor] for floor in sorted(by_floor)]

    def backward(self, order: Sequence[Sequence[str]]) -> Iterator[str]:
        """Imports from a room to one that does not stand on a lower floor, and rooms that the order does not name."""
        floor = {room: number for number, rooms in enumerate(order) for room in rooms}
        for room, targets in self.room_arrows.items():
            if room not in floor:
                yield f"{room} has no floor in {PAGE}"
                continue
            for target, imports in targets.items():
                if floor.get(target, len(order)) >= floor[room]:
                    yield from imports


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan 1972), each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def order_of_rooms(page: str) -> list[list[str]]:
    """Return the floors that the page lists in its block ``text rooms``, ground floor first."""
    block = re.search(r"```text rooms\n(.*?)```", page, re.DOTALL)
    return [line.split() for line in block[1].splitlines() if line.strip()] if block else []


def table_below(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, without its head."""
    _, _, text = page.partition(f"\n{heading}\n")
    rows = re.findall(r"^\|(.+)\|$", text.split("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measures of the structure, or comments drawn at random."""
    parser = argparse.ArgumentParser(prog="python -m tests.structure", description="Print the structure of the code.")
    parser.add_argument("--comments", type=int, default=0, metavar="N", help="draw so many comments at random instead")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--names", action="store_true", help="list the names that say nothing instead")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    options = parser.parse_args(arguments)
    tree = Tree(options.root)
    if options.comments:
        drawn = [f"{source.path}: {comment}" for source in tree.files.values() for comment in source.comments()]
        print(*random.Random(options.seed).sample(drawn, options.comments), sep="\n")
    elif options.names:
        for source in tree.files.values():
            for line, name in source.meaningless_names():
                print(f"{source.path}:{line} {name}")
    else:
        print(*(f"{name:68} {value}" for name, value in measures(tree, options.root)), sep="\n")
    return 0


def measures(tree: Tree, root: Path) -> Iterator[tuple[str, str]]:
    """What the table has: each measure's name and value."""
    page = (root / PAGE).read_text() if (root / PAGE).exists() else ""
    files = tree.files.values()
    loose = [path for path in (root / "monitor").glob("*.py") if path.name != "__init__.py"]
    yield "loose files at the root of monitor/", f"{len(loose)}"
    yield "rooms, floors", f"{len(tree.room_arrows)}" + ("" if tree.room_circles else f", {len(tree.floors())}")
    yield "circles between files; between rooms", f"{len(tree.file_circles)}; {len(tree.room_circles)}"
    yield from ((f"  {' <-> '.join(circle)}", "") for circle in [*tree.file_circles, *tree.room_circles])
    yield "imports to a room that is not lower", f"{len(list(tree.backward(order_of_rooms(page))))}"
    for row in table_below(page, "## Where to add what"):
        yield f"files to touch for {row[0]}", f"{sum(len(re.findall('`[^`]+`', cell)) for cell in row[1:3])}"
    attributes = Counter({f"{source.path} {name}": count for source in files for name, count in source.attributes()})
    too_many = [(name, count) for name, count in attributes.most_common() if count > MOST_ATTRIBUTES]
    yield f"classes with more than {MOST_ATTRIBUTES} attributes of their own", f"{len(too_many)}"
    yield from ((f"  {name}", f"{count}") for name, count in too_many or attributes.most_common(3))
    wide = [(count, f"{s.path} {name}") for s in files for name, count in s.parameters() if count > MOST_PARAMETERS]
    yield f"functions with more than {MOST_PARAMETERS} parameters", f"{len(wide)}"
    yield from ((f"  {name}", f"{count}") for count, name in sorted(wide, reverse=True))
    functions = sum(len(source.functions) for source in files)
    meaningless = sum(len(list(source.meaningless_names())) for source in files)
    yield "names that say nothing, per 100 functions", f"{100 * meaningless / max(1, functions):.1f}"
    for package in PACKAGES:
        own = [source for source in files if source.package == package]
        lines, comments = sum(source.lines for source in own), sum(len(source.comments()) for source in own)
        yield f"{package}/: lines; comments per 100 lines", f"{lines:,}; {100 * comments / max(1, lines):.1f}"
    yield "lines of the three packages", f"{sum(source.lines for source in files):,}"
    yield "representations of an event on its way", f"{len(table_below(page, '## What an event is on its way'))}"
    yield "modules whose name stands in no test", f"{len(unmentioned(tree, root))}"


def unmentioned(tree: Tree, root: Path) -> list[str]:
    """Return the modules whose name, without its folders, stands in no test."""
    words = {word for source in sources(root, "tests") for word in re.findall(r"\w+", source.text)}
    return [name for name in tree.files if name.rpartition(".")[2] not in words]


if __name__ == "__main__":
    raise SystemExit(main())
