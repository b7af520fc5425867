"""derivations verify: judges claims, and says whether each verdict is the stated one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import click

from derivations.checker.errors import BadInput
from derivations.cli import records, screen
from derivations.cli.columns import Cell, Columns

if TYPE_CHECKING:
    from rich.progress import Progress

    from derivations.ledger import Finding, Ledger
    from derivations.records import Record
    from derivations.sections.claim import Claim, Entry


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
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many processes; else one a core.")
@click.option("--fresh", is_flag=True, help="Judge everything anew; ignore the results that are kept.")
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    sections: tuple[str, ...],
    given: str | None,
    jobs: int | None,
    fresh: bool,
) -> None:
    """Judge claims: those named, those of the sections named, or all of them.

    Results are kept for as long as the claim, what it rests on and the checker stay the same. What runs decide is shown
    as `derivations measure` found it. Exits with 0 if every verdict is the stated one, every correction is proved and
    every experiment showed what it must, with 1 if not. Ctrl-C keeps what is finished.
    """
    to_stdout = given == "-"
    path = None if given is None or to_stdout else records.destination(given)
    ledger = screen.all_claims(fresh=fresh)
    run = judged(ledger, chosen(ledger, ids, sections), jobs)
    if to_stdout:
        click.echo(records.as_json(run.findings))
    try:
        # An old file is worth more than an empty list.
        if path is not None and run.findings:
            records.write_whole(path, records.as_json(run.findings))
    finally:
        show(run, stderr=to_stdout)
    if ledger.store is not None and ledger.store.trouble:
        click.echo(f"Results are not kept: {ledger.store.trouble}", err=True)
    ctx.exit(run.exit_status)


def chosen(ledger: Ledger, ids: Sequence[str], sections: Sequence[str]) -> list[Claim]:
    """The claims to be judged; at least one, so that nothing passes by being empty."""
    from derivations.ledger import SECTIONS

    spelled = {name.upper(): name for name in SECTIONS}
    claims = ledger.select(ids, [spelled.get(section.upper(), section) for section in sections])
    if not claims:
        raise BadInput(f"no claim is in {', '.join(sections) or 'the ledger'}")
    return claims


# --- judging --------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One verdict: of a claim, a part or a correction, which are `below` their claim."""

    entry: Entry
    record: Record
    as_stated: bool
    below: str = ""


def rows(finding: Finding) -> Iterator[Row]:
    """The verdicts of a finding, in the order in which they are shown."""
    from derivations.ledger import is_as_stated

    claim = finding.claim
    for entry, record in finding.rows:
        # A correction is there to be believed: that it was expected to fail does not excuse it.
        good = is_as_stated(entry, record) and (entry is not claim.correction or record.holds)
        yield Row(entry, record, good, "" if entry is claim.main else _role(claim, entry))


def _role(claim: Claim, entry: Entry) -> str:
    return "correction" if entry is claim.correction else "part"


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


def judged(ledger: Ledger, claims: Sequence[Claim], jobs: int | None = None) -> Run:
    """Judges claims over the cores. Ctrl-C ends it early, with the claims that are finished."""
    from derivations.judging import judge_all

    run = Run(claims)
    started = time.perf_counter()
    bar = progress()
    task = bar.add_task("", total=len(claims))

    def at_work(claim: str) -> None:
        done = sum(_is_finished(ledger, claim) for claim in claims)
        bar.update(task, description=claim, completed=done, refresh=True)

    try:
        with closing(judge_all(ledger, claims, jobs=jobs, started=at_work)) as finished, bar:
            for _ in finished:
                pass
    except KeyboardInterrupt:
        run.interrupted = True
    run.findings = [ledger.find(claim) for claim in claims if not run.interrupted or _is_finished(ledger, claim)]
    run.seconds = time.perf_counter() - started
    return run


def _is_finished(ledger: Ledger, claim: Claim) -> bool:
    return all(ledger.known(entry.id) is not None for entry in claim.entries)


def progress() -> Progress:
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
NO_VERDICT = ("·", "dim")  # not measured yet, or a definition
NARROW = 100  # below that many columns a verdict stands under its statement, not beside it


def show(run: Run, *, stderr: bool = False) -> None:
    """Prints the table of what is finished, and the line of counts."""
    console = screen.console(stderr=stderr)
    if run.findings:
        console.print(table(run.findings, narrow=console.width < NARROW))
    console.print(counts(run))


def table(findings: Sequence[Finding], *, narrow: bool) -> Columns:
    """The verdicts, grouped by section; ✓ where the verdict found is the stated one, ✗ where it is not."""
    from derivations.ledger import SECTIONS

    headings = ["", "id", "statement", "stated", "found", "method", "time"]
    result = Columns(headings[:3] if narrow else headings, folded=2, most={5: 14}, right=[6])
    for section, group in groupby(findings, key=lambda finding: finding.claim.section):
        title = SECTIONS[section][0] if section in SECTIONS else ""
        result.add("", section, title, *([] if narrow else [""] * 4), style="bold")
        for finding in group:
            for row in rows(finding):
                result.add(*(_narrow_cells(row) if narrow else _cells(row)))
        result.part()
    return result


def _cells(row: Row) -> tuple[Cell | str, ...]:
    found = Cell(row.record.status, _mark(row)[1])
    return (*_named(row), _words(row), row.entry.stated, found, _method(row), _time(row))


def _narrow_cells(row: Row) -> tuple[Cell | str, ...]:
    by = f" by {_method(row)}" if _method(row) else ""
    took = f", {_time(row)}" if _time(row) else ""
    return (*_named(row), f"{_words(row)}\nstated {row.entry.stated}, found {row.record.status}{by}{took}")


def _mark(row: Row) -> tuple[str, str]:
    return MARKS[row.as_stated] if row.record.judged or row.record.measured else NO_VERDICT


def _named(row: Row) -> tuple[Cell, str]:
    return Cell(*_mark(row)), ("  " if row.below else "") + row.entry.id


def _words(row: Row) -> str:
    return f"correction: {row.entry.words}" if row.below == "correction" else row.entry.words


def _method(row: Row) -> str:
    from derivations.records import NO_METHOD

    return "" if row.record.method == NO_METHOD else row.record.method


def _time(row: Row) -> str:
    if not row.record.judged:
        return ""
    return "kept" if row.record.kept else f"{row.record.seconds:.2f} s"


def counts(run: Run) -> str:
    """How many claims, how many verdicts as stated, which are not, how long it took: one line."""
    from derivations.records import NOT_MEASURED

    found = [row for row in run.rows if row.record.judged]
    right = sum(row.as_stated for row in found)
    wrong = [row.entry.id for row in run.rows if not row.as_stated]
    unknown = sum(row.record.status == "unknown" for row in found)
    unmeasured = sum(row.record.status == NOT_MEASURED for row in run.rows)
    measured = sum(row.record.measured for row in run.rows)
    kept = sum(row.record.kept for row in found)
    claims = (
        f"{len(run.findings)} of {len(run.claims)} claims" if run.interrupted else number(len(run.findings), "claim")
    )
    told = [claims, f"{right} of {number(len(found), 'verdict')} as stated"]
    told += [f"not as stated: {' '.join(wrong)}"] if wrong else []
    told += [f"{unknown} unknown"] if unknown else []
    told += [f"{measured} measured"] if measured else []
    told += [f"{unmeasured} not measured yet"] if unmeasured else []
    told += [f"{kept} kept"] if kept else []
    told.append(f"{run.seconds:.1f} seconds")
    return ("interrupted: " if run.interrupted else "") + ", ".join(told)


def number(count: int, what: str) -> str:
    """A number with its word, in the plural where it is not one."""
    return f"{count} {what}{'' if count == 1 else 's'}"
