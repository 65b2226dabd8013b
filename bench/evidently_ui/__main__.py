"""Asks why of the blizzard in Leeway's pages and in Evidently's UI, from the same flights, and times both.

January is the reference, and the days up to 15 February follow. Evidently has an environment of its own, and makes a
report a day with its presets of drift and of a summary; the demo watches the same flights. Then both are looked at with
the Chromium of the distribution: how long it takes until the numbers that make the blizzard one are to be seen.

Run ``python -m bench.evidently_ui`` from the repository's folder. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.calibration.peers.monitors import UNTRACKED, environment
from monitor.demo.flights import CATEGORY, NUMERIC, load_flights
from tests.web.browser.looking import chromium
from tests.web.screenshots import demo

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
UNTIL, STORM = "2013-02-16", "2013-02-09"
PATIENCE_MS = 120_000


def main() -> None:
    with TemporaryDirectory() as folder, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        figures = {"evidently": _evidently(Path(folder), page), "leeway": _leeway(page)}
    for name, measured in figures.items():
        print(f"{name}: " + "; ".join(f"{what}: {value}" for what, value in measured.items()))
    print(json.dumps(figures))


def _evidently(folder: Path, page: Page) -> dict[str, Any]:
    python, flights, workspace = environment("evidently"), folder / "flights.csv", folder / "workspace"
    _write(flights)
    began = time.perf_counter()
    command = [str(python), str(HERE / "reports.py"), str(flights), str(workspace)]
    output = subprocess.run(
        command, env=os.environ | UNTRACKED, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout
    *days, project = map(json.loads, output.splitlines())
    took_s = time.perf_counter() - began
    drifted = {day["day"]: sum(name.startswith("Value Drift") for name in day["failed"]) for day in days}
    with _served(python, workspace) as url:
        began = time.perf_counter()
        page.goto(f"{url}/projects/{project['project']}/reports")
        page.locator("tr", has_text=STORM).get_by_text("View").click()
        page.get_by_text("number of rows").wait_for()
        look_s = time.perf_counter() - began
    return {
        "until the reports are made, s": round(took_s, 1),
        "from the list to the numbers of the day, s": round(look_s, 1),
        "reports": len(days),
        "reports with a failed test": sum(bool(day["failed"]) for day in days),
        "columns in drift on the day": drifted[STORM],
        "columns in drift on other days": sorted(count for day, count in drifted.items() if day != STORM),
        "failed tests on the day": next(len(day["failed"]) for day in days if day["day"] == STORM),
        "failed tests on other days": sorted(len(day["failed"]) for day in days if day["day"] != STORM),
    }


def _write(path: Path) -> None:
    """Write the flights of January and of the days after it, in New York's time, as the demo's model sees them."""
    import pandas as pd

    frame = load_flights().frame
    departed = pd.to_datetime(frame.ts_ms, unit="ms", utc=True).dt.tz_convert("America/New_York").dt.tz_localize(None)
    events = frame[[*NUMERIC, *CATEGORY, "late"]].assign(departed=departed)
    events[departed < pd.Timestamp(UNTIL)].to_csv(path, index=False)


@contextmanager
def _served(python: Path, workspace: Path) -> Iterator[str]:
    """Run the UI, on a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ui = [str(python), "-m", "evidently.cli", "ui"]
    process = subprocess.Popen(
        [*ui, "--workspace", str(workspace), "--port", str(port)],
        env=os.environ | UNTRACKED,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_open(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _until_open(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("`evidently ui` has ended")


def _leeway(page: Page) -> dict[str, Any]:
    began = time.perf_counter()
    with demo("--until", UNTIL) as names:
        took_s = time.perf_counter() - began
        began = time.perf_counter()
        page.goto(f"{names['url']}/incidents/{names['blizzard']}")
        page.get_by_role("region", name="What changed").get_by_text("→").first.wait_for()
        look_s = time.perf_counter() - began
    return {"until the alert is there, s": round(took_s, 1), "from its link to the numbers, s": round(look_s, 1)}


if __name__ == "__main__":
    main()
