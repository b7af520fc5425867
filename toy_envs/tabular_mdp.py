"""A finite Markov decision process, written down as a table of exact numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import product

from toy_envs.checks import is_index
from toy_envs.errors import BadInput

Transition = tuple[Fraction, int, Fraction, bool]
"""(probability, next_state, reward, terminated), in the order of Gymnasium's tables."""

Policy = tuple[tuple[Fraction, ...], ...]
"""π[s][a], the probability of action a in state s."""


@dataclass(frozen=True)
class TabularMDP:
    """A Markov decision process whose states and actions are few enough to be written down.

    s_0 ~ ρ,  (s_{t+1}, r_t) ~ P(· ∣ s_t, a_t),  J(π) = E[Σ_t γ^t r_t], the sum running until the episode terminates.

    States and actions are numbered from 0; S and A are how many there are. It is the transition that terminates, not
    the state: after one with `terminated` nothing is earned any more, and its next state is only looked at. A state in
    which no episode can go on, such as a goal, has the row `ended` for every action.

    There is no time limit in it. One that belongs to the MDP is put into the state by `with_time`, and terminates; one
    that does not is the environment's `max_episode_steps`, and truncates.

    Arguments:
        name: what it is registered under, "toy_envs/Grid-v0".
        states: S different texts.
        actions: A different texts.
        initial: ρ(s), one number for each state, of sum 1.
        transitions: transitions[s][a], the different transitions of positive probability, of sum 1. The reward may
            depend on s, a and the next state.
        discount: γ, 0 to 1.
        beta: the KL coefficient β > 0, in units of reward per nat; None where there is no reference policy.
        reference: the reference policy π_ref(a∣s), positive everywhere; None where there is none.
        draw: s ↦ how a state is rendered as text; None is the text of `states`.

    Every number is an int or a Fraction, so that what is computed from them can be exact.

    Raises BadInput where an argument is not as said here.

    Source: B III. Sutton and Barto (2018), section 3.1; their R_{t+1} is our r_t.
    """

    name: str
    states: tuple[str, ...]
    actions: tuple[str, ...]
    initial: tuple[Fraction, ...]
    transitions: tuple[tuple[tuple[Transition, ...], ...], ...]
    discount: Fraction = Fraction(1)
    beta: Fraction | None = None
    reference: Policy | None = None
    draw: Callable[[int], str] | None = None

    def __post_init__(self) -> None:
        _check_texts("states", self.states)
        _check_texts("actions", self.actions)
        check_law("initial", self.initial, len(self.states))
        _check_transitions(self.transitions, len(self.states), len(self.actions))
        check_exact("discount", self.discount)
        if not 0 <= self.discount <= 1:
            raise BadInput(f"discount is {self.discount}; expected a number from 0 to 1")
        if (self.beta is None) != (self.reference is None):
            missing = "beta" if self.beta is None else "reference"
            raise BadInput(f"{missing} is None; expected beta and reference, both or neither")
        if self.beta is not None:
            check_exact("beta", self.beta)
            if not self.beta > 0:
                raise BadInput(f"beta is {self.beta}; expected a positive number")
        if self.reference is not None:
            _check_reference(self.reference, len(self.states), len(self.actions))

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The table P[s][a] = [(probability, next_state, reward, terminated)] as Gymnasium's own have it, in floats."""
        return {
            state: {action: [_in_floats(transition) for transition in row] for action, row in enumerate(rows)}
            for state, rows in enumerate(self.transitions)
        }

    def text(self, state: int) -> str:
        """How a state is shown. Raises BadInput where there is no such state."""
        if not is_index(state, len(self.states)):
            raise BadInput(f"state is {state!r}; expected a state, 0 to {len(self.states) - 1}")
        return self.states[state] if self.draw is None else self.draw(state)


def ended(state: int) -> tuple[Transition, ...]:
    """The row of a state in which no episode can go on: nothing changes, nothing is earned, and it terminates."""
    return ((Fraction(1), state, Fraction(0), True),)


def merged(transitions: Iterable[Transition]) -> tuple[Transition, ...]:
    """The same law with equal outcomes counted once, their probabilities added, and without impossible ones."""
    found: dict[tuple[int, Fraction, bool], Fraction] = defaultdict(Fraction)
    for probability, next_state, reward, terminated in transitions:
        found[next_state, reward, terminated] += probability
    return tuple((probability, *outcome) for outcome, probability in found.items() if probability)


def with_time(mdp: TabularMDP, horizon: int) -> TabularMDP:
    """The MDP that terminates after `horizon` steps, with the time in its state.

    State s at time t has the number t·S + s, for t = 0 … horizon; at the time `horizon` no episode goes on. Without the
    time in it the state would not say what is still to come, and V, Q and A would not be functions of it (AD.11).

    Raises BadInput unless `horizon` is a number of steps, 1 or more.
    """
    check_horizon(horizon)
    size = len(mdp.states)

    def later(time: int, row: tuple[Transition, ...]) -> tuple[Transition, ...]:
        over = time + 1 == horizon
        return tuple((p, (time + 1) * size + state, reward, over or done) for p, state, reward, done in row)

    running = tuple(tuple(later(time, row) for row in rows) for time, rows in product(range(horizon), mdp.transitions))
    stopped = tuple((ended(horizon * size + state),) * len(mdp.actions) for state in range(size))
    return replace(
        mdp,
        name=f"{mdp.name}, {horizon} steps",
        states=tuple(f"{state} at {time}" for time, state in product(range(horizon + 1), mdp.states)),
        initial=(*mdp.initial, *(Fraction(0),) * (size * horizon)),
        transitions=running + stopped,
        reference=None if mdp.reference is None else mdp.reference * (horizon + 1),
        draw=partial(_text_with_time, mdp),
    )


def _text_with_time(mdp: TabularMDP, state: int) -> str:
    time, place = divmod(state, len(mdp.states))
    return f"{mdp.text(place)} at {time}"


def _in_floats(transition: Transition) -> tuple[float, int, float, bool]:
    probability, next_state, reward, terminated = transition
    return float(probability), next_state, float(reward), terminated


# --- what is expected -----------------------------------------------------------------------------------------------


def check_horizon(horizon: object) -> None:
    """Raises BadInput unless it is a number of steps, 1 or more."""
    if not (isinstance(horizon, int) and not isinstance(horizon, bool) and horizon >= 1):
        raise BadInput(f"horizon is {horizon!r}; expected a number of steps, 1 or more")


def check_exact(name: str, number: object) -> None:
    """Raises BadInput unless a number is an int or a Fraction."""
    if not isinstance(number, int | Fraction) or isinstance(number, bool):
        raise BadInput(f"{name} is {number!r}; expected an int or a Fraction")


def check_law(name: str, law: Sequence[Fraction], count: int) -> None:
    """Raises BadInput unless a law has `count` exact entries, none negative, of sum 1."""
    if len(law) != count:
        raise BadInput(f"{name} has {len(law)} entries; expected {count}")
    for place, probability in enumerate(law):
        check_exact(f"{name}[{place}]", probability)
        if probability < 0:
            raise BadInput(f"{name}[{place}] is {probability}; expected a probability, 0 or more")
    if sum(law) != 1:
        raise BadInput(f"{name} has the sum {sum(law)}; expected 1")


def _check_texts(name: str, texts: tuple[str, ...]) -> None:
    if not texts:
        raise BadInput(f"{name} is {texts!r}; expected one text or more")
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise BadInput(f"{name} has {twice!r} {texts.count(twice)} times; expected different texts")


def _check_transitions(table: tuple[tuple[tuple[Transition, ...], ...], ...], states: int, actions: int) -> None:
    if len(table) != states:
        raise BadInput(f"transitions has {len(table)} entries; expected one for each of the {states} states")
    for state, rows in enumerate(table):
        if len(rows) != actions:
            raise BadInput(f"transitions[{state}] has {len(rows)} entries; expected one for each of {actions} actions")
        for action, row in enumerate(rows):
            _check_row(f"transitions[{state}][{action}]", row, states)


def _check_row(name: str, row: tuple[Transition, ...], states: int) -> None:
    outcomes = set()
    for place, (probability, next_state, reward, terminated) in enumerate(row):
        here = f"{name}[{place}]"
        check_exact(f"{here}: probability", probability)
        check_exact(f"{here}: reward", reward)
        if not probability > 0:
            raise BadInput(f"{here}: probability is {probability}; expected a positive number")
        if not is_index(next_state, states):
            raise BadInput(f"{here}: next_state is {next_state!r}; expected a state, 0 to {states - 1}")
        if not isinstance(terminated, bool):
            raise BadInput(f"{here}: terminated is {terminated!r}; expected True or False")
        if (next_state, reward, terminated) in outcomes:
            raise BadInput(f"{here} is there twice; expected different outcomes, as `merged` makes them")
        outcomes.add((next_state, reward, terminated))
    total = sum(probability for probability, *_ in row)
    if total != 1:
        raise BadInput(f"{name}: the probabilities have the sum {total}; expected 1")


def _check_reference(reference: Policy, states: int, actions: int) -> None:
    if len(reference) != states:
        raise BadInput(f"reference has {len(reference)} entries; expected one for each of the {states} states")
    for state, law in enumerate(reference):
        check_law(f"reference[{state}]", law, actions)
        if 0 in law:
            raise BadInput(f"reference[{state}][{law.index(Fraction(0))}] is 0; expected a positive number")
