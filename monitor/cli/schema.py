"""``leeway schema``: JSON Schema of configuration files."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("schema")
@click.argument("kind", type=click.Choice(("model", "defaults", "service")))
def command(kind: str) -> None:
    """Print the JSON Schema of a model's, a service's or a file of defaults, for completion and checks in an editor.

    Editors that know YAML take it from a comment in the file's first line:
    `# yaml-language-server: $schema=model.schema.json`.
    """
    from monitor.config.json_schema import shipped

    click.echo(shipped(kind), nl=False)
