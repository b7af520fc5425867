"""The command line: one file a command.

Nothing here imports an engine: --help answers at once, and each command imports what it needs when it runs. Exit
statuses: 0 all is as stated, 1 something is not, 2 wrong usage, 3 the engines disagree, 130 interrupted, 143 stopped.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from derivations.checker.errors import DerivationsError, EngineDisagreement
from derivations.cli import (
    attack,
    bench,
    bugs,
    check,
    explain,
    graph,
    measure,
    notation,
    pipeline,
    screen,
    sweep,
    train,
    verify,
)


class Commands(click.Group):
    """The commands; an error that the package raises on purpose ends in a message and a status, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except EngineDisagreement as error:
            click.echo("Error: two engines disagree; no verdict is to be trusted before that is mended.", err=True)
            click.echo(_told(error), err=True)
            ctx.exit(screen.DISAGREEMENT)
        except DerivationsError as error:
            click.echo(f"Error: {' '.join(_told(error).split())}", err=True)
            ctx.exit(screen.WRONG_USAGE)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(screen.INTERRUPTED)


def _told(error: Exception) -> str:
    """The message, behind the claim in which it was raised."""
    return ": ".join([*getattr(error, "__notes__", ()), str(error)])


def _write_utf8() -> None:
    """Formulas are not ASCII; where the locale knows no more than that, UTF-8 is written all the same."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and (stream.encoding or "").lower().replace("-", "") != "utf8":
            reconfigure(encoding="utf-8")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="derivations", prog_name="derivations")
def main() -> None:
    """The claims of two derivations of the PPO loss, each proved for every size or refuted by a smallest example."""
    _write_utf8()


for module in (verify, explain, check, attack, graph, notation, train, pipeline, sweep, measure, bench, bugs):
    main.add_command(module.command)

__all__ = ["main"]
