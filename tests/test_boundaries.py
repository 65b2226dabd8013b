"""The boundaries between packages hold in the code as it stands, and a file that breaks one is found."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.structure import PACKAGES, ROOT, Source, sources

EDGES = ("monitor/sources", "sinks/store", "sinks/receivers")
VAGUE = {"util", "helper", "common", "misc", "manager", "core", "engine", "processor", "handler"}
CLOCK = {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"}
TIME_WITHOUT_CLOCK = {"time.struct_time", "time.strptime", "time.mktime"}
# Files without these words are not parsed: nothing in them can break the rule.
NAMES_TIME = re.compile(r"\b(date)?time\b")
MAY_SWALLOW = re.compile(r"\bexcept\b(?s:.*)\bpass\b|\bexcept[\s\\]*:")


def detectors_import_only_numbers(root: Path) -> Iterator[str]:
    allowed = {"numpy", "numba", "detectors", *sys.stdlib_module_names}
    for source in sources(root, "detectors"):
        river = {"river"} if source.path == PurePosixPath("detectors/river_adapter.py") else set()
        for name in source.imports:
            if name.split(".")[0] not in allowed | river:
                yield f"{source.path} imports {name}"


def sinks_know_nobody(root: Path) -> Iterator[str]:
    for source in sources(root, "sinks"):
        for name in source.imports:
            if name.split(".")[0] in {"monitor", "detectors"}:
                yield f"{source.path} imports {name}"


def only_the_clock_reads_time(root: Path) -> Iterator[str]:
    for source in sources(root, *PACKAGES):
        if source.path != PurePosixPath("monitor/clock.py") and NAMES_TIME.search(source.text):
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Name | ast.Attribute) and reads_time(source.dotted(node)):
                    yield f"{source.path}:{node.lineno} uses {source.dotted(node)}"


def reads_time(name: str | None) -> bool:
    return name is not None and (
        name in CLOCK or (re.fullmatch(r"time\.\w+", name) is not None and name not in TIME_WITHOUT_CLOCK)
    )


def only_the_build_names_concrete_edges(root: Path) -> Iterator[str]:
    concrete = {module: edge for edge in EDGES for module in registered(root, edge)}
    for source in sources(root, *PACKAGES):
        if source.path != PurePosixPath("monitor/build.py"):
            for name in source.imports:
                if name in concrete and not f"{source.path}".startswith(f"{concrete[name]}/"):
                    yield f"{source.path} imports {name}"


def registered(root: Path, edge: str) -> set[str]:
    """Return the modules that the table in an edge's `__init__.py` names, by import or as `module:Class`."""
    package = edge.replace("/", ".")
    table = Source(root, PurePosixPath(edge) / "__init__.py")
    written = [
        node.value.partition(":")[0]
        for node in ast.walk(table.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    files = (path.relative_to(root).with_suffix("") for path in (root / edge).rglob("*.py"))
    modules = {str(path).replace("/", ".") for path in files}
    shared = {f"{package}.__init__", f"{package}.contract", f"{package}.parameters"}
    return (modules - shared) & {*table.imports, *written}


def what_configuration_is_made_of_does_not_import_it(root: Path) -> Iterator[str]:
    """Else what may be imported depends on what was imported before."""
    every = {str(source.path.with_suffix("")).replace("/", "."): source for source in sources(root, "monitor")}
    waiting = [name for name in every if name.startswith("monitor.config.")]
    below: set[str] = set()
    while waiting:
        for name in every[waiting.pop()].imports:
            if name in every and not name.startswith("monitor.config.") and name not in below:
                below.add(name)
                waiting.append(name)
    for name in below:
        for imported in every[name].imports:
            if imported == "monitor.config" or imported.startswith("monitor.config."):
                yield f"{every[name].path} imports {imported}"


def names_say_something(root: Path) -> Iterator[str]:
    for source in sources(root, *PACKAGES, "tests", "bench"):
        for part in source.path.with_suffix("").parts:
            if {word.removesuffix("s") for word in part.split("_")} & VAGUE:
                yield f"{source.path} is named after nothing"


def no_exception_is_swallowed(root: Path) -> Iterator[str]:
    for source in sources(root, *PACKAGES, "tests", "bench"):
        for node in ast.walk(source.tree) if MAY_SWALLOW.search(source.text) else ():
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield f"{source.path}:{node.lineno} catches everything"
            elif isinstance(node, ast.ExceptHandler) and passes_in_silence(source, node):
                yield f"{source.path}:{node.lineno} passes over an error without a reason"


def passes_in_silence(source: Source, node: ast.ExceptHandler) -> bool:
    """Whether nothing is done about an error and no comment in the handler says why."""
    (*others, last) = node.body
    lines = source.text.splitlines()[node.lineno - 1 : last.lineno]
    return not others and isinstance(last, ast.Pass) and not any("#" in line for line in lines)


Rule = Callable[[Path], Iterator[str]]
RULES: list[Rule] = [
    detectors_import_only_numbers,
    sinks_know_nobody,
    only_the_clock_reads_time,
    only_the_build_names_concrete_edges,
    what_configuration_is_made_of_does_not_import_it,
    names_say_something,
    no_exception_is_swallowed,
]
TREE = {
    "detectors/__init__.py": "",
    "detectors/river_adapter.py": "from river import drift",
    "detectors/drift/ddm.py": "import math\nimport numpy as np\nfrom ..contract import Detector",
    "monitor/clock.py": "import time\nnow = time.time()",
    "monitor/build.py": "from monitor.sources.kafka import Kafka\nfrom sinks.store import chdb",
    "monitor/ingest.py": "from datetime import datetime\nfrom monitor.sources import contract\ndatetime(2026, 1, 1)",
    "monitor/config/alerting.py": "from monitor.routes import Route",
    "monitor/routes.py": "from monitor.intervals import Interval",
    "monitor/intervals.py": "",
    "monitor/sources/__init__.py": "from .kafka import Kafka\nfrom .contract import Source",
    "monitor/sources/contract.py": "",
    "monitor/sources/kafka.py": "",
    "sinks/store/__init__.py": "STORES = {'chdb': 'sinks.store.chdb:Chdb'}",
    "sinks/store/chdb.py": "from sinks.store.sql import quote",
    "sinks/store/sql.py": "",
    "sinks/receivers/__init__.py": "",
    "tests/conftest.py": "import time\ntime.sleep(0)",
    "bench/__main__.py": "try:\n    x = 1\nexcept ValueError:\n    pass  # the slow way follows",
}
BREACHES = [
    (detectors_import_only_numbers, "detectors/drift/ks.py", "from scipy import stats"),
    (detectors_import_only_numbers, "detectors/drift/adwin.py", "import river.drift"),
    (detectors_import_only_numbers, "detectors/bank.py", "def f():\n    from monitor.clock import Clock"),
    (sinks_know_nobody, "sinks/store/rows.py", "import detectors.sketch"),
    (sinks_know_nobody, "sinks/receivers/webhook.py", "from monitor import clock"),
    (only_the_clock_reads_time, "monitor/evaluate.py", "import time\ntime.monotonic()"),
    (only_the_clock_reads_time, "monitor/jobs/schedule.py", "import time as t\nt.sleep(1)"),
    (only_the_clock_reads_time, "sinks/receivers/slack.py", "from time import perf_counter as now\nnow()"),
    (only_the_clock_reads_time, "detectors/bank.py", "from datetime import datetime as d\nd.utcnow()"),
    (only_the_clock_reads_time, "monitor/api/app.py", "import datetime as dt\nclock = dt.datetime.now"),
    (only_the_build_names_concrete_edges, "monitor/ingest.py", "from monitor.sources.kafka import Kafka"),
    (only_the_build_names_concrete_edges, "monitor/ingest.py", "from monitor.sources import kafka"),
    (only_the_build_names_concrete_edges, "monitor/api/app.py", "def f():\n    import sinks.store.chdb"),
    (only_the_build_names_concrete_edges, "monitor/api/app.py", "from ..sources import kafka"),
    (what_configuration_is_made_of_does_not_import_it, "monitor/routes.py", "from monitor.config import Model"),
    (
        what_configuration_is_made_of_does_not_import_it,
        "monitor/intervals.py",
        "from monitor.config.values import Name",
    ),
    (names_say_something, "monitor/utils.py", ""),
    (names_say_something, "tests/test_helpers.py", ""),
    (names_say_something, "sinks/common/sql.py", ""),
    (no_exception_is_swallowed, "monitor/ingest.py", "try:\n    x = 1\nexcept:\n    raise"),
    (no_exception_is_swallowed, "bench/soak.py", "try:\n    x = 1\nexcept KeyError:\n    pass"),
]


@pytest.fixture
def clean_tree(tmp_path: Path) -> Path:
    for path, text in TREE.items():
        write(tmp_path / path, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("rule", RULES)
def test_the_code_keeps_every_boundary(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_looked_at(package: str) -> None:
    assert sources(ROOT, package)


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_has_concrete_modules_to_guard(edge: str) -> None:
    assert registered(ROOT, edge)


@pytest.mark.parametrize("rule", RULES)
def test_what_is_allowed_breaks_no_rule(rule: Rule, clean_tree: Path) -> None:
    assert list(rule(clean_tree)) == []


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_a_file_that_breaks_a_rule_is_named(rule: Rule, path: str, text: str, clean_tree: Path) -> None:
    write(clean_tree / path, text)
    found = list(rule(clean_tree))
    assert found
    assert all(line.startswith(path) for line in found)


def test_every_rule_is_shown_to_catch_something() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(RULES)
