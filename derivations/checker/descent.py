"""A counterexample to an inequality, looked for downhill.

Where an inequality fails in few worlds only, one drawn at random hardly ever lies among them. Here a world is changed in
one place at a time, and the change is kept when the sides come no further apart; what is assumed is made to hold with
nothing to spare, as in `tight`. How far the sides are apart is a float, and only leads the way: whether the statement
fails in the world that is reached is asked of the question, in exact numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from derivations.checker.candidates import Option, Sizes, Slot, build
from derivations.checker.doubt import any_option
from derivations.checker.question import Question
from derivations.checker.refute import Counterexample, Effort, draw_options, places_of
from derivations.checker.statement import Statement
from derivations.checker.tight import Balance, Edge, balances_of, edges_of, fitted
from derivations.checker.worlds import World

LARGEST, ENTRIES = 3, 80
KINDS, EACH = 4, 2  # sizes at which a search begins
RUNS, STARTS, STEPS = 8, 6, 44
FAR, LATE = 0.95, 12  # a search that is still so far from a counterexample after so many steps is given up
AGAIN = 0.3  # how often one more number is changed at once
Chosen = list[tuple[Slot, Option]]


def descend(statement: Statement, seed: int = 0) -> Counterexample | None:
    """A world in which an inequality fails, if changing one number after the other leads to one."""
    if statement.relation not in ("≤", "≥", "<", ">") or statement.exists:
        return None
    question = Question(statement)
    places = _places(question)
    slope = _Slope(question, edges_of(question), balances_of(question), random.Random(seed))
    for run in range(RUNS if places else 0):
        sizes, parts = places[run % len(places)]
        found = slope.run(run, sizes, parts)
        if found is not None:
            left, right = question.sides(found)
            total = sum(sizes[0].values()) + sum(sizes[1].values())
            return Counterexample(found, (total, 0, 0), left, right)
    return None


def _places(question: Question) -> list[tuple[Sizes, list[Slot]]]:
    """The smallest worlds in which as many functions as possible may differ from what they are elsewhere."""
    effort = Effort(sizes=10_000, largest=LARGEST, entries=ENTRIES)
    kinds: dict[int, list[tuple[Sizes, list[Slot]]]] = {}
    for place in places_of(question, effort):
        if all(slot.options for slot in place[1]):
            open_ones = {slot.symbol for slot in place[1] if len(slot.options) > 1}
            steps = max(place[0][1].values(), default=0)
            kinds.setdefault(len(open_ones) + min(steps, 2), []).append(place)
    ranked = [sorted(kinds[number], key=lambda place: len(place[1]))[:EACH] for number in sorted(kinds, reverse=True)]
    return sorted((place for group in ranked[:KINDS] for place in group), key=lambda place: len(place[1]))


@dataclass
class _Slope:
    question: Question
    edges: Sequence[Edge]
    balances: Sequence[Balance]
    draw: random.Random
    handles: int = field(default=0)

    def run(self, number: int, sizes: Sizes, parts: list[Slot]) -> World | None:
        """A failing world of these sizes, from the best of a few starts on."""
        self.handles = number
        best: Chosen | None = None
        height = 0.0
        for step in range(STARTS + STEPS):
            if step in (STARTS, STARTS + LATE) and (best is None or height > (1.0 if step == STARTS else FAR)):
                return None
            if step < STARTS or best is None:
                trial = draw_options(parts, self.draw, lively=step % 2 == 0)
            else:
                trial = self._changed(best)
            world, slack = self._look(sizes, trial)
            if world is None or slack is None:
                continue
            if slack <= 0:
                failing = self.question.counterexample(world)
                if failing is not None:
                    return failing
            if best is None or slack <= height:
                best, height = trial, slack
        return None

    def _changed(self, chosen: Chosen) -> Chosen:
        if self.draw.random() < AGAIN:
            chosen = self._changed(chosen)
        place = self.draw.randrange(len(chosen))
        slot, option = chosen[place]
        other = self.draw.choice(slot.options)
        if self.draw.random() < 0.5:
            other = any_option(self.question, slot, option, self.draw)
        return [*chosen[:place], (slot, other), *chosen[place + 1 :]]

    def _look(self, sizes: Sizes, chosen: Chosen) -> tuple[World | None, float | None]:
        world = build(self.question, *sizes, chosen)
        if world is not None and (self.edges or self.balances):
            # The same numbers are made to fit in the whole of a run: the way down is one.
            world = fitted(self.question, world, self.balances, self.edges, random.Random(self.handles))
        return world, None if world is None else self.question.slack(world)


__all__ = ["descend"]
