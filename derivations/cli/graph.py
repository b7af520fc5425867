"""derivations graph: draws which claim rests on which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derivations.checker.errors import BadInput
from derivations.cli import records, screen, verify

if TYPE_CHECKING:
    from derivations.drawing import Graph
    from derivations.ledger import Ledger
    from derivations.sections.claim import Claim


@click.command("graph")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--section", "sections", multiple=True, metavar="SECTION", help="A whole section; may be repeated.")
@click.option("--out", required=True, metavar="FILE", help="What to write: FILE.svg, .png, .dot or .md (Mermaid).")
@click.pass_context
def command(ctx: click.Context, ids: tuple[str, ...], sections: tuple[str, ...], out: str) -> None:
    """Draw the graph of lemmas: the claims named, those of the sections named, or all, down to what they rest on.

    An arrow points from a claim to a claim that its proof uses. What neither uses another nor is used is left out.
    """
    from derivations.drawing import WRITERS

    suffix = Path(out).suffix.lower()
    if suffix not in WRITERS:
        given = f"the ending {suffix}" if suffix else "a name without an ending"
        raise BadInput(f"--out {out}: {given} is not known; expected one of {', '.join(WRITERS)}")
    path = records.destination(out, "--out")
    ledger = screen.all_claims()
    claims = verify.chosen(ledger, ids, sections)
    run = verify.judged(ledger, claims)
    if run.interrupted:
        ctx.exit(screen.INTERRUPTED)
    graph = graph_of(ledger, claims)
    records.write_whole(path, WRITERS[suffix](graph))
    click.echo(f"{len(graph.nodes)} assertions, {len(graph.arrows)} uses of a lemma: {path}")


def graph_of(ledger: Ledger, claims: Sequence[Claim]) -> Graph:
    """The assertions of these claims with everything that they rest on, as their proofs were found to."""
    from derivations.drawing import Node, connected

    names = ledger.reached(assertion.id for claim in claims for assertion in claim.assertions)
    nodes = [Node(name, ledger.assertions[name].words, ledger.record(name).status) for name in names]
    uses = [(name, used) for name in names for used in dict.fromkeys(ledger.record(name).uses)]
    return connected(nodes, uses)


__all__ = ["command", "graph_of"]
