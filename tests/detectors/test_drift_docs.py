"""What the documentation says of detectors is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from detectors.pages import main, pages

DOCS = Path(__file__).parents[2] / "docs"


def test_every_page_is_as_the_code_has_it() -> None:
    written = {page.name: page.read_text(encoding="utf-8") for page in (DOCS / "detectors").glob("*.md")}
    assert written == pages(), "run: make docs"


def test_writing_pages_removes_those_of_detectors_that_are_no_more(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("# `gone`\n")
    main(tmp_path)
    assert {page.name for page in tmp_path.iterdir()} == set(pages())


def test_the_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "detectors.md").read_text(), re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        exec(compile(example, "docs/detectors.md", "exec"), {})
