"""derivations explain: one claim, its verdict with the proof or the counterexample, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from derivations.cli import screen

if TYPE_CHECKING:
    from rich.console import Console

    from derivations.checker.verdict import Verdict
    from derivations.ledger import Ledger
    from derivations.sections.claim import Assertion, Claim


@click.command("explain")
@click.argument("identifier", metavar="ID")
@click.option("--latex", "as_latex", is_flag=True, help="Write the formulas as LaTeX.")
def command(identifier: str, as_latex: bool) -> None:
    """Explain one claim: what the source says, what it is read as, what was found, and why.

    ID is that of a claim, such as PG.4, or of one of its parts or its correction.
    """
    ledger = screen.all_claims()
    ledger.verdict(identifier)  # judged first: an unknown name is refused before anything is printed
    claim = next(c for c in ledger.claims.values() if any(a.id == identifier for a in c.assertions))
    shown = claim.assertions if claim.id == identifier else (ledger.assertions[identifier],)
    verdicts = {assertion.id: ledger.verdict(assertion.id) for assertion in shown}
    console = screen.console()
    _source(console, claim)
    for assertion in shown:
        _assertion(console, claim, assertion, verdicts[assertion.id], as_latex)
    if claim.believe and any(assertion in (claim.main, claim.correction) for assertion in shown):
        _told(console, "believe instead", claim.believe)
    _foundations(console, ledger, list(verdicts))


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


def _assertion(console: Console, claim: Claim, assertion: Assertion, verdict: Verdict, as_latex: bool) -> None:
    """An assertion in words, the verdict stated and found, and what the checker has to say."""
    role = "claim" if assertion is claim.main else "correction" if assertion is claim.correction else "part"
    console.print()
    console.print(f"{role} {assertion.id}", style="bold")
    _inset(console, assertion.words)
    agrees = "as stated" if assertion.stated == verdict.status else "NOT as stated"
    _inset(console, f"stated: {assertion.stated}; found: {verdict.status}, {agrees}")
    # Formulas are never broken: a terminal wraps them, and what is copied from it is whole.
    for line in _formulas(verdict, as_latex):
        console.print(line, soft_wrap=True)


def _formulas(verdict: Verdict, as_latex: bool) -> Iterator[str]:
    from derivations.checker.printing import verdict_latex, verdict_text

    if as_latex:
        yield verdict_latex(verdict)
    else:
        yield from (f"  {line}" for line in verdict_text(verdict).splitlines())


def _foundations(console: Console, ledger: Ledger, identifiers: Sequence[str]) -> None:
    """The lemmas that the verdicts use, those that these use, and every axiom among them."""
    reached = _reached(ledger, identifiers)
    lemmas = [identifier for identifier in reached if identifier not in identifiers]
    axioms = list(dict.fromkeys(axiom for identifier in reached for axiom in ledger.verdict(identifier).axioms))
    told = [f"lemma {name}: {ledger.assertions[name].words} ({ledger.verdict(name).status})" for name in lemmas]
    told += [f"axiom: {axiom}" for axiom in axioms]
    console.print()
    _told(console, "rests on", "\n".join(told or ["no lemma and no axiom"]))


def _reached(ledger: Ledger, identifiers: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(identifiers)
    while waiting:
        identifier = waiting.pop(0)
        if identifier not in found:
            found[identifier] = None
            waiting += ledger.verdict(identifier).uses
    return list(found)
