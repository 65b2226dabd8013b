"""``leeway rollout``: a candidate version beside its champion, as a step of a delivery pipeline."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.answers import Target, list_command, target
from monitor.cli.output import as_json, as_rows, printable, when
from monitor.cli.records import record
from monitor.cli.service import RunningService, by, path, service
from monitor.errors import SourceError
from monitor.resources.rollouts import ComparedMetric, Rollouts

__all__ = ["command"]

CODES = {"promote": 0, "hold": 5, "rollback": 6}
LOOK_EVERY_S = 5.0
BETTER = ("higher", "lower", "same")
Document = Mapping[str, Any]


@click.group("rollout")
def command() -> None:
    """Compare a candidate version with its champion, however often you look: may it stay?"""


@dataclass(frozen=True)
class Comparison:
    """What is compared, as the options state it."""

    candidate: str
    champion: str
    metrics: Sequence[str]
    better: Sequence[str]
    max_loss: float | None
    level: float
    until: str
    reason: str
    by: str

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request, less the model."""
        return {
            "candidate": self.candidate,
            "champion": self.champion,
            "metrics": self._metrics(),
            "max_loss": self.max_loss,
            "level": self.level,
            "until": self.until,
            "reason": self.reason,
            "created_by": self.by,
        }

    def _metrics(self) -> list[dict[str, Any]]:
        losses, stated = _by_signal(self.metrics, "--metric"), _by_signal(self.better, "--better")
        if others := stated.keys() - losses.keys():
            raise click.BadParameter(f"no --metric {', '.join(sorted(others))}", param_hint="--better")
        if wrong := set(stated.values()) - set(BETTER):
            expected = ", ".join(BETTER)
            raise click.BadParameter(
                f"expected one of {expected}, got {', '.join(sorted(wrong))}", param_hint="--better"
            )
        return [
            {"signal": signal, "max_loss": _loss(loss), "better": stated.get(signal)} for signal, loss in losses.items()
        ]


@command.command("start")
@click.argument("model")
@record(
    "comparison",
    Comparison,
    click.option("--candidate", required=True, help="The version that may stay or has to go."),
    click.option("--champion", required=True, help="The version that it is compared with."),
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="SIGNAL[=MAX_LOSS]",
        help="A signal, and by how much the candidate may be worse; may be repeated.  [default: missing predictions]",
    ),
    click.option(
        "--better",
        multiple=True,
        metavar="SIGNAL=higher|lower|same",
        help="What is better of a signal; may be repeated.  [default: lower of rates, same of numbers]",
    ),
    click.option(
        "--max-loss", type=click.FloatRange(min=0), help="Of metrics that state none.  [default: 0.01 of rates]"
    ),
    click.option(
        "--level",
        type=click.FloatRange(0.0001, 0.5),
        default=0.05,
        show_default=True,
        help="How often a verdict may be wrong.",
    ),
    click.option("--until", default="14d", show_default=True, help="For how long, in event time."),
    click.option("--reason", default="", help="Why."),
    by,
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def start(model: str, comparison: Comparison, service: RunningService, *, json_: bool) -> None:
    """Compare two versions of MODEL from the next window on; print the rollout's id.

    Both have to be served meanwhile: only spans of time in which both have events say anything.
    """  # fmt: skip
    document = service.send("POST", path("v1", "rollouts"), {"model": model, **comparison.body})
    if json_:
        as_json(document)
    else:
        click.echo(document["id"])


@command.command("status")
@click.argument("rollout")
@click.option("--wait", is_flag=True, help="Wait for the verdict, or the end without one.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="SECONDS", help="With --wait: no longer than this."
)
@target
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def status(rollout: str, *, wait: bool, timeout_s: float | None, target: Target, json_: bool) -> None:
    """Print the verdict on ROLLOUT and the evidence, metric by metric.

    It ends with 0 if the candidate is to be promoted, 5 while it is held, and 6 if it is to be rolled back.
    """
    document = _read(target, rollout)
    if wait and document["state"] in ("waiting", "running"):
        document = _last(_asked_again(target, rollout, math.inf if timeout_s is None else timeout_s), document)
    if json_:
        as_json(document)
    else:
        _show(document)
    click.get_current_context().exit(CODES[document["verdict"]])


@command.command("stop")
@click.argument("rollout")
@click.option("--reason", default="", help="Why.")
@by
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def stop(rollout: str, *, reason: str, by: str, service: RunningService, json_: bool) -> None:
    """Compare the versions of ROLLOUT no more; a verdict stays, and its alert is over."""
    document = service.send("POST", path("v1", "rollouts", rollout, "stop"), {"created_by": by, "reason": reason})
    if json_:
        as_json(document)
    else:
        _show(document)


command.add_command(list_command("list", Rollouts, "List rollouts and their verdicts, the latest first."))


def _read(target: Target, rollout: str) -> Document:
    with target.opened() as leeway:
        return leeway.rollout(rollout)


def _asked_again(target: Target, rollout: str, timeout_s: float) -> Iterator[Document]:
    """Yield how a rollout stands until it has ended or the time is over; a service may be away meanwhile."""
    from monitor.clock import SystemClock

    clock, never = SystemClock(), threading.Event()
    began_s = clock.monotonic_s()
    while (left_s := began_s + timeout_s - clock.monotonic_s()) > 0:
        clock.wait(never, min(LOOK_EVERY_S, left_s))
        try:
            document = _read(target, rollout)
        except SourceError as error:
            if not error.retryable:
                raise
            click.echo(f"{error}; asking again", err=True)
            continue
        yield document
        if document["state"] not in ("waiting", "running"):
            return


def _last(documents: Iterator[Document], document: Document) -> Document:
    for newer in documents:
        document = newer
    return document


def _show(document: Document) -> None:
    since = f", since {when(document['from_ms'])}" if document["from_ms"] else ""
    until = f", compared until {when(document['last_ms'])}" if document["last_ms"] else ""
    headline = (
        f"{document['verdict']}: {document['model']}, {document['candidate']} beside {document['champion']}, "
        f"{document['state']}{since}{until}"
    )
    click.echo(printable(headline))
    as_rows(ComparedMetric, document["compared"])


def _by_signal(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = [_split(text, option) for text in texts]
    if twice := sorted(signal for signal, count in Counter(signal for signal, _ in pairs).items() if count > 1):
        raise click.BadParameter(f"{', '.join(twice)} stands there twice", param_hint=option)
    return dict(pairs)


def _split(text: str, option: str) -> tuple[str, str]:
    signal, _, value = text.partition("=")
    if not signal or (option == "--better" and not value):
        raise click.BadParameter(f"expected SIGNAL=VALUE, got {text!r}", param_hint=option)
    return signal, value


def _loss(text: str) -> float | None:
    try:
        loss = float(text) if text else None
    except ValueError:
        loss = math.nan
    if loss is not None and not math.isfinite(loss):
        raise click.BadParameter(f"expected a number behind '=', got {text!r}", param_hint="--metric")
    return loss
