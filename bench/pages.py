"""How fast the pages are in a real browser: the page of a model of 200 signals, over 30 days, from millions of scores.

Fills the store of ``bench.history`` (20 models of 200 signals, 15-minute windows), starts `leeway run` on it, and looks
at pages of models with the Chromium of the distribution. It prints how long it takes until the heat map is drawn, in a
browser that has kept nothing, and beyond the API's own time (of the two questions that it waits for); the bytes that
come until then; and the same of each change of the span.

Run ``python -m bench.pages``; ``--rows`` makes the store smaller, ``--at FOLDER`` keeps it for the next run. The last
line is JSON.
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

from bench.history import DAY_MS, MODELS, SIGNALS, WINDOW_MS, fill, model_name, service
from bench.rows import START_MS
from tests.web.browser.looking import chromium

PATIENCE_MS = 60_000
USEFUL = "() => document.querySelector('.heat canvas')?.height > 100"
LOADED = """() => {
    const own = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const took = (path) => own.find((each) => each.name.includes(path)).duration;
    return {bytes: own.reduce((sum, each) => sum + each.transferSize, 0),
        api_ms: took('/v1/series/summary') + took('/v1/heatmap')}; }"""
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
        for file in (path / "models").glob("*.yaml"):  # the scores are of distances, which this rule goes by
            file.write_text(file.read_text().replace("{defaults: {w", "{rule: variation, defaults: {w"))
        with service(path) as (url, _):
            heat = f"heat map of {SIGNALS} signals, {windows * WINDOW_MS / DAY_MS:.0f} days, the API, ms"
            figures = {heat: heat_maps(url, windows, options.looks), **looked(url, options.looks)}
    for name, values in figures.items():
        print(f"{name:60} p50 {np.percentile(values, 50):10,.0f}  p95 {np.percentile(values, 95):10,.0f}")
    print(json.dumps({name: np.percentile(values, [50, 95]).round(1).tolist() for name, values in figures.items()}))


def heat_maps(url: str, windows: int, looks: int) -> list[float]:
    """Return how long heat maps of other models take, in ms."""
    end_ms = START_MS + windows * WINDOW_MS
    times_ms = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(looks):
            span = {"from": end_ms - 30 * DAY_MS, "to": end_ms + 1}
            start = time.perf_counter()
            answer = client.get("/v1/heatmap", params={"model": model_name(number % MODELS), "segment": "", **span})
            times_ms.append((time.perf_counter() - start) * 1e3)
            assert len(answer.raise_for_status().json()["items"]) == SIGNALS
    return times_ms


def looked(url: str, looks: int) -> dict[str, list[float]]:
    """Return what a browser measures: milliseconds, and bytes."""
    with chromium() as browser:
        pages = list(_first_looks(browser, url, looks))
        changes = list(_changes(browser, url, looks))
    return {
        "page of a model until it is of use, ms": [each["useful_ms"] for each in pages],
        "  beyond the API's own time, ms": [each["useful_ms"] - each["api_ms"] for each in pages],
        "  bytes received": [each["bytes"] for each in pages],
        "change of the span, ms": [each["whole_ms"] for each in changes],
        "  beyond the API's own time of a change, ms": [each["whole_ms"] - each["api_ms"] for each in changes],
    }


def _first_looks(browser: Any, url: str, looks: int) -> Iterator[dict[str, float]]:
    for number in range(looks):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{url}/models/{model_name(number % MODELS)}", wait_until="commit")
        useful_ms = page.wait_for_function(f"() => ({USEFUL})() && performance.now()", timeout=PATIENCE_MS).json_value()
        yield {"useful_ms": useful_ms, **page.evaluate(LOADED)}
        context.close()


def _changes(browser: Any, url: str, looks: int) -> Iterator[dict[str, float]]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/models/{model_name(0)}")
    page.wait_for_function(USEFUL, timeout=PATIENCE_MS)
    for span in islice(cycle(("30 days", "Day", "Week")), looks):
        yield page.evaluate(CHANGED, span)
        page.wait_for_timeout(200)


if __name__ == "__main__":
    main()
