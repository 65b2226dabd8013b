"""A table that is added by the recipe of CONTRIBUTING is a table everywhere, and two files are all that it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

USE = """
import sys
from contextlib import closing
from pathlib import Path
from monitor.erasure.erase import LOOKED_THROUGH
from sinks.store import open_store
from sinks.store.backup import backup, restore
from sinks.store.contract import Query
from sinks.store.reference import reference
from sinks.store.upkeep import tables_of

folder = Path(sys.argv[1])
row = {"team": ["risk"], "updated_ms": [1], "from_person": ["ann"], "to_person": ["bob"]}
question = Query("handovers", {"team": "risk"}, columns=("to_person",))
with closing(open_store("chdb", str(folder / "store"))) as store:
    store.append("handovers", row, "a")
    store.append("handovers", row | {"updated_ms": [0], "to_person": ["cy"]}, "b")
    assert store.read(question) == {"to_person": ["bob"]}
    assert "handovers" in tables_of(store)
    backup(store, folder / "backup")
restored = open_store("memory")
restore(restored, folder / "backup")
assert restored.read(question) == {"to_person": ["bob"]}
assert "| `handovers` | who has been on call for a team since when" in reference()
assert "handovers" in LOOKED_THROUGH
"""


def test_a_declaration_and_a_migration_are_a_table(tmp_path: Path) -> None:
    # given the two files of the recipe
    recipe = (ROOT / "CONTRIBUTING.md").read_text().partition("### A new table of the store")[2]
    declaration, migration = re.findall(r"```(?:python|sql)\n(.*?)```", recipe, re.DOTALL)[:2]
    shutil.copytree(ROOT / "sinks", tmp_path / "sinks", ignore=shutil.ignore_patterns("__pycache__"))
    declarations = tmp_path / "sinks" / "store" / "tables" / "alerts.py"
    declarations.write_text(declarations.read_text().rstrip().removesuffix(")") + declaration.rstrip() + ",)\n")
    (tmp_path / "sinks" / "store" / "migrations" / "9000_handovers.sql").write_text(migration)
    # when
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", USE, str(tmp_path)]
    done = subprocess.run(command, check=False, env=environment, cwd=tmp_path, capture_output=True, text=True)
    # then
    assert done.returncode == 0, done.stderr
