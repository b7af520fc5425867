"""derivations verify: judges claims, and says whether each verdict is the stated one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import click

from derivations.checker.errors import BadInput, DerivationsError
from derivations.cli import records, screen

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

    from derivations.checker.verdict import Verdict
    from derivations.ledger import Finding, Ledger
    from derivations.sections.claim import Assertion, Claim


@click.command("verify")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--section",
    "sections",
    multiple=True,
    metavar="SECTION",
    help="Judge a whole section, such as IV; may be repeated.",
)
@click.option("--json", "given", metavar="PATH", help="Write what was found as JSON; - is standard output.")
@click.pass_context
def command(ctx: click.Context, ids: tuple[str, ...], sections: tuple[str, ...], given: str | None) -> None:
    """Judge claims: those named, those of the sections named, or all of them.

    Exits with 0 if every verdict is the stated one and every correction is proved, with 1 if not. Ctrl-C keeps what is
    finished.
    """
    to_stdout = given == "-"
    path = None if given is None or to_stdout else records.destination(given)
    ledger = screen.all_claims()
    run = judged(ledger, chosen(ledger, ids, sections))
    if to_stdout:
        click.echo(records.as_json(run.findings))
    try:
        # An old file is worth more than an empty list.
        if path is not None and run.findings:
            records.write_whole(path, records.as_json(run.findings))
    finally:
        show(run, stderr=to_stdout)
    ctx.exit(run.exit_status)


def chosen(ledger: Ledger, ids: Sequence[str], sections: Sequence[str]) -> list[Claim]:
    """The claims to be judged; at least one, so that nothing passes by being empty."""
    claims = ledger.select(ids, [section.upper() for section in sections])
    if not claims:
        raise BadInput(f"no claim is in {', '.join(sections) or 'the ledger'}")
    return claims


# --- judging --------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One verdict: of a claim, a part or a correction, which are `below` their claim."""

    assertion: Assertion
    verdict: Verdict
    as_stated: bool
    below: str = ""


def rows(finding: Finding) -> Iterator[Row]:
    """The verdicts of a finding, in the order in which they are shown."""
    main = finding.claim.main
    yield Row(main, finding.verdict, main.stated == finding.verdict.status)
    for part, verdict in finding.parts:
        yield Row(part, verdict, part.stated == verdict.status, "part")
    correction, verdict_on_it = finding.claim.correction, finding.correction
    if correction is not None and verdict_on_it is not None:
        # A correction is there to be believed: that it was expected to fail does not excuse it.
        good = verdict_on_it.holds and correction.stated == verdict_on_it.status
        yield Row(correction, verdict_on_it, good, "correction")


@dataclass
class Run:
    """What was found of the claims that were asked for, in the seconds that it took."""

    claims: Sequence[Claim]
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def rows(self) -> list[Row]:
        """Every verdict."""
        return [row for finding in self.findings for row in rows(finding)]

    @property
    def exit_status(self) -> int:
        """0, 1 where a verdict is not the stated one, 130 where the run was interrupted."""
        if self.interrupted:
            return screen.INTERRUPTED
        return 0 if all(row.as_stated for row in self.rows) else screen.NOT_AS_STATED


def judged(ledger: Ledger, claims: Sequence[Claim]) -> Run:
    """Judges claim after claim. Ctrl-C ends it early, with the claims that are finished."""
    run = Run(claims)
    started = time.perf_counter()
    try:
        with _progress() as bar:
            task = bar.add_task("", total=len(claims))
            for claim in claims:
                bar.update(task, description=claim.id, refresh=True)
                run.findings.append(_find(ledger, claim))
                bar.advance(task)
    except KeyboardInterrupt:
        run.interrupted = True
    run.seconds = time.perf_counter() - started
    return run


def _find(ledger: Ledger, claim: Claim) -> Finding:
    try:
        return ledger.find(claim)
    except DerivationsError as error:
        error.add_note(claim.id)
        raise


def _progress() -> Progress:
    """A bar on standard error with the claim at work; none where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = screen.console(stderr=True)
    columns = (
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


# --- the table ------------------------------------------------------------------------------------------------------

MARKS = {True: ("✓", "green"), False: ("✗", "bold red")}
NARROW = 100  # below that many columns a verdict stands under its statement, not beside it


def show(run: Run, *, stderr: bool = False) -> None:
    """Prints the table of what is finished, and the line of counts."""
    console = screen.console(stderr=stderr)
    if run.findings:
        console.print(table(run.findings, narrow=console.width < NARROW))
    console.print(counts(run))


def table(findings: Sequence[Finding], *, narrow: bool) -> Table:
    """The verdicts, grouped by section; ✓ where the verdict found is the stated one, ✗ where it is not."""
    from derivations.ledger import SECTIONS

    result = _empty_table(narrow)
    for section, group in groupby(findings, key=lambda finding: finding.claim.section):
        result.add_row("", section, SECTIONS[section][0] if section in SECTIONS else "", style="bold")
        for finding in group:
            for row in rows(finding):
                result.add_row(*(_narrow_cells(row) if narrow else _cells(row)))
        result.add_section()
    return result


def _empty_table(narrow: bool) -> Table:
    from rich import box
    from rich.table import Table

    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    result.add_column("", no_wrap=True)
    result.add_column("id", no_wrap=True)
    result.add_column("statement", overflow="fold")
    if not narrow:
        result.add_column("stated", no_wrap=True)
        result.add_column("found", no_wrap=True)
        result.add_column("method", overflow="fold", max_width=14)
        result.add_column("time", justify="right", no_wrap=True)
    return result


def _cells(row: Row) -> tuple[Text | str, ...]:
    return (*_named(row), _words(row), row.assertion.stated, _found(row), _method(row), _time(row))


def _narrow_cells(row: Row) -> tuple[Text | str, ...]:
    from rich.text import Text

    by = f" by {_method(row)}" if _method(row) else ""
    said = Text.assemble(f"{_words(row)}\nstated {row.assertion.stated}, found ", _found(row), f"{by}, {_time(row)}")
    return (*_named(row), said)


def _named(row: Row) -> tuple[Text, str]:
    from rich.text import Text

    mark, style = MARKS[row.as_stated]
    return Text(mark, style=style), ("  " if row.below else "") + row.assertion.id


def _words(row: Row) -> str:
    return f"correction: {row.assertion.words}" if row.below == "correction" else row.assertion.words


def _found(row: Row) -> Text:
    from rich.text import Text

    return Text(row.verdict.status, style=MARKS[row.as_stated][1])


def _method(row: Row) -> str:
    return "" if row.verdict.method == "none" else row.verdict.method


def _time(row: Row) -> str:
    return f"{row.verdict.seconds:.2f} s"


def counts(run: Run) -> str:
    """How many claims, how many verdicts as stated, which are not, how long it took: one line."""
    found = run.rows
    wrong = [row.assertion.id for row in found if not row.as_stated]
    unknown = sum(row.verdict.status == "unknown" for row in found)
    claims = (
        f"{len(run.findings)} of {len(run.claims)} claims" if run.interrupted else _number(len(run.findings), "claim")
    )
    told = [claims, f"{len(found) - len(wrong)} of {_number(len(found), 'verdict')} as stated"]
    told += [f"not as stated: {' '.join(wrong)}"] if wrong else []
    told += [f"{unknown} unknown"] if unknown else []
    told.append(f"{run.seconds:.1f} seconds")
    return ("interrupted: " if run.interrupted else "") + ", ".join(told)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
