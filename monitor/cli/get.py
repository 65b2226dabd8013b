"""``leeway get``: a model's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json
from monitor.cli.service import RunningService, service

if TYPE_CHECKING:
    from monitor.config.effective import Setting

__all__ = ["command"]


@click.command("get")
@click.argument("model")
@click.option("--version", type=click.IntRange(min=1), help="An earlier version.  [default: the last one]")
@click.option(
    "--output", "-o", "form", type=click.Choice(("yaml", "json")), default="yaml", show_default=True,
    help="The document as it was written, or with who accepted it when.",
)  # fmt: skip
@service
@click.option("--effective", is_flag=True, help="The whole of it, with all defaults, and where each value comes from.")
@click.option("--config", type=click.Path(), help="With --effective: the service's file, or a folder of files.")
@click.option("--json", "json_", is_flag=True, help="One JSON document: -o json; with --effective the place of each.")
def command(
    model: str,
    service: RunningService,
    *,
    version: int | None,
    form: str,
    effective: bool,
    config: str | None,
    json_: bool,
) -> None:
    """Print the configuration of MODEL that is in force in a running service, to be changed and applied.

    With --effective it is a document that says everything itself, and a comment in each line names what says so: the
    line of the document, or Leeway's own default; of a model of a file, the file and line of each layer.
    """
    if config is not None and not effective:
        raise click.UsageError("--config CONFIG is for --effective.")
    if config is not None:
        _show_effective(model, config, json_=json_ or form == "json")
        return
    with service.client() as leeway:
        stored = leeway.configurations.get(model, version)
        answered = leeway.configurations.effective(model) if effective and stored["owner"] == "file" else None
    if answered is not None and version is None:
        _show_answered(answered, json_=json_ or form == "json")
    elif effective:
        _show_posted(stored, json_=json_ or form == "json")
    elif json_ or form == "json":
        as_json(stored)
    else:
        click.echo(stored["document"], nl=not stored["document"].endswith("\n"))


def _show_answered(answered: Mapping[str, Any], *, json_: bool) -> None:
    """Show what a service says of a model of a file: it has read the files, this command has not."""
    from monitor.config.effective import Setting

    _show(
        answered["model"], [Setting(**item | {"path": tuple(item["path"])}) for item in answered["items"]], json_=json_
    )


def _show_posted(stored: Mapping[str, Any], *, json_: bool) -> None:
    """Show the document of a model of the API: no defaults of files are below it."""
    from monitor.config import effective
    from monitor.config.document import read_posted
    from monitor.config.model import Model
    from monitor.errors import InputError

    if stored["owner"] != "api":
        raise InputError(
            f"{stored['file'] or 'nobody'} owns {stored['model']}: name the service's file, --config CONFIG"
        )
    document = read_posted(Path(f"version {stored['version']}"), stored["document"])
    _show(stored["model"], effective.settings(Model.model_validate(document.value), document), json_=json_)


def _show(model: str, settings: list[Setting], *, json_: bool) -> None:
    from monitor.config.effective import as_yaml

    if json_:
        as_json({"model": model, "settings": [setting.document() for setting in settings]})
    else:
        click.echo(as_yaml(settings), nl=False)


def _show_effective(model: str, config: str, *, json_: bool) -> None:
    from monitor import check
    from monitor.config import effective as layers
    from monitor.errors import InputError

    configuration = check.load(config)
    if model not in configuration.models:
        raise InputError(f"no model is called {model!r}; there are {', '.join(sorted(configuration.models))}")
    _show(model, layers.effective(configuration, model), json_=json_)
