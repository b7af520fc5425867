"""derivations explain: one claim, its verdict with the proof or the counterexample, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from derivations.cli import screen

if TYPE_CHECKING:
    from rich.console import Console

    from derivations.ledger import Ledger
    from derivations.records import Record
    from derivations.sections.claim import Claim, Entry


@click.command("explain")
@click.argument("identifier", metavar="ID")
@click.option("--latex", "as_latex", is_flag=True, help="Write the formulas as LaTeX.")
@click.option("--fresh", is_flag=True, help="Judge anew; ignore the results that are kept.")
def command(identifier: str, as_latex: bool, fresh: bool) -> None:
    """Explain one claim: what the source says, what it is read as, what was found, and why.

    ID is that of a claim, such as PG.4, or of one of its parts or its correction.
    """
    ledger = screen.all_claims(fresh=fresh)
    ledger.record(identifier)  # judged first: an unknown name is refused before anything is printed
    claim = next(c for c in ledger.claims.values() if any(entry.id == identifier for entry in c.entries))
    shown = claim.entries if claim.id == identifier else (ledger.entries[identifier],)
    records = {entry.id: ledger.record(entry.id) for entry in shown}
    console = screen.console()
    _source(console, claim)
    for entry in shown:
        _entry(console, claim, entry, records[entry.id], as_latex)
    if claim.believe and any(entry in (claim.main, claim.correction) for entry in shown):
        _told(console, "believe instead", claim.believe)
    judged = [identifier for identifier, record in records.items() if record.judged]
    if judged:
        _foundations(console, ledger, judged)


def _told(console: Console, what: str, words: str) -> None:
    """A few words under a heading."""
    if words:
        console.print(what, style="bold")
        for line in words.splitlines():
            _inset(console, line)


def _inset(console: Console, words: str) -> None:
    from rich.padding import Padding

    console.print(Padding(words, (0, 0, 0, 2), expand=False))


def _source(console: Console, claim: Claim) -> None:
    """Where the claim stands, the source's words, and what they are read as."""
    from derivations.ledger import SECTIONS

    title = SECTIONS[claim.section][0] if claim.section in SECTIONS else ""
    console.print(
        " · ".join(part for part in (claim.id, f"{claim.section} {title}".strip(), claim.tag) if part), style="bold"
    )
    _told(console, "source", claim.quote)
    _told(console, "reading", claim.reading)


def _entry(console: Console, claim: Claim, entry: Entry, record: Record, as_latex: bool) -> None:
    """An entry in words, the verdict stated and found, and what the checker has to say."""
    role = "claim" if entry is claim.main else "correction" if entry is claim.correction else "part"
    console.print()
    console.print(f"{role} {entry.id}", style="bold")
    _inset(console, entry.words)
    if not record.judged:
        _beyond_the_checker(console, entry, record)
        return
    agrees = "as stated" if entry.stated == record.status else "NOT as stated"
    _inset(console, f"stated: {entry.stated}; found: {record.status}, {agrees}")
    # Formulas are never broken: a terminal wraps them, and what is copied from it is whole.
    for line in [record.latex] if as_latex else [f"  {line}" for line in record.text.splitlines()]:
        console.print(line, soft_wrap=True)


def _beyond_the_checker(console: Console, entry: Entry, record: Record) -> None:
    """What decides, or satisfies, what the checker does not judge."""
    from derivations.records import MEASURED, NOT_SHOWN
    from derivations.sections.claim import Definition, Measured

    match entry:
        case Measured():
            shown = {MEASURED: "shown", NOT_SHOWN: "NOT shown"}.get(record.status)
            _inset(
                console, f"{entry.stated}: {shown} by {record.method}" if shown else f"{entry.stated}: {record.status}"
            )
            _inset(console, f"experiment: {entry.experiment}")
            _inset(console, f"it must show: {entry.shows}")
            for line in record.text.splitlines():
                console.print(f"  {line}", soft_wrap=True)
        case Definition():
            _inset(console, f"{record.status}, satisfied by {entry.satisfied_by}")


def _foundations(console: Console, ledger: Ledger, identifiers: Sequence[str]) -> None:
    """The lemmas that the verdicts use, those that these use, and every axiom among them."""
    reached = ledger.reached(identifiers)
    lemmas = [identifier for identifier in reached if identifier not in identifiers]
    axioms = list(dict.fromkeys(axiom for identifier in reached for axiom in ledger.record(identifier).axioms))
    told = [f"lemma {name}: {ledger.assertions[name].words} ({ledger.record(name).status})" for name in lemmas]
    told += [f"axiom: {axiom}" for axiom in axioms]
    console.print()
    _told(console, "rests on", "\n".join(told or ["no lemma and no axiom"]))
