"""A harder look for a counterexample than `refute` takes: so many worlds, and not the smallest one first.

Besides the cheap worlds and random ones of them, there are worlds of numbers that no list holds (tenths and hundreds,
crooked fractions, laws of one part in a hundred), and, where a counterexample is a point at which both sides meet,
worlds in which one number is solved for so that they do. Only worlds in which everything assumed holds are counted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from flint import fmpq

from derivations.checker import reals
from derivations.checker.candidates import Option, Sizes, Slot, build, choices_of, in_order, option_of
from derivations.checker.jets import Undefined, Undetermined
from derivations.checker.question import Question
from derivations.checker.reals import Real
from derivations.checker.refute import Counterexample, Effort, Found, draw_options, places_of
from derivations.checker.statement import Statement
from derivations.checker.terms import Domain
from derivations.checker.tight import Balance, Edge, balances_of, edges_of, fitted
from derivations.checker.worlds import World, free_assignments, in_domain

PLACES = 30
IN_ORDER = 3  # at each place
IN_VAIN, HOPELESS = 8, 3  # worlds in which something assumed does not hold, for each that is asked for
AT_THE_EDGE, BALANCED = 150, 400  # worlds that are made to have what is assumed, by inequalities and by equations
SELDOM = 4  # of so many worlds less than one has what is assumed: rather those that are made to have it
SCALES = (*[(n, 1) for n in (1, 1, 1, 10, 100)], (1, 10), (1, 100))
MEET = ("≠", "<", ">")
LARGEST = 10**6


@dataclass(frozen=True)
class Doubt:
    """The counterexample that was found, if any, and in how many worlds it was looked for."""

    found: Counterexample | None
    worlds: int


def doubt(statement: Statement, worlds: int, seed: int = 0, question: Question | None = None) -> Doubt:
    """Looks for a counterexample in so many worlds; fewer where that many do not satisfy what is assumed.

    Those that a `question` on the statement remembers are among them, and are not gone through again in order.
    """
    question = question or Question(statement)
    places = list(places_of(question, Effort(sizes=PLACES)))
    found = _look(question, places, worlds, random.Random(seed)) if places else None
    if found is None:
        return Doubt(None, question.admitted)
    left, right = question.sides(found.world)
    return Doubt(Counterexample(found.world, found.measure, left, right), question.admitted)


def _look(
    question: Question, places: Sequence[tuple[Sizes, list[Slot]]], worlds: int, draw: random.Random
) -> Found | None:
    for sizes, parts in places:
        for ranks in islice(in_order(parts), IN_ORDER):
            chosen = [(slot, slot.options[rank]) for slot, rank in zip(parts, ranks, strict=True)]
            if question.admitted >= worlds:
                return None
            found = None if choices_of(sizes, chosen) in question.harmless else _attempt(question, sizes, chosen)
            if found is not None:
                return found
    meet = question.statement.relation in MEET and not question.statement.exists
    edges, balances = edges_of(question), balances_of(question)
    # A bound keeps the worlds that are drawn now and then; an equation, never.
    left = BALANCED if balances else AT_THE_EDGE
    kept = [0, 0]  # of the worlds as drawn: how many there were, and in how many what is assumed holds
    # Larger worlds take longer, and are drawn the more seldom for it.
    shares = [1 / max(1, sum(len(slot.keys) for slot in parts)) ** 1.6 for _, parts in places]
    for number, (sizes, parts) in enumerate(draw.choices(places, shares, k=IN_VAIN * worlds)):
        if question.admitted >= worlds or (number >= HOPELESS * worlds and SELDOM * question.admitted < worlds):
            break
        if any(not slot.options for slot in parts):
            continue
        chosen = _wide(question, parts, draw) if number % 3 == 2 else draw_options(parts, draw, lively=number % 3 == 0)
        before = question.admitted
        if left and (edges or balances) and number % 8 >= (4 if SELDOM * kept[1] >= kept[0] else 1):
            left -= 1
            found = _at_the_edge(question, sizes, chosen, balances, edges, draw)
        else:
            found = _attempt(question, sizes, chosen)
            kept = [kept[0] + 1, kept[1] + question.admitted - before]
            if found is None and meet and question.admitted > before:
                solved = _meeting(question, sizes, chosen, draw)
                found = None if solved is None else _attempt(question, sizes, solved)
        if found is not None:
            return found
    return None


def _attempt(question: Question, sizes: Sizes, chosen: Sequence[tuple[Slot, Option]]) -> Found | None:
    world = build(question, *sizes, chosen)
    failing = None if world is None else question.counterexample(world)
    return None if failing is None else Found(failing, *sizes, tuple(chosen))


def _at_the_edge(
    question: Question,
    sizes: Sizes,
    chosen: Sequence[tuple[Slot, Option]],
    balances: Sequence[Balance],
    edges: Sequence[Edge],
    draw: random.Random,
) -> Found | None:
    """A failing world among those in which what is assumed leaves no room to spare."""
    world = build(question, *sizes, chosen)
    tight = None if world is None else fitted(question, world, balances, edges, draw)
    failing = None if tight is None else question.counterexample(tight)
    return None if failing is None else Found(failing, *sizes, _as_chosen(failing, chosen))


def _as_chosen(world: World, chosen: Sequence[tuple[Slot, Option]]) -> tuple[tuple[Slot, Option], ...]:
    """The choices that would have made a world: what was scaled is told by its tables."""
    return tuple(
        (
            slot,
            option_of(
                [world.tables[slot.symbol][key][: len(jet)] for key, jet in zip(slot.keys, option.entries, strict=True)]
            ),
        )
        for slot, option in chosen
    )


# --- numbers that no list holds -------------------------------------------------------------------------------------


def _wide(question: Question, parts: Sequence[Slot], draw: random.Random) -> list[tuple[Slot, Option]]:
    """Any number of its domain for each slot, any distribution for each law; some as the lists have them."""
    chosen = []
    for slot, option in draw_options(parts, draw, lively=True):
        listed = draw.random() < 0.25
        chosen.append((slot, option if listed else any_option(question, slot, option, draw)))
    return chosen


def any_option(question: Question, slot: Slot, option: Option, draw: random.Random) -> Option:
    """Any distribution for a law, any number of its domain for a value, its slopes those of the given option."""
    order = len(option.entries[0]) - 1
    if order > 1:
        return option
    if slot.symbol.law:
        return _any_law(len(slot.keys), slot.symbol.positive, order, draw)
    value = _any_value(slot.symbol.domain, slot.symbol in question.exponential, draw)
    # The slopes stay: what may be one at the ends of a domain is known there.
    kept = [option.entries[0][0] if value is None else value, *option.entries[0][1:]]
    return option_of([kept]) if in_domain(slot.symbol, kept[0]) else option


def _any_value(domain: Domain, exponential: bool, draw: random.Random) -> Real | None:
    lower, upper = domain.lower, domain.upper
    if lower is not None and upper is not None:
        parts = draw.choice((7, 12, 100))
        share = fmpq(draw.randint(1, parts - 1), parts)
        return reals.real(lower) + reals.real(upper - lower) * share
    size = fmpq(draw.randint(1, 12), draw.randint(1, 12)) * fmpq(*draw.choice(SCALES))
    if lower is not None:
        return reals.real(lower) + size
    if upper is not None:
        return reals.real(upper) - size
    if exponential:
        # Inside an exponential, the logarithm of a rational keeps the numbers rational.
        return reals.log(fmpq(draw.randint(1, 12), draw.randint(1, 12)))
    return draw.choice((1, -1)) * size


def _any_law(size: int, positive: bool, order: int, draw: random.Random) -> Option:
    scale = draw.choice((3, 10, 100))
    weights = [draw.randint(int(positive), scale) for _ in range(size)]
    if not any(weights):
        weights[draw.randrange(size)] = 1
    inside = [k for k, weight in enumerate(weights) if weight]
    slopes = [0] * size
    if order and len(inside) > 1:
        up, down = draw.sample(inside, 2)
        slopes[up], slopes[down] = 1, -1
    tails = [[reals.real(slope)] if order else [] for slope in slopes]
    whole = sum(weights)
    return option_of([fmpq(w, whole), *tail] for w, tail in zip(weights, tails, strict=True))


# --- worlds in which both sides meet --------------------------------------------------------------------------------


def _meeting(
    question: Question, sizes: Sizes, chosen: Sequence[tuple[Slot, Option]], draw: random.Random
) -> list[tuple[Slot, Option]] | None:
    """The choices with one number changed so that the two sides are equal, if their difference is linear in it."""
    scalars = [k for k, (slot, _) in enumerate(chosen) if not slot.symbol.law]
    if not scalars:
        return None
    place = draw.choice(scalars)
    slot, option = chosen[place]
    here = reals.fraction(option.entries[0][0])
    step = Fraction(1, 7)
    if here is None or here + step not in slot.symbol.domain:
        return None

    def with_value(value: Fraction) -> list[tuple[Slot, Option]]:
        changed = option_of([[reals.real(value), *option.entries[0][1:]]])
        return [*chosen[:place], (slot, changed), *chosen[place + 1 :]]

    at = draw.randrange(64)
    first = _difference(question, sizes, with_value(here), at)
    second = _difference(question, sizes, with_value(here + step), at)
    if first is None or second is None or first == second:
        return None
    root = here - first * step / (second - first)
    small = abs(root.numerator) + root.denominator <= LARGEST
    return with_value(root) if small and root in slot.symbol.domain else None


def _difference(
    question: Question, sizes: Sizes, chosen: Sequence[tuple[Slot, Option]], number: int
) -> Fraction | None:
    """left − right in the world of the choices, at one choice of the free indices; None where it is not rational."""
    world = build(question, *sizes, chosen)
    if world is None:
        return None
    left, right = question.pairs[0]
    choices: list[World] = [world.at(at) for at in islice(free_assignments(question.statement.free, world), 64)]
    here = choices[number % len(choices)]
    try:
        return reals.fraction(reals.subtract(here.value(left), here.value(right)))
    except (Undefined, Undetermined):
        return None


__all__ = ["Doubt", "any_option", "doubt"]
