"""derivations notation: the table of symbols, or one of them in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from derivations.cli import screen
from derivations.notation import OTHER_SPELLINGS, SYMBOLS, Symbol, ascii_spelling, lookup

if TYPE_CHECKING:
    from rich.table import Table


@click.command("notation")
@click.argument("symbol", required=False)
def command(symbol: str | None) -> None:
    """Show the table of symbols, or one symbol in full.

    SYMBOL may be written with Greek letters or without: pi_ref, pi*, R_hat, beta.
    """
    console = screen.console()
    console.print(_table() if symbol is None else _in_full(lookup(symbol)))


def _table() -> Table:
    """Every symbol; where it clashes with a source, that stands below what it means."""
    from rich import box
    from rich.table import Table

    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    result.add_column("symbol", no_wrap=True)
    for name, share in (("sort", 4), ("domain", 4), ("meaning", 10), ("source", 2)):
        result.add_column(name, overflow="fold", ratio=share)
    for symbol in SYMBOLS:
        meaning = symbol.meaning + (f"\nclash: {symbol.clash}" if symbol.clash else "")
        result.add_row(symbol.name, symbol.sort, symbol.domain, meaning, symbol.source)
    return result


def _in_full(symbol: Symbol) -> Table:
    """One symbol, a line for each thing that is known of it."""
    from rich.table import Table

    others = [spelling for spelling, name in OTHER_SPELLINGS.items() if name == symbol.name]
    facts = {
        "symbol": symbol.name,
        "typed": ascii_spelling(symbol.name),
        "also found by": ", ".join(others),
        "LaTeX": symbol.latex,
        "sort": symbol.sort,
        "domain": symbol.domain,
        "meaning": symbol.meaning,
        "source": symbol.source,
        "clash": symbol.clash,
    }
    result = Table.grid(padding=(0, 2))
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            result.add_row(name, value)
    return result
