"""derivations check: one line of a derivation, written in a text file, is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from derivations.cli import screen

if TYPE_CHECKING:
    from derivations.checker.statement import Hypothesis, Statement
    from derivations.checker.terms import Indicator, Term
    from derivations.checker.worlds import Environment, World

HOLDS, FAILS = "holds", "does not hold"


@click.command("check")
@click.argument("file", type=click.File("rb"), metavar="FILE.toml")
@click.pass_context
def command(ctx: click.Context, file: BinaryIO) -> None:
    """Judge one line of a derivation, written in a text file.

    \b
    [declare]                  # every name has a domain; also real, positive,
    p = "law over Y"           # nonnegative, in (0, 1), in (0, 1], "positive law
    f = "function of Y"        # over A given S", "function of Y in [0, 1]",
    gamma = "in [0, 1]"        # "positive function of Y depending on theta"
    [line]                     # + - * / **, log exp min max clip, D(x),
    left = "E(p(y), gamma*f(y))"      # sum(y, x), E(p(y), x), kl(p, q, y)
    relation = "<="            # = != < <= > >=
    right = "1"
    assuming = ["f(y) <= 1 where p(y) > 0"]
    [world]                    # optional: the line in this world only
    sizes = { Y = 2 }
    p = ["1/2", "1/2"]         # one entry for each element; lists nest
    f = [1, 0]                 # in the order of the arguments
    gamma = "9/10"             # and y = 0 for an index that is free

    An assumption is made for all values of its indices, except those that are free in the line; “for y” behind it makes
    it for all y. Exits with 0 if the line is proved or holds under its assumptions (in a world: if it holds there),
    with 1 if not, with 2 if the file cannot be read as a line.
    """
    import z3

    from derivations import lines
    from derivations.checker import wellformed
    from derivations.checker.verdict import judge

    z3.set_param("ctrl_c", False)  # as in screen.all_claims
    statement, world = lines.read(file.read(lines.BYTES + 1))
    if world is None:
        verdict = judge(statement)
        click.echo(repr(verdict))
        ctx.exit(0 if verdict.holds else screen.NOT_AS_STATED)
    wellformed.require(statement)
    ctx.exit(0 if _evaluated(statement, world) else screen.NOT_AS_STATED)


def _evaluated(statement: Statement, world: World) -> bool:
    """Shows both sides in a world, and what holds there of the line and of its assumptions."""
    from derivations.checker.statement import Hypothesis

    assert isinstance(statement.relation, str)
    found = _found(Hypothesis("", statement.left, statement.relation, statement.right), world)
    click.echo(repr(statement).splitlines()[0])
    click.echo(
        f"{found} in this world: left = {_value(statement.left, world)}, right = {_value(statement.right, world)}"
    )
    for assumption in statement.assuming:
        if isinstance(assumption, Hypothesis):
            click.echo(f"assuming {assumption.name}: {_found(assumption, world)}")
    return found == HOLDS


def _value(term: Term, world: World) -> str:
    from derivations.checker import reals
    from derivations.checker.jets import Undefined, Undetermined

    try:
        return reals.show(world.value(term))
    except Undefined as reason:
        return f"not defined ({reason.why})"
    except Undetermined:
        return "not settled"


def _found(given: Hypothesis, world: World) -> str:
    """Whether a relation holds in a world, for all values of its own indices."""
    from derivations.checker.jets import Undefined, Undetermined
    from derivations.checker.worlds import free_assignments

    try:
        for at in free_assignments(given.for_all, world):
            if (given.given is None or _is_true(given.given, world, at)) and not _is_true(given, world, at):
                return FAILS
    except Undefined as reason:
        return f"is not defined ({reason.why})"
    except Undetermined:
        return "is not settled"
    return HOLDS


def _is_true(given: Hypothesis | Indicator, world: World, at: Environment) -> bool:
    from derivations.checker.jets import Undetermined
    from derivations.checker.worlds import holds

    answer = holds(world.value(given.left, at), given.relation, world.value(given.right, at))
    if answer is None:
        raise Undetermined
    return answer
