"""How fast the pages are in a real browser: of a thousand models, and of one with 200 signals over 30 days.

Fills the store of ``bench.history`` (20 models of 200 signals, 15-minute windows), adds 980 models of one series each
by the hour, starts `leeway run` on it, and looks at pages with the Chromium of the distribution once the service has
taken all models up. A first look is that of a browser that has kept nothing, until what people come for is drawn: the
first rows of all models, the heat map of one. What it takes beyond the API's own time is all but the questions whose
answers it shows, from beginning to end, as the browser saw them; how long they take with nothing beside them stands
below.

Run ``python -m bench.pages``; ``--rows`` makes the store smaller, ``--at FOLDER`` keeps it for the next run. It prints
the table of docs/web.md, median and 95th percentile; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench.history import DAY_MS, MODEL, MODELS, ROLL_UPS, SIGNALS, WINDOW_MS, fill, idle_cores, model_name, service
from bench.rows import START_MS, alerts, scores
from sinks.store import open_store
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import merge
from tests.web.browser.looking import chromium

SMALL_MODELS, BLOCK = 980, 140
HOUR_MS = DAY_MS // 24
FIRING_EVERY = 20
PATIENCE_MS = 60_000
SETTLE_S, IDLE_CORES = 1_800, 0.2
FIRST_FLEET = "first look at all models, in a browser that has kept nothing, until rows are drawn"
FIRST_MODEL = "first look at a model, in a browser that has kept nothing, until its heat map is drawn"
CHANGE = "change of the span"
ALL_MODELS = "all models, from the API alone"
OF_MODEL = "the two questions that the look at a model waits for, from the API alone"
HEAT_MAP = f"the heat map of {SIGNALS} signals and 30 days, from the API alone"
HEAT_MAP_IS_DRAWN = "() => document.querySelector('.heat canvas')?.height > 100"
ROWS_ARE_DRAWN = "() => document.querySelector('.fleet li') !== null"
LOADED = """(questions) => {
    const own = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const took = (path) => own.find((each) => each.name.includes(path)).duration;
    return {bytes: own.reduce((sum, each) => sum + each.transferSize, 0),
        api_ms: questions.reduce((sum, path) => sum + took(path), 0)}; }"""
CHANGED = """async (name) => {
    performance.clearResourceTimings();
    const start = performance.now();
    [...document.querySelectorAll('.choices a')].find((each) => each.textContent === name).click();
    for (;;) { await new Promise(requestAnimationFrame);
        const asked = performance.getEntriesByType('resource').find((each) => each.name.includes('/v1/heatmap'));
        if (asked && !document.querySelector('.heat').closest('.stale'))
            return {whole_ms: performance.now() - start, api_ms: asked.duration}; } }"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=30 * DAY_MS // WINDOW_MS * MODELS * SIGNALS, help="scores in the store"
    )
    parser.add_argument("--looks", type=int, default=40, help="how often each is measured")
    parser.add_argument("--at", type=Path, help="a folder that keeps the store for the next run, or has one of before")
    options = parser.parse_args(arguments)
    windows = max(1, options.rows // (MODELS * SIGNALS))
    with tempfile.TemporaryDirectory() as temporary:
        path = options.at or Path(temporary)
        if not (path / "filled").exists():
            print(f"{windows * MODELS * SIGNALS:,} scores, filled in {fill(path, windows):.0f} s", flush=True)
        if not (path / "with-small-models").exists():
            fill_small(path, SMALL_MODELS, windows)
            (path / "with-small-models").touch()
        for file in (path / "models").glob("*.yaml"):  # the scores are of distances, which this rule goes by
            file.write_text(file.read_text().replace("{defaults: {w", "{rule: variation, defaults: {w"))
        with service(path) as (url, pid):
            settle(pid)
            end_ms = START_MS + windows * WINDOW_MS
            alone = {
                ALL_MODELS: fleets(url, options.looks),
                OF_MODEL: heat_maps(url, end_ms, 7, options.looks, with_summary=True),
                HEAT_MAP: heat_maps(url, end_ms, 30, options.looks),
            }
            with chromium() as browser:
                looks = {
                    FIRST_FLEET: list(_first_looks(browser, url, options.looks, of_model=False)),
                    FIRST_MODEL: list(_first_looks(browser, url, options.looks, of_model=True)),
                    CHANGE: list(_changes(browser, url, options.looks)),
                }
    models, series = MODELS + SMALL_MODELS, MODELS * SIGNALS + SMALL_MODELS
    print(f"{models:,} models, {series:,} series, {options.looks} looks; median and 95th percentile")
    print("| what | ms | beyond the API's own time | KB |\n|---|---|---|---|")
    for name, measured in looks.items():
        beyond_ms = [look["whole_ms"] - look["api_ms"] for look in measured]
        kilobytes = [look["bytes"] / 1e3 for look in measured if "bytes" in look]
        print(
            f"| {name} | {_both([look['whole_ms'] for look in measured])} | {_both(beyond_ms)} | {_both(kilobytes)} |"
        )
    for name, times_ms in alone.items():
        print(f"| {name} | {_both(times_ms)} | | |")
    print(json.dumps({"looks": looks, "api_ms": alone}))


def _both(values: Sequence[float]) -> str:
    return "{:,.0f}, {:,.0f}".format(*np.percentile(values, [50, 95])) if values else ""


def fill_small(path: Path, models: int, windows: int) -> None:
    """Add models of one series each, by the hour, with an alert in the month; one of twenty still fires."""
    span_ms = windows * WINDOW_MS
    hours = span_ms // HOUR_MS
    names = [f"small-{number:03d}" for number in range(models)]
    for number, name in enumerate(names):
        text = MODEL.format(model=name, team=number % 4, features="f000: {type: numeric, range: [0, 1]}")
        (path / "models" / f"{name}.yaml").write_text(text.replace("window: 15m", "window: 1h"))
    store = open_store("chdb", path=str(path / "store"))
    for first in range(0, models, BLOCK):
        block = range(first, min(first + BLOCK, models))
        store.append(
            "scores", joined([scores(names[n], 1, HOUR_MS, 0, hours, seed=n) for n in block]), f"small/{first}"
        )
        store.append("alerts", joined([_alert(names[n], span_ms, n) for n in block]), f"small/alerts/{first}")
    assert isinstance(store, SqlStore)
    store.refresh(0)
    for table in ROLL_UPS:
        merge(store, table)
    store.close()


def _alert(model: str, span_ms: int, number: int) -> dict[str, Any]:
    rows = alerts(model, span_ms, 1, seed=number)
    kept = 2 if number % FIRING_EVERY == 0 else 3  # all but the end of it
    return {name: values[:kept] for name, values in rows.items()}


def joined(blocks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of several blocks as one."""
    return {name: [value for block in blocks for value in block[name]] for name in blocks[0]}


def heat_maps(url: str, end_ms: int, days: int, looks: int, *, with_summary: bool = False) -> list[float]:
    """Return how long heat maps of other models take, in ms, and perhaps their summaries before."""
    span = {"from": end_ms - days * DAY_MS, "to": end_ms + 1}
    times_ms = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(looks):
            model = model_name(number % MODELS)
            start = time.perf_counter()
            if with_summary:
                client.get("/v1/series/summary", params={"model": model}).raise_for_status()
            answer = client.get("/v1/heatmap", params={"model": model, "segment": "", **span})
            times_ms.append((time.perf_counter() - start) * 1e3)
            assert len(answer.raise_for_status().json()["items"]) == SIGNALS
    return times_ms


def settle(pid: int) -> None:
    """Wait until the service has no work of its own any more.

    Raises
    ------
    TimeoutError
    """
    end_s = time.monotonic() + SETTLE_S
    while idle_cores(pid) > IDLE_CORES:
        if time.monotonic() > end_s:
            raise TimeoutError(f"the service is still busy after {SETTLE_S} s")


def fleets(url: str, looks: int) -> list[float]:
    """Return how long the rows of all models take, in ms."""
    times_ms = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for _ in range(looks):
            start = time.perf_counter()
            answer = client.get("/v1/fleet")
            times_ms.append((time.perf_counter() - start) * 1e3)
            assert len(answer.raise_for_status().json()["items"]) == MODELS + SMALL_MODELS
    return times_ms


def _first_looks(browser: Any, url: str, looks: int, *, of_model: bool) -> Iterator[dict[str, float]]:
    drawn = HEAT_MAP_IS_DRAWN if of_model else ROWS_ARE_DRAWN
    questions = ["/v1/series/summary", "/v1/heatmap"] if of_model else ["/v1/fleet"]
    for number in range(looks):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{url}/models/{model_name(number % MODELS)}" if of_model else url, wait_until="commit")
        whole_ms = page.wait_for_function(f"() => ({drawn})() && performance.now()", timeout=PATIENCE_MS).json_value()
        yield {"whole_ms": whole_ms, **page.evaluate(LOADED, questions)}
        context.close()


def _changes(browser: Any, url: str, looks: int) -> Iterator[dict[str, float]]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/models/{model_name(0)}")
    page.wait_for_function(HEAT_MAP_IS_DRAWN, timeout=PATIENCE_MS)
    for span in islice(cycle(("30 days", "Day", "Week")), looks):
        yield page.evaluate(CHANGED, span)
        page.wait_for_timeout(200)


if __name__ == "__main__":
    main()
