"""derivations measure: runs the experiment of a measured claim again, and keeps what it shows."""

from __future__ import annotations

from pathlib import Path

import click

from derivations.checker.errors import BadInput
from derivations.cli import records, screen
from derivations.cli.sweep import progress
from derivations.cli.train import needs_torch


@click.command("measure")
@click.argument("identifier", metavar="ID")
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(min=1), metavar="N", help="How many.")
@click.option("--out", metavar="PATH", help="Where to keep the result; else in the package, for verify to show.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many processes; else one a core.")
@click.option("--scheduler", metavar="ADDRESS", help="Of a dask scheduler, whose workers do the runs.")
@click.pass_context
def command(
    ctx: click.Context, identifier: str, seeds: int, out: str | None, jobs: int | None, scheduler: str | None
) -> None:
    """Run the experiment of one measured claim, such as KL.13, and decide it by 95 % t-intervals over the seeds.

    Ten seeds are the fewest that decide: of fewer the numbers are shown, and nothing is kept in the package. Exits with 1
    where ten or more do not show what the claim says.
    """
    path = None if out is None else records.destination(out, "--out")
    with needs_torch("measure"):
        from derivations.measured.experiment import known
        from derivations.measured.kept import LEAST_SEEDS, place_of
        from derivations.measured.measuring import measure
        from derivations.sweeps.spreading import WorkerLost
        from toy_envs.errors import BadInput as BadWorldInput
    try:
        with needs_torch("measure"), progress("seeds", seeds) as done:
            found = measure(known(identifier), seeds, jobs=jobs, scheduler=scheduler, watch=done)
    except BadWorldInput as error:
        raise BadInput(str(error)) from error
    except WorkerLost as error:
        click.echo(f"Error: {error}. Nothing is kept.", err=True)
        ctx.exit(screen.NOT_AS_STATED)
    enough = seeds >= LEAST_SEEDS
    path = place_of(found.id) if path is None and enough else path
    if path is not None:
        found.write(path)
    click.echo(found.text)
    verdict = "shown" if found.shown else "not shown" if enough else f"undecided: expected at least {LEAST_SEEDS} seeds"
    click.echo(f"{found.id}: {verdict}")
    if path is not None:
        click.echo(f"kept in {_short(path)}")
    ctx.exit(0 if found.shown or not enough else screen.NOT_AS_STATED)


def _short(path: Path) -> str:
    """Below the working folder, where it is there."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
