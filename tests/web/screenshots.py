"""Takes the pictures of the documentation: ``python -m tests.web.screenshots`` runs the demo, and looks at it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.web.browser.looking import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 860

FEBRUARY = "from=1360198800000&to=1360976400000"
"""From the day before the blizzard to the week after it."""

PAGES = {
    "models": "/",
    "incident": "/incidents/{blizzard}",
    "signal": f"/models/flights/signals/volume?{FEBRUARY}&at=1360386000000",
    "model": f"/models/flights?{FEBRUARY}",
    "compare": "/models/flights/compare?from=1360299600000&to=1360472400000",
    "performance": "/models/flights-constant/performance",
    "stuck": "/incidents/{injected}",
}


@contextmanager
def demo(*options: str) -> Iterator[dict[str, str]]:
    """Run the demo until it serves; give its address, and the ids of the incidents that it names."""
    command = [str(Path(sys.executable).with_name("leeway")), "demo", *options]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=output)
        try:
            yield addresses(until_served(process, output))
        finally:
            process.terminate()
            process.wait(timeout=120)


def until_served(process: subprocess.Popen[bytes], output: IO[str]) -> str:
    """Return what the demo has printed once it serves."""
    text = ""
    while "listening on" not in text:
        if process.poll() is not None:
            raise RuntimeError(f"the demo has ended:\n{text[-2000:]}")
        time.sleep(1)
        output.seek(0)
        text = output.read()
    return text


def addresses(text: str) -> dict[str, str]:
    """Return what the demo names.

    Examples
    --------
    >>> addresses("  2013-02-08, blizzard: http://127.0.0.1:8080/incidents/c3f8")
    {'blizzard': 'c3f8', 'url': 'http://127.0.0.1:8080'}
    """
    names: dict[str, str] = {}
    for why, url, incident in re.findall(r", (blizzard|injected): (http://\S+)/incidents/(\w+)", text):
        names |= {why: incident, "url": url}
    return names


def shoot(browser: Browser, url: str, file: Path) -> None:
    """Take one picture, once nothing more comes."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("main:not([aria-busy=true])")
    page.wait_for_timeout(4_000)
    page.screenshot(path=file)
    context.close()


def main() -> None:
    """Write all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with demo() as names, chromium() as browser:
        for name, path in PAGES.items():
            shoot(browser, names["url"] + path.format(**names), FOLDER / f"{name}.png")
            print(f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
