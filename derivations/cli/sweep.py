"""derivations sweep: many runs over the cores or over a cluster, one table and one plot of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derivations.checker.errors import BadInput
from derivations.cli import screen
from derivations.cli.columns import Columns
from derivations.cli.train import needs_torch

if TYPE_CHECKING:
    from derivations.sweeps.sweep import Sweep
    from derivations.sweeps.table import Cell


@click.command("sweep")
@click.option("--env", required=True, metavar="NAME", help="The world, such as toy_envs/Sorting-v0.")
@click.option("--algorithm", "algorithms", required=True, multiple=True, metavar="NAME", help="May be repeated.")
@click.option(
    "--seeds", default=10, show_default=True, type=click.IntRange(min=1), metavar="N", help="The seeds 0 to N − 1."
)
@click.option("--updates", type=int, metavar="N", help="How many batches each run draws and learns from.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="SETTING=VALUE,…",
    help="A setting and its values, such as clip_range=0.1,0.2; may be repeated: every combination is run.",
)
@click.option("--out", required=True, metavar="DIR", help="A new folder, or that of this sweep, stopped.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many processes; else one a core.")
@click.option("--scheduler", metavar="ADDRESS", help="Of a dask scheduler, whose workers do the runs.")
@click.option("--plot/--no-plot", default=True, show_default=True, help="Whether to draw plot.png.")
@click.pass_context
def command(
    ctx: click.Context,
    env: str,
    algorithms: tuple[str, ...],
    seeds: int,
    updates: int | None,
    given: tuple[str, ...],
    out: str,
    jobs: int | None,
    scheduler: str | None,
    plot: bool,
) -> None:
    """Run every algorithm with every seed and every combination of settings; show the ends with 95 % t-intervals.

    DIR gets sweep.json (which runs), runs/ (a whole file for each run that came to an end), table.csv and plot.png. The
    same command carries on where it was stopped. A run that diverges is a result, and counted beside the others.
    """
    with needs_torch("sweep"):
        from derivations.sweeps.grid import grid
        from derivations.sweeps.spreading import WorkerLost
        from derivations.sweeps.sweep import Sweep
        from derivations.sweeps.table import as_csv, cells
        from toy_envs.errors import BadInput as BadWorldInput
    try:
        given = given if updates is None else (f"updates={updates}", *given)
        runs = grid(env, algorithms, range(seeds), chosen(given))
        sweep = Sweep(runs, Path(out).expanduser(), lambda message: click.echo(message, err=True))
        with needs_torch("sweep"):
            carry_on(sweep, jobs, scheduler)
            found = cells(sweep.runs, sweep.results)
            table_file = as_csv(found)
        sweep.folder.write("table.csv", table_file.encode())
    except BadWorldInput as error:
        raise BadInput(str(error)) from error
    except WorkerLost as error:
        click.echo(f"Error: {error}. What is finished is kept: the same command carries on.", err=True)
        ctx.exit(screen.NOT_AS_STATED)
    console = screen.console()
    console.print(table(found))
    for cell in found:
        for status in dict.fromkeys(cell.diverged):
            console.print(f"{cell.name}: {cell.diverged.count(status)} {status}", soft_wrap=True)
    files = ["sweep.json", "runs", "table.csv", *(["plot.png"] if plot and drawn(sweep, found) else [])]
    click.echo(f"{', '.join(files[:-1])} and {files[-1]} are in {sweep.folder.path}")


def chosen(given: Sequence[str]) -> dict[str, list[str]]:
    """SETTING=VALUE,VALUE as the values of each setting. Raises BadInput where one is not of that form, or stands twice."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        texts = [value.strip() for value in values.split(",")]
        if not equals or not name or not all(texts):
            raise BadInput(f"--set {text}: expected SETTING=VALUE, or SETTING=VALUE,VALUE")
        if name in found:
            raise BadInput(
                f"--set {text}: {name} stands twice; expected all of its values at once, separated by commas"
            )
        found[name] = texts
    return found


def carry_on(sweep: Sweep, jobs: int | None, scheduler: str | None) -> None:
    """Does what is still to be done, with a bar."""
    with (
        progress("runs", len(sweep.runs), len(sweep.results)) as done,
        closing(sweep.carry_on(jobs=jobs, scheduler=scheduler)) as results,
    ):
        for _ in results:
            done(len(sweep.results))


@contextmanager
def progress(what: str, total: int, begun: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that is told how many are done; none where that is no terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = screen.console(stderr=True)
    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=begun)
        yield lambda count: bar.update(task, completed=count)


def table(found: Sequence[Cell]) -> Columns:
    """A line for each cell: how many of its runs finished, and the means of the metrics at their ends."""
    from derivations.sweeps.table import in_words, shown_metrics

    labels = list(dict.fromkeys(name for cell in found for name in cell.labels))
    metrics = shown_metrics(found)
    result = Columns([*labels, "finished", *metrics], folded=0)
    for cell in found:
        ended = f"{len(cell.curves)} of {len(cell.curves) + len(cell.diverged)}"
        ends = (in_words(cell.end(name)) if name in cell.metrics else "" for name in metrics)
        result.add(*(str(cell.labels.get(name, "")) for name in labels), ended, *ends)
    return result


def drawn(sweep: Sweep, found: Sequence[Cell]) -> bool:
    """Draws the plot; where that cannot be done, says why."""
    from derivations.sweeps.plot import as_png, draw_sweep
    from derivations.sweeps.table import shown_metrics
    from toy_envs.errors import BadInput as BadWorldInput

    metrics = shown_metrics(found)
    if not metrics:
        click.echo("No plot: no run finished.", err=True)
        return False
    try:
        sweep.folder.write("plot.png", as_png(draw_sweep(found, metrics[0])))
    except ModuleNotFoundError as error:
        click.echo(
            f"No plot: it needs the package {error.name}; install it with: pip install -e '.[notebooks]'", err=True
        )
        return False
    except BadWorldInput as error:
        click.echo(f"No plot: {error}.", err=True)
        return False
    return True


__all__ = ["command"]
