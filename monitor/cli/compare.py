"""``leeway compare``: two stretches, versions or segments of a model, signal by signal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from monitor.cli.answers import Row, Wanted, asks
from monitor.cli.output import as_table, number

__all__ = ["command"]


@click.command("compare")
@click.option("--model", required=True)
@click.option("--signal", "signals", multiple=True, help="Only this one; may be repeated.")
@click.option("--version", help="All versions together if absent.")
@click.option("--segment", default="", help="Such as country=DE; all traffic if absent.")
@click.option("--against-from", metavar="TIME", help="The other side's start; --from if absent.")
@click.option("--against-to", metavar="TIME", help="The other side's end; --to if absent.")
@click.option("--against-version", help="--version if absent.")
@click.option("--against-segment", help="--segment if absent.")
@click.option("--cells", is_flag=True, help="The aligned histograms too; not in a table.")
@asks
def command(
    *,
    model: str,
    signals: tuple[str, ...],
    version: str | None,
    segment: str,
    against_from: str | None,
    against_to: str | None,
    against_version: str | None,
    against_segment: str | None,
    cells: bool,
    **given: Any,
) -> None:
    """Compare two stretches, versions or segments of a model: the signals that differ most come first."""
    wanted = Wanted.of(**given)
    if wanted.from_ is None or wanted.to is None:
        raise click.UsageError("Give --from and --to: the stretch that is compared with another.")
    with wanted.opened() as leeway:
        answer = leeway.compare(
            model,
            from_=wanted.from_,
            to=wanted.to,
            against_from=against_from,
            against_to=against_to,
            version=version,
            against_version=against_version,
            segment=segment,
            against_segment=against_segment,
            signals=signals or None,
            cells=cells,
            limit=wanted.limit or 1_000,
        )
        if wanted.form == "table":
            _show_document(answer.document())
        else:
            wanted.show(answer, _show)


def _show_document(document: dict[str, Any]) -> None:
    _show(document["items"])
    if document["not_comparable"]:
        names = ", ".join(document["not_comparable"])
        click.echo(f"Not compared, since a side was counted in other bins than today's: {names}", err=True)


def _show(rows: Iterable[Row]) -> None:
    as_table(
        ("signal", "strength", "detector", "effect", "p-value", "n", "baseline n", "missing", "baseline missing"),
        (
            (
                row["signal"],
                number(row["strength"]),
                row["detector"] or "",
                number(row["effect"]),
                number(row["p_value"]),
                row["n"],
                row["baseline_n"],
                *(number(row[name]) for name in ("missing_rate", "baseline_missing_rate")),
            )
            for row in rows
        ),
    )
