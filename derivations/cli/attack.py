"""derivations attack: the false neighbours of every proved claim, none of which may be proved."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from derivations.cli import records, screen, verify
from derivations.cli.columns import Cell, Columns

if TYPE_CHECKING:
    from derivations.attacks import Toll
    from derivations.ledger import Ledger


@click.command("attack")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--section", "sections", multiple=True, metavar="SECTION", help="A whole section; may be repeated.")
@click.option("--json", "given", metavar="PATH", help="Write the counts as JSON; - is standard output.")
@click.option("--review", "reviewed", metavar="PATH", help="Write what was not refuted, with proofs, as Markdown.")
@click.option(
    "--mutants",
    "most",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    metavar="N",
    help="How many of each claim, the kinds of change in turns; 0 for all.",
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many processes; else one a core.")
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    sections: tuple[str, ...],
    given: str | None,
    reviewed: str | None,
    most: int,
    jobs: int | None,
) -> None:
    """Attack the checker: change each claim that holds a little, and see what it says of the change.

    A mutant is refuted, or also true (proved, and without a counterexample in 1,000 worlds), or unknown. Exits with 1 if
    one is proved and has a counterexample. Ctrl-C keeps what is finished.
    """
    to_stdout = given == "-"
    path = None if given is None or to_stdout else records.destination(given)
    review_path = None if reviewed is None else records.destination(reviewed, "--review")
    ledger = screen.all_claims()
    judging = verify.judged(ledger, verify.chosen(ledger, ids, sections), jobs)
    run = Attack() if judging.interrupted else attacked(ledger, judging, most or None, jobs)
    run.interrupted |= judging.interrupted
    if to_stdout:
        click.echo(as_json(run.tolls))
    try:
        if path is not None and run.tolls:
            records.write_whole(path, as_json(run.tolls))
        if review_path is not None and run.tolls:
            from derivations.attacks import review

            records.write_whole(review_path, review(run.tolls))
    finally:
        show(run, stderr=to_stdout)
    ctx.exit(run.exit_status)


@dataclass
class Attack:
    """What became of the mutants of the claims that were asked for."""

    tolls: list[Toll] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def count(self, outcome: str) -> int:
        """How many mutants came to this."""
        return sum(toll.count(outcome) for toll in self.tolls)

    @property
    def exit_status(self) -> int:
        """0, 1 where something false was proved, 130 where the run was interrupted."""
        from derivations.checker.mutate import WRONGLY_PROVED

        if self.count(WRONGLY_PROVED):
            return screen.NOT_AS_STATED
        return screen.INTERRUPTED if self.interrupted else 0


def attacked(ledger: Ledger, judging: verify.Run, most: int | None = None, jobs: int | None = None) -> Attack:
    """Attacks every assertion that holds, over the cores. Ctrl-C ends it early, with those that are finished."""
    from derivations.attacks import attack_all, targets

    names = targets(ledger, judging.claims)
    tolls: dict[str, Toll] = {}
    run = Attack()
    started = time.perf_counter()
    bar = verify.progress()
    task = bar.add_task("", total=len(names))

    def at_work(name: str) -> None:
        bar.update(task, description=name, completed=len(tolls), refresh=True)

    try:
        with closing(attack_all(ledger, names, most=most, jobs=jobs, started=at_work)) as finished, bar:
            for name, toll in finished:
                tolls[name] = toll
    except KeyboardInterrupt:
        run.interrupted = True
    run.tolls = [tolls[name] for name in names if name in tolls]
    run.seconds = time.perf_counter() - started
    return run


def as_json(tolls: Sequence[Toll]) -> str:
    """A list with an object for each assertion."""
    return json.dumps([toll.as_object() for toll in tolls], ensure_ascii=False, indent=2)


def show(run: Attack, *, stderr: bool = False) -> None:
    """Prints the table of counts, and the line of their sums."""
    console = screen.console(stderr=stderr)
    if run.tolls:
        console.print(table(run.tolls))
    console.print(counts(run))


def table(tolls: Sequence[Toll]) -> Columns:
    """The counts of each assertion; ✗ where something false was proved."""
    from derivations.attacks import OUTCOMES
    from derivations.checker.mutate import WRONGLY_PROVED

    result = Columns(["", "id", "mutants", *OUTCOMES], folded=1, right=range(2, 3 + len(OUTCOMES)))
    for toll in tolls:
        mark = Cell(*verify.MARKS[not toll.count(WRONGLY_PROVED)])
        result.add(mark, toll.id, str(len(toll.fates)), *(str(n) if n else "" for n in map(toll.count, OUTCOMES)))
    result.part()
    return result


def counts(run: Attack) -> str:
    """How many mutants of how many assertions, and what became of them: one line."""
    from derivations.attacks import OUTCOMES
    from derivations.checker.mutate import UNKNOWN

    mutants = sum(len(toll.fates) for toll in run.tolls)
    told = [f"{mutants} mutants of {verify.number(len(run.tolls), 'assertion')}"]
    for outcome in OUTCOMES:
        share = f" ({100 * run.count(outcome) / mutants:.1f} %)" if outcome == UNKNOWN and mutants else ""
        told.append(f"{run.count(outcome)} {outcome}{share}")
    told.append(f"{run.seconds:.1f} seconds")
    return ("interrupted: " if run.interrupted else "") + ", ".join(told)
