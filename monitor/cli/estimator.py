"""``leeway estimator``: what says how good predictions are before their labels come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json, when
from monitor.cli.records import record

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.estimators.artefact import Artefact, Kind
    from monitor.estimators.labelled import LabelledEvents
    from monitor.panes.distributions import Part
    from sinks.store.contract import Store

__all__ = ["command"]

_KINDS = ("cbpe", "mpp", "dle")
_STORE = "store"


@dataclass(frozen=True)
class Origin:
    """Where labelled events are read: a file, or some of what a store has."""

    events: str
    since: str | None
    until: str | None
    version: str | None
    folder: Path | None

    @property
    def is_store(self) -> bool:
        """Whether it is a store; options that are for one alone are refused for a file."""
        if self.events == _STORE:
            return True
        if any(each is not None for each in (self.since, self.until, self.version, self.folder)):
            raise click.UsageError("--since, --until, --version and --store go with --from store.")
        return False

    def part(self, store: Store, model: str) -> Part:
        """What of the model's predictions is meant: all that is stored, where nothing says which."""
        from monitor.api.times import parse_time
        from monitor.clock import SystemClock
        from monitor.panes.distributions import Part
        from monitor.slices.fitting import stored_span

        now_ms, span = SystemClock().now_ms(), stored_span(store, model)
        from_ms, to_ms = (
            stored_ms if text is None else parse_time(text, now_ms)
            for stored_ms, text in zip(span, (self.since, self.until), strict=True)
        )
        if self.since is not None and self.until is not None and from_ms >= to_ms:
            raise click.UsageError("--since has to be earlier than --until.")
        return Part(from_ms, max(from_ms, to_ms), self.version)


@click.group("estimator")
def command() -> None:
    """Fit and show estimators: how good predictions are, before their labels come."""


@command.command("fit")
@click.argument("config", type=click.Path())
@click.option("--model", "name", help="The model of CONFIG; may be left out where there is one.")
@click.option("--kind", type=click.Choice(_KINDS), help="What is fitted.  [default: dle for numbers, else mpp]")
@record(
    "origin",
    Origin,
    click.option(
        "--from", "events", required=True, metavar="FILE|store",
        help="Labelled events in the order in which they came: CSV, Parquet or JSON lines; or `store`: those that "
        "Leeway has stored, with the newest label of each.",
    ),
    click.option("--since", metavar="TIME", help="Of the store: predictions from then on.  [default: the first]"),
    click.option("--until", metavar="TIME", help="Of the store: predictions before.  [default: the last, with it]"),
    click.option("--version", help="Of the store: predictions of this version.  [default: all]"),
    click.option(
        "--store", "folder", type=click.Path(path_type=Path),
        help="The directory of an embedded store, such as of a backup.  [default: the store of CONFIG]",
    ),
)  # fmt: skip
@click.option("--to", type=click.Path(path_type=Path), help="The file to write.  [default: MODEL.KIND.json]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def fit_one(config: str, name: str | None, kind: Kind | None, origin: Origin, to: Path | None, *, json_: bool) -> None:
    """Fit an estimator for a model of CONFIG on labelled events, and say how good it is on events it has not seen.

    The file that it writes is named in the model's `performance.estimates`; each event then has an estimate, the signal
    `estimated:NAME`, which is watched like any other.
    """
    from monitor.check import load
    from monitor.estimators.artefact import write_artefact

    configuration = load(config)
    artefact = _fitted(configuration, _chosen(configuration, name), kind, (config, origin))
    path = to or Path(f"{artefact.model}.{artefact.kind}.json")
    write_artefact(path, artefact)
    _show(artefact, path, json_=json_)


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def show(file: Path, *, json_: bool) -> None:
    """Say what the estimator in FILE was fitted on, and how good it is."""
    from monitor.estimators.artefact import read_artefact

    _show(read_artefact(file), file, json_=json_)


def _chosen(configuration: Configuration, name: str | None) -> str:
    models = list(configuration.models)
    if name is None and len(models) != 1:
        raise click.BadParameter(f"name one of {', '.join(models)}", param_hint="'--model'")
    if name is not None and name not in models:
        raise click.BadParameter(f"there is no {name!r}; there are {', '.join(models)}", param_hint="'--model'")
    return name or models[0]


def _fitted(configuration: Configuration, name: str, kind: Kind | None, source: tuple[str, Origin]) -> Artefact:
    from detectors.performance import Ranking, Regression
    from monitor.dataset import read_dataset
    from monitor.errors import InputError
    from monitor.estimators.fitting import fit
    from monitor.estimators.labelled import labelled_events

    spec = configuration.models[name].spec
    plan = spec.performance_plan
    if plan is None:
        raise InputError(f"{name}: nothing says which label its prediction is compared with: add `performance`")
    if isinstance(plan.scheme, Ranking):
        raise InputError(f"{name}: its predictions are rankings, and no estimator is for these")
    chosen: Kind = kind or ("dle" if isinstance(plan.scheme, Regression) else "mpp")
    config, origin = source
    if origin.is_store:
        return fit(chosen, _stored(configuration, name, chosen, config, origin), plan, name)
    dataset = read_dataset(Path(origin.events), spec.schema_.label_paths() | spec.schema_.paths(), spec.conditions)
    return fit(chosen, labelled_events(dataset, spec.schema_, plan), plan, name)


def _stored(configuration: Configuration, name: str, kind: Kind, config: str, origin: Origin) -> LabelledEvents:
    from monitor.cli.store import opened_store
    from monitor.slices.fitting import stored_events
    from monitor.watch import watch_of

    # Neither the baseline nor a former fit, which may not fit any more, has a part in it.
    watch = watch_of(configuration.models[name], None)
    with opened_store(origin.folder, None if origin.folder else config) as (store, _):
        return stored_events(store, watch, origin.part(store, name), kind)


def _show(artefact: Artefact, path: Path, *, json_: bool) -> None:
    if json_:
        as_json(_document(artefact, path))
        return
    from monitor.estimators.artefact import KINDS

    fidelity, fitted = artefact.fidelity, artefact.fitted
    click.echo(f"{path}: {artefact.kind} for {artefact.prediction} of {artefact.model}, a {KINDS[artefact.kind]}")
    click.echo(f"  fitted on      {fitted.events:,} events of {fitted.source}: {_in_words(artefact, fitted.mean)}")
    if fitted.stored is not None:
        stored = fitted.stored
        click.echo(f"  predicted      from {when(stored.from_ms)} to {when(stored.to_ms)}")
        click.echo(f"  labelled       by {when(stored.labelled_ms)}, the newest label of each")
        if not stored.is_all:
            click.echo("  a sample       those with the smallest hashes of their ids; there are more")
    click.echo(f"  looks at       {', '.join(each.signal for each in artefact.inputs) or artefact.prediction}")
    for signal, reason in fitted.left_out.items():
        click.echo(f"  leaves out     {signal}: {reason}")
    chunks = f"{fidelity.chunks} chunks of {fidelity.chunk_events:,} consecutive events that it was not fitted on"
    click.echo(f"  is off by      {_in_words(artefact, fidelity.error, is_error=True)} on average, in {chunks}")
    click.echo(f"  by chance      {_in_words(artefact, fidelity.chance_error, is_error=True)} would be expected")
    click.echo(f"  without it     {_in_words(artefact, fidelity.constant_error, is_error=True)}: always the mean above")
    click.echo("  holds as long as events like those it was fitted on are as hard as they were then; what it has not")
    click.echo("  seen, and a relation between features and truth that has changed, it cannot know")


def _in_words(artefact: Artefact, number: float, *, is_error: bool = False) -> str:
    if artefact.kind == "dle":
        return f"{number:.4g}" if is_error else f"off by {number:.4g} on average"
    return f"{100 * number:.3g} points" if is_error else f"{100 * number:.3g} % right"


def _document(artefact: Artefact, path: Path) -> dict[str, Any]:
    import msgspec

    from monitor.estimators.artefact import ASSUMED

    document = msgspec.to_builtins(artefact)
    for name in ("trees", "calibration", "calibrations", "spread"):
        document.pop(name, None)
    return {"file": str(path), "digest": artefact.digest, **document, **ASSUMED}
