"""derivations bench: speeds, each as a ratio measured in one run."""

from __future__ import annotations

import click

from derivations.cli import screen
from derivations.cli.train import needs_torch


@click.command("bench")
@click.option(
    "--pairs", default=5, show_default=True, type=click.IntRange(min=1), help="How often each ratio is timed."
)
@click.pass_context
def command(ctx: click.Context, pairs: int) -> None:
    """Measure the speeds that are claimed: each the ratio of two ways to one result, timed in turn.

    Exits with 1 if a ratio is below what is claimed.
    """
    with needs_torch("bench"):
        from derivations.algorithms.benchmarks import BENCHMARKS, typical
        from derivations.algorithms.devices import one_thread
    console = screen.console()
    slow = False
    with one_thread():
        for name, benchmark in BENCHMARKS.items():
            with screen.console(stderr=True).status(benchmark.words):
                ratios = benchmark.ratios(pairs)
            found = typical(ratios)
            slow |= found < benchmark.at_least
            console.print(
                f"{name}: {found:.1f} times faster ({min(ratios):.1f} to {max(ratios):.1f} in {pairs} pairs; "
                f"at least {benchmark.at_least:g} is claimed)",
                soft_wrap=True,
            )
            console.print(f"  {benchmark.words}", soft_wrap=True)
    ctx.exit(screen.NOT_AS_STATED if slow else 0)
