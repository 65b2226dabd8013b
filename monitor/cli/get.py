"""``leeway get``: a model's configuration."""

from __future__ import annotations

import click

from monitor.cli.output import as_json

__all__ = ["command"]


@click.command("get")
@click.argument("model")
@click.option("--effective", is_flag=True, help="The whole of it, with all defaults, and where each value comes from.")
@click.option("--config", type=click.Path(), help="The service's file, or a folder of files, that is asked.")
@click.option("--json", "json_", is_flag=True, help="One JSON document: the same with file, line and column of each.")
def command(model: str, *, effective: bool, config: str | None, json_: bool) -> None:
    """Print the configuration of MODEL with the layer that each value comes from.

    The answer is a model's file that says everything itself: what it says is in force, and a comment in each line names
    the file and line that says so, or Leeway's own default.
    """
    if not effective or config is None:
        raise click.UsageError("--effective and --config CONFIG go together: name the service's file.")
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
