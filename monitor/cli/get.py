"""``leeway get``: a model's configuration."""

from __future__ import annotations

import click

from monitor.cli.configurations import configuration_path
from monitor.cli.output import as_json
from monitor.cli.service import RunningService, asking, service

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

    With --effective it is that of files, with the layer that each value comes from: a model's file that says everything
    itself, and a comment in each line names the file and line that says so, or Leeway's own default.
    """
    if effective != (config is not None):
        raise click.UsageError("--effective and --config CONFIG go together: name the service's file.")
    if config is not None:
        _show_effective(model, config, json_=json_ or form == "json")
        return
    stored = service.send("GET", asking(configuration_path(model), version=version))
    if json_ or form == "json":
        as_json(stored)
    else:
        click.echo(stored["document"], nl=not stored["document"].endswith("\n"))


def _show_effective(model: str, config: str, *, json_: bool) -> None:
    from monitor import check
    from monitor.config import effective as layers
    from monitor.errors import InputError

    configuration = check.load(config)
    if model not in configuration.models:
        raise InputError(f"no model is called {model!r}; there are {', '.join(sorted(configuration.models))}")
    settings = layers.effective(configuration, model)
    if json_:
        as_json({"model": model, "settings": [setting.document() for setting in settings]})
    else:
        click.echo(layers.as_yaml(settings), nl=False)
