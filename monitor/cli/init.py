"""``leeway init``: from a sample of events to a model's file that watches them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.drafted import as_data, is_watched_by, say_notes, show
from monitor.cli.output import as_json

if TYPE_CHECKING:
    from monitor.config import ConfigError
    from monitor.config.kafka import KafkaCluster
    from monitor.draft import Draft, Origin, Sample

__all__ = ["command"]

SERVICE_FILE, SCHEME = "leeway.yaml", "mlflow:"
ROWS, MOST_ROWS = 10_000, 1_000_000
"""How many rows are looked at by default, and at most."""

MOST_DATASET_BYTES = 256 << 20
"""A baseline's data set is read as a whole at every start."""

MOST_SERVICE_BYTES = 1 << 20
WITHIN_S = 30.0
"""How long brokers are waited for."""

_KIND = re.compile(rb"^kind: *['\"]?Service\b", re.MULTILINE)


@click.command("init")
@click.argument("model")
@click.option(
    "--from",
    "origin",
    required=True,
    metavar="FILE|TOPIC|mlflow:MODEL/VERSION",
    help="A file of events or training data (.csv, .parquet, .jsonl; with .gz), a Kafka topic, or a model in MLflow.",
)
@click.option("--bootstrap", multiple=True, metavar="HOST:PORT", help="Brokers of the topic.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="A service's file: the topic is read as its `kafka` says."
)
@click.option("--output", "-o", metavar="FILE|-", help="Where to write; MODEL.yaml by default, - for stdout.")
@click.option(
    "--rows", type=click.IntRange(2, MOST_ROWS), help=f"How many rows, or newest messages, to look at. [{ROWS}]"
)
@click.option(
    "--events-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    help="The traffic that is expected, if the sample does not show it: windows are cut for it.",
)
@click.option("--force", is_flag=True, help="Overwrite the model's file.")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    model: str,
    origin: str,
    *,
    bootstrap: tuple[str, ...],
    config: Path | None,
    output: str | None,
    rows: int | None,
    events_per_hour: float | None,
    force: bool,
    json_: bool,
) -> None:
    """Write a file that watches MODEL, drafted from a sample of its events.

    What each field is, how windows are cut and what is left out is guessed from names and values: each guess stands in
    the file as a comment, and in a table here with its reason. The file is checked before it is written. Where no
    service's file is beside it, one is written that watches the model.
    """
    from monitor.draft import draft
    from monitor.errors import InputError

    target = None if output == "-" else Path(output or f"{model}.yaml")
    if target is not None and target.exists() and not force:
        raise InputError(f"{target} exists: --force overwrites it, -o FILE writes another one")
    most_rows = rows or ROWS
    cluster = None
    notes: list[str] = []
    if origin.startswith(SCHEME):
        sample, of, notes = _from_mlflow(origin, most_rows, target)
    elif _is_file(origin, may_be_topic=bool(bootstrap or config)):
        sample, of = _from_file(Path(origin), most_rows, target)
    else:
        cluster = _cluster(origin, bootstrap, config)
        sample, of = _from_topic(cluster, origin, most_rows)
    made = draft(model, sample, of, events_per_hour)
    made.notes.extend(notes)
    text, made = _checked(made, target)
    service, is_new = config, False
    if target is not None:
        _write(text, target)
        if service is None:
            service, is_new = _service_of(target, cluster)
    answer = as_data(made, text, sample, target)
    if json_:
        as_json(
            answer
            | {"service": str(service) if service else None, "service_is_new": is_new}
            | ({"text": text} if target is None else {})
        )
    elif target is None:
        click.echo(text, nl=False)
        say_notes(made)
    else:
        show(answer, made, (service, is_new), origin)


def _is_file(origin: str, *, may_be_topic: bool) -> bool:
    from monitor.dataset import DATA_SETS, kind_of
    from monitor.errors import InputError

    is_named_so = kind_of(Path(origin)) in {*DATA_SETS, ".gz"}
    if may_be_topic:
        return is_named_so and Path(origin).is_file()
    if Path(origin).is_dir():
        raise InputError(f"{origin}: is a folder; name one file")
    return Path(origin).exists() or is_named_so or "/" in origin


def _from_mlflow(reference: str, most_rows: int, target: Path | None) -> tuple[Sample, Origin, list[str]]:
    """Read what a registered model was trained on; what has to be fetched stays beside the model's file."""
    from monitor.draft import Origin, of_file
    from monitor.draft.mlflow_model import trained_on

    trained = trained_on(reference, Path() if target is None else target.parent)
    notes = []
    if trained.answers:
        notes.append(f"MLflow says that the model answers with {', '.join(trained.answers)}: events hold that as well")
    if not trained.is_example:
        sample, of = _from_file(trained.path, most_rows, target)
        return sample, of, notes
    sample = of_file(trained.path, most_rows)
    notes.append(f"types and ranges are guessed from {sample.rows} rows, the model's input example: look at each")
    return sample, Origin(reference, no_data_set="an input example is no data set to compare with"), notes


def _from_file(path: Path, most_rows: int, target: Path | None) -> tuple[Sample, Origin]:
    from monitor.dataset import DATA_SETS, kind_of
    from monitor.draft import Origin, of_file

    sample = of_file(path, most_rows)
    if kind_of(path) not in DATA_SETS:
        return sample, Origin(
            str(path), no_data_set=f"{path.suffix} is not read as a data set: bins are those of any number"
        )
    if path.stat().st_size > MOST_DATASET_BYTES:
        reason = (
            f"the file is larger than {MOST_DATASET_BYTES >> 20} MiB, so it is no data set: name a part of it there"
        )
        return sample, Origin(str(path), no_data_set=reason)
    data_set = path.resolve() if target is None else os.path.relpath(path, target.parent)
    return sample, Origin(str(path), data_set=str(data_set))


def _cluster(topic: str, bootstrap: Sequence[str], config: Path | None) -> KafkaCluster:
    from monitor.config import load_service
    from monitor.config.kafka import KafkaCluster
    from monitor.errors import InputError

    if bootstrap and config is not None:
        raise click.UsageError("--bootstrap and --config are two ways to name the cluster: take one")
    if config is not None:
        return load_service(config).spec.kafka
    if not bootstrap:
        raise InputError(
            f"{topic}: no such file; if it is a topic, say --bootstrap HOST:PORT, or --config with a service's file"
        )
    return KafkaCluster(bootstrap=list(bootstrap))


def _from_topic(cluster: KafkaCluster, topic: str, most_rows: int) -> tuple[Sample, Origin]:
    from monitor.build import topic_sample
    from monitor.clock import SystemClock
    from monitor.draft import Origin, of_records
    from monitor.logs import log_to_stderr

    log_to_stderr(as_json=False, quiet=True)
    source, clock = topic_sample(cluster, topic, most_rows), SystemClock()
    until_s = clock.monotonic_s() + WITHIN_S

    def batches() -> Iterator[Any]:
        source.open(lambda topic, partition: None)
        while clock.monotonic_s() < until_s and not 0 < len(source.assigned()) == len(source.at_end()):
            yield from source.poll(1_000, 1.0)

    try:
        return of_records(batches(), f"topic {topic}", most_rows), Origin(f"topic {topic}", topic=topic)
    finally:
        source.close()


def _checked(made: Draft, target: Path | None) -> tuple[str, Draft]:
    """Return the text of a draft that can be loaded; without its data set if that cannot be used."""
    from monitor.config import ConfigError
    from monitor.draft.text import model_text
    from monitor.errors import InputError

    text = model_text(made)
    try:
        _check(text, target)
    except ConfigError as error:
        if not made.origin.data_set or any("baseline" not in mistake.path for mistake in error.mistakes):
            raise InputError(_of_mistakes(error)) from error
        made = made.without_data_set(f"no data set: {error.mistakes[0].message}")
        text = model_text(made)
        _check(text, target)
    return text, made


def _check(text: str, target: Path | None) -> None:
    """Check a text as the file that it will be: its data set is relative to that."""
    from monitor.check import load

    folder = tempfile.gettempdir() if target is None else target.parent
    with _errors_of(folder), tempfile.NamedTemporaryFile("w", dir=folder, suffix=".draft", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        load(file.name, data_sets=True)


@contextmanager
def _errors_of(path: str | Path) -> Iterator[None]:
    from monitor.errors import InputError

    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _of_mistakes(error: ConfigError) -> str:
    return "\n".join(dict.fromkeys(f"{mistake.path}: {mistake.message}" for mistake in error.mistakes))


def _write(text: str, path: Path) -> None:
    with _errors_of(path):
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)


def _service_of(target: Path, cluster: KafkaCluster | None) -> tuple[Path, bool]:
    """Return the service's file beside the model's, or one above that watches it, or a new one; and if it is new."""
    from monitor.draft.text import service_text

    beside, above = (list(_services_in(folder)) for folder in (target.parent, target.resolve().parent.parent))
    existing = [*beside, *(path for path in above if is_watched_by(path, target))]
    if existing:
        return existing[0], False
    service = target.parent / SERVICE_FILE
    if service.exists():
        return service, False
    _write(service_text(target.name, cluster.bootstrap if cluster else ()), service)
    return service, True


def _services_in(folder: Path) -> Iterator[Path]:
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        if path.is_file() and path.stat().st_size <= MOST_SERVICE_BYTES and _KIND.search(path.read_bytes()):
            yield path
