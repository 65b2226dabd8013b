"""What a routing pass costs: 10,000 alerts that fire, 1,000 routes, 1,000 silences, a rule of inhibition.

``python -m bench.routing`` routes every alert and looks at every group once, as when all groups are due at the same
moment. The first pass has to work out which silences apply to each alert; later ones remember it. CPU time of the best
and the median round, with Python's garbage collected as the service has it; memory by a run of its own.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from collections.abc import Sequence
from statistics import median
from typing import Any

from monitor.delivery.target import Target
from monitor.memory import collect_rarely
from monitor.routing.dispatch import Dispatcher
from monitor.routing.inhibition import Rule
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.recipients import Recipients
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route, RouteOptions
from monitor.routing.silences import Silence

ALERTS, ROUTES, SILENCES = 10_000, 1_000, 1_000
RECEIVERS, MODELS, EXPRESSIONS = 50, 2_000, 10
"""Each tenth route and silence has nothing but an expression."""

FOR_EVER_MS = 1 << 50
GROUPED = frozenset({"model"})


def tree() -> Route:
    """A root with a route for each of many teams, and some by the names of models."""
    routes = []
    for number in range(ROUTES):
        by_name = number % EXPRESSIONS == 0
        text = f'model=~"m{number}.*"' if by_name else f'team="t{number}",severity=~"warning|critical"'
        options = RouteOptions(f"r{number % RECEIVERS}", GROUPED)
        routes.append(Route(options, parse_matchers(text), goes_on=number % 3 == 0))
    return Route(RouteOptions("r0", GROUPED), routes=routes)


def silences() -> list[Silence]:
    """Silences of which few apply."""
    texts = (
        f'cause=~"x{number}.*"' if number % EXPRESSIONS == 0 else f'model="m{number}",cause="c1"'
        for number in range(SILENCES)
    )
    return [Silence(f"s{n}", parse_matchers(text), 0, FOR_EVER_MS) for n, text in enumerate(texts)]


def alerts(count: int) -> list[RoutedAlert]:
    """Alerts of many models and teams."""
    severities = ("info", "warning", "critical")
    return [
        RoutedAlert(
            {
                "alertname": "LeewayDrift",
                "alert_id": f"{number:016x}",
                "model": f"m{number % MODELS}",
                "team": f"t{number % ROUTES}",
                "namespace": f"n{number % 20}",
                "severity": severities[number % 3],
                "cause": f"c{number % 7}",
                "version": "v1",
            },
            starts_ms=0,
            annotations={
                "summary": f"m{number % MODELS}: c{number % 7} moved",
                "description": f"c{number % 7} moved by {number % 90 + 10} % against the {number} events of last week",
            },
        )
        for number in range(count)
    ]


def dispatcher(root: Route) -> Dispatcher:
    """A router that has heard of nothing yet."""
    targets = {f"r{number}": [Target(f"r{number}")] for number in range(RECEIVERS)}
    rules = [Rule(parse_matchers("cause=volume"), parse_matchers("cause!=volume"), ["model"])]
    made = Dispatcher(Plan(root, {}, rules), Recipients(targets, {}), 0)
    for silence in silences():
        made.silences.put(silence)
    return made


def passed(root: Route, router: Dispatcher, firing: list[RoutedAlert], at_ms: int) -> float:
    """Route every alert and look at every group; return CPU seconds. Everybody is notified, for the next pass."""
    begun_s = time.process_time()
    for alert in firing:
        root.matching(alert.matched)
    flushes = router.due(at_ms)
    took_s = time.process_time() - begun_s
    for flush in flushes:
        for target in list(flush.targets):
            router.settle(flush, target, at_ms, delivered=True)
    return took_s


def measured(count: int, rounds: int) -> dict[str, Any]:
    """Times in ms, and memory in MB."""
    firing = alerts(count)
    for alert in firing:
        assert alert.fingerprint
    root = tree()
    router = dispatcher(root)
    begun_s = time.process_time()
    for alert in firing:
        router.put([alert], 0)
    put_s = time.process_time() - begun_s
    first_s = passed(root, router, firing, FOR_EVER_MS >> 20)
    step_ms = 600_000
    later = [passed(root, router, firing, (FOR_EVER_MS >> 20) + step_ms * (n + 1)) for n in range(rounds)]
    return {
        "groups": len(router.groups),
        "take up ms": 1000 * put_s,
        "first pass ms": 1000 * first_s,
        "pass ms": 1000 * min(later),
        "median ms": 1000 * median(later),
        "memory MB": memory(count) / 1e6,
    }


def memory(count: int) -> float:
    """What the router holds with all alerts routed and looked at, the alerts included."""
    tracemalloc.start()
    router = dispatcher(tree())
    for alert in alerts(count):
        router.put([alert], 0)
    router.due(FOR_EVER_MS >> 20)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.routing", description=__doc__)
    parser.add_argument("--alerts", type=int, default=ALERTS)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    collect_rarely()
    found = measured(options.alerts, options.rounds)
    print(f"{options.alerts:,} alerts, {ROUTES:,} routes, {SILENCES:,} silences, {found['groups']:,} groups")
    print(f"taking all up    {found['take up ms']:7.1f} ms")
    print(f"the first pass   {found['first pass ms']:7.1f} ms")
    print(f"a pass           {found['pass ms']:7.1f} ms (median {found['median ms']:.1f})")
    print(f"memory           {found['memory MB']:7.1f} MB")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
