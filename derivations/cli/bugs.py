"""derivations bugs: the bug zoo, with an exact example of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from derivations.checker.errors import BadInput
from derivations.cli import records, screen
from derivations.cli.columns import Columns
from derivations.cli.train import needs_torch
from derivations.cli.verify import number

if TYPE_CHECKING:
    from derivations.algorithms.bugs import Bug


@click.command("bugs")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--like", "likes", multiple=True, metavar="FUNCTION", help="Those of one right function; may be repeated."
)
@click.option("--json", "given", metavar="PATH", help="Write them as JSON; - is standard output.")
def command(names: tuple[str, ...], likes: tuple[str, ...], given: str | None) -> None:
    """List bugs known from practice: what each does, and an exact example on which it is wrong.

    A function of your own is tried against them by derivations.diagnose.diagnose(function, like=FUNCTION).
    """
    to_stdout = given == "-"
    path = None if given is None or to_stdout else records.destination(given)
    with needs_torch("bugs"):
        from derivations.algorithms.bugs import BUGS
    chosen = selected(BUGS, names, likes)
    if to_stdout:
        click.echo(as_json(chosen))
    if path is not None:
        records.write_whole(path, as_json(chosen))
    console = screen.console(stderr=to_stdout)
    console.print(table(chosen))
    console.print(f"{number(len(chosen), 'form')} of {number(len({bug.kind for bug in chosen}), 'bug')}")


def selected(bugs: Sequence[Bug], names: Sequence[str], likes: Sequence[str]) -> list[Bug]:
    """The bugs of these names and of these right functions; all where none is named. Raises BadInput for an unknown one."""
    for what, asked, known in (
        ("bug", names, [bug.name for bug in bugs]),
        ("function", likes, list(dict.fromkeys(like for bug in bugs for like in likes_of(bug)))),
    ):
        for name in asked:
            if name not in known:
                raise BadInput(f"{what} {name!r} is not known; expected one of {', '.join(known)}")
    return [
        bug
        for bug in bugs
        if (not names or bug.name in names) and (not likes or any(like in likes for like in likes_of(bug)))
    ]


def likes_of(bug: Bug) -> list[str]:
    """The right functions that a bug is a variant of, each once."""
    return list(dict.fromkeys((bug.like, *(like for like, _ in bug.others))))


def as_json(bugs: Sequence[Bug]) -> str:
    """A list with an object for each bug."""
    return json.dumps([as_object(bug) for bug in bugs], ensure_ascii=False, indent=2)


def as_object(bug: Bug) -> dict[str, Any]:
    """A bug as an object of texts, lists and objects."""
    example = bug.example
    return {
        "name": bug.name,
        "kind": bug.kind,
        "like": likes_of(bug),
        "does": bug.does,
        "example": {"setting": example.setting, "right": example.right, "wrong": example.wrong},
        "claims": list(bug.claims),
    }


def table(bugs: Sequence[Bug]) -> Columns:
    """Each bug with the right functions, what it does, and below that its example."""
    result = Columns(["bug", "like", "what it does, and where it shows"], folded=2)
    for bug in bugs:
        example = bug.example
        shown = f"{example.setting}\n  right: {example.right}\n  wrong: {example.wrong}"
        result.add(bug.name, "\n".join(likes_of(bug)), f"{bug.does}\n{shown}")
        result.part()
    return result
