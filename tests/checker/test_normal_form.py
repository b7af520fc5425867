"""Equality of sums for every size: what it proves, and that its canonical form forgets names and order only."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from derivations.checker.errors import Undecided
from derivations.checker.facts import Facts, gather
from derivations.checker.normal_form import Normaliser, Polynomial, Rules
from derivations.checker.statement import assume, covers
from derivations.checker.terms import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Add,
    D,
    Delta,
    E,
    Expectation,
    Index,
    Indicator,
    Multiply,
    Size,
    Sort,
    Sum,
    Term,
    children,
    exp,
    function,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    rebuild,
    substitute,
    term,
    total,
)

S, A, Y = Sort("S"), Sort("A"), Sort("Y")
y, z, u, v, w = Y.indices("y z u v w")
p, q = law("p", Y), law("q", Y)
full = law("p₊", Y, positive=True)
moving = law("p_θ", Y, positive=True, depends=True)
f, g = function("f", Y), function("g", Y)
M = function("M", Y, Y)
c, d = parameter("c", REAL), parameter("d", REAL, depends=True)
a, b = parameter("a", POSITIVE), parameter("b", POSITIVE)
n = parameter("n", NONNEGATIVE)


def equal(left: Term, right: Term | int, facts: Facts | None = None, rules: Rules = Rules.ALL) -> bool:
    return Normaliser(facts or Facts(), rules).equal(left, term(right))


def form(value: Term) -> Polynomial:
    return Normaliser(Facts()).polynomial(value)


# --- identities, with other letters on the other side ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Sum(y, f(y)), Sum(z, f(z))),
        (total(y, z, of=f(y) * g(z)), Sum(u, f(u)) * Sum(v, g(v))),
        (total(y, z, of=M(y, z)), total(z, y, of=M(y, z))),
        (total(y, z, of=M(y, z) * M(z, y)), total(u, v, of=M(v, u) * M(u, v))),
        (total(y, z, of=M(y, z) ** 2 * f(y)), total(v, u, of=f(v) * M(v, u) ** 2)),
        (E(p(y), f(y) + c), E(p(z), f(z)) + c),
        (E(p(y), E(q(z), f(y) * g(z))), E(p(u), f(u)) * E(q(v), g(v))),
        (E(p(y), (f(y) - E(p(z), f(z))) ** 2), E(p(u), f(u) ** 2) - E(p(v), f(v)) ** 2),
        (Sum(y, Sum(z, Delta(y, z) * M(y, z))), Sum(w, M(w, w))),
        (Sum(y, (f(y) + g(y)) ** 3), Sum(z, f(z) ** 3 + 3 * f(z) ** 2 * g(z) + 3 * f(z) * g(z) ** 2 + g(z) ** 3)),
        (E(moving(y), D(log(moving(y)))), term(0)),
        (E(moving(y), D(log(moving(y))) ** 2), -E(moving(z), D(D(log(moving(z)))))),
        (D(E(moving(y), f(y))), E(moving(z), f(z) * D(log(moving(z))))),
        (D(kl(moving, moving, y)), term(0)),
        (Sum(y, c), Size(Y) * c),
        (log(a * b / 2), log(a) + log(b) - log(term(2))),
        (log(a**3), 3 * log(a)),
        (exp(c + d), exp(c) * exp(d)),
        (exp(2 * log(a)), a**2),
        (log(exp(c) * a), c + log(a)),
        (log(1 + exp(c - d)), log(exp(c) + exp(d)) - d),
        (1 / (1 + exp(-c)), exp(c) / (1 + exp(c))),
        (log(1 + a / b), log(a + b) - log(b)),
        (log(c**2 / a + Sum(y, exp(f(y)) / a) + b), log(c**2 + Sum(z, exp(f(z))) + a * b) - log(a)),
        (exp(c / 2) ** 2, exp(c)),
        (E(p(y), p(y) / p(y)), term(1)),
        (E(q(y), p(y) / q(y)), Sum(z, p(z) * Indicator(q(z), "≠", term(0)))),
        (1 / (a + b) + 1 / (a + b), 2 / (a + b)),
        (a / (a + b) + b / (a + b), term(1)),
        (Sum(y, full(y) * exp(f(y)) / Sum(z, full(z) * exp(f(z)))), term(1)),
        (minimum(c, d), minimum(d, c)),
        (maximum(Sum(y, f(y)), c), maximum(c, Sum(z, f(z)))),
        (Indicator(c, "≤", d), 1 - Indicator(d, "<", c)),
    ],
)
def test_identity(left: Term, right: Term) -> None:
    assert equal(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (total(y, z, of=M(y, z)), Sum(y, M(y, y))),
        (total(y, z, of=M(y, z) * M(z, y)), total(u, v, of=M(u, v) * M(u, v))),
        (total(y, z, u, of=M(y, z) * M(z, u)), total(y, z, u, of=M(y, z) * M(y, u))),
        (Sum(y, f(y)) ** 2, Sum(y, f(y) ** 2)),
        (E(p(y), f(y)) * E(p(z), g(z)), E(p(y), f(y) * g(y))),
        (E(q(y), p(y) / q(y)), term(1)),
        (log(n * a), log(a)),
        (log(a + b), log(a) + log(b)),
        (log(1 + exp(c - d)), log(exp(c) + exp(d)) - c),
        (log(1 + exp(-c)), log(1 + exp(c))),
        (log(1 + exp(c / 2 - c)), log(1 + exp(c / 2))),
        (1 / (1 + exp(-c)), 1 / (1 + exp(c))),
        (log(1 + a / b), log(a + b) - log(a)),
        (log(1 + a / n), log(a + n) - log(n)),
        (log(Sum(y, 1 + exp(f(y)) / exp(c))), log(Sum(y, exp(c) + exp(f(y)))) + c),
        (log(1 + Sum(y, a / exp(f(y)))), log(exp(f(y)) + Sum(z, a)) - f(y)),
        (exp(c / 2), exp(c)),
        (1 / (a + b), 1 / a + 1 / b),
        (Indicator(c, "≤", d), 1 - Indicator(d, "≤", c)),
        (minimum(c, d), maximum(c, d)),
        (D(E(moving(y), f(y))), E(moving(z), f(z))),
    ],
)
def test_no_identity(left: Term, right: Term) -> None:
    assert not equal(left, right)


def test_a_logarithm_of_two_unknown_signs_is_not_split() -> None:
    assert not equal(log(c * d), log(c) + log(d))
    assert not equal(log(c**2), 2 * log(c))


def test_rules_that_are_not_given_are_not_used() -> None:
    assert not equal(Sum(y, p(y)), 1, rules=Rules.RING)
    assert not equal(log(a * b), log(a) + log(b), rules=Rules.LAWS)
    assert not equal(D(d * d), 2 * d * D(d), rules=Rules.LAWS | Rules.LOGARITHM)
    assert equal(Sum(y, f(y) * 2), 2 * Sum(z, f(z)), rules=Rules.RING)


def test_a_cover_removes_the_indicator() -> None:
    facts = gather([covers(q(y), p(y))])
    assert equal(E(q(y), p(y) / q(y)), 1, facts)
    assert not equal(E(p(y), q(y) / p(y)), 1, facts)


def test_an_equation_is_put_in_at_every_index() -> None:
    facts = gather([assume("f = g", f(y), "=", g(y) + 1, for_all=[y])])
    assert equal(Sum(z, f(z)), Sum(u, g(u)) + Size(Y), facts)


def test_an_assumed_sum_is_found_inside_a_product() -> None:
    facts = gather([assume("row", Sum(z, M(y, z) * f(z)), "=", g(y), for_all=[y])])
    assert equal(total(u, v, of=f(u) * M(u, v) * f(v)), Sum(w, f(w) * g(w)), facts)


def test_an_assumed_sum_of_a_product_of_two_is_not_that_of_one() -> None:
    facts = gather([assume("gram", Sum(y, M(y, z) * M(y, u)), "=", function("G", Y, Y)(z, u), for_all=[z, u])])
    assert not equal(Sum(y, M(y, v)), function("G", Y, Y)(v, v), facts)


def test_too_much_symmetry_is_undecided_and_not_wrong() -> None:
    indices = Y.indices(" ".join(f"i{k}" for k in range(9)))
    clique: Term = term(1)
    for i in indices:
        for j in indices:
            if i != j:
                clique = clique * (M(i, j) if (int(i.name[1]) + int(j.name[1])) % 3 else M(j, i) ** 2)
    with suppress(Undecided):
        assert equal(total(*indices, of=clique), total(*reversed(indices), of=clique))
    with suppress(Undecided):
        assert not equal(total(*indices, of=clique), total(*indices, of=clique * M(indices[0], indices[1])))


# --- the policy gradient over five steps ----------------------------------------------------------------------------

start = law("ρ", S)
dynamics = law("P", S, given=[S, A])
policy = law("π", A, given=[S], positive=True, depends=True)
reward = function("r", S, A)
STEPS = 5


def gradient(state: str, action: str, of_step: Callable[[int, Callable[[int], Term]], Term]) -> Term:
    """E[Σ_t ∇log π_t · (what belongs to step t)] over five steps, with the given letters."""
    states, actions = ([Index(f"{name}{k}", sort) for k in range(STEPS)] for name, sort in ((state, S), (action, A)))
    weight: Term = start(states[0])
    for k in range(STEPS):
        weight = weight * policy(actions[k], states[k])
        if k + 1 < STEPS:
            weight = weight * dynamics(states[k + 1], states[k], actions[k])
    body = Add(
        tuple(
            D(log(policy(actions[k], states[k]))) * of_step(k, lambda j: reward(states[j], actions[j]))
            for k in range(STEPS)
        )
    )
    return total(*[i for pair in zip(states, actions, strict=True) for i in pair], of=weight * body)


def from_step(first: Callable[[int], int]) -> Callable[[int, Callable[[int], Term]], Term]:
    return lambda k, r: Add(tuple(r(j) for j in range(first(k), STEPS)))


def test_reward_to_go_over_five_steps_with_other_letters() -> None:
    assert equal(gradient("s", "a", from_step(lambda k: 0)), gradient("x", "u", from_step(lambda k: k)))


def test_reward_to_go_shifted_by_one_is_not_the_gradient() -> None:
    assert not equal(gradient("s", "a", from_step(lambda k: 0)), gradient("x", "u", from_step(lambda k: k + 1)))


def test_reward_to_go_of_a_lost_reward_is_not_the_gradient() -> None:
    def lost(k: int, r: Callable[[int], Term]) -> Term:
        return Add(tuple(r(j) for j in range(k, STEPS) if (k, j) != (1, 3)))

    assert not equal(gradient("s", "a", from_step(lambda k: 0)), gradient("x", "u", lost))


# --- the canonical form ---------------------------------------------------------------------------------------------

SHAPES = [
    total(y, z, u, of=M(y, z) * M(z, u) * M(u, y)),
    total(y, z, u, v, of=M(y, z) * M(u, v) * f(y) * f(v)),
    total(y, z, of=M(y, z) ** 2 * M(z, y)) + total(u, v, of=M(u, v) * M(v, u) ** 2) + c,
    E(p(y), E(q(z), M(y, z) * M(z, y) * log(a + Sum(u, full(u) * exp(M(y, u) * M(u, z)))))),
    total(y, z, w, of=exp(M(y, z) + M(z, w)) * f(w)) / (a + Sum(u, full(u) * b)),
    Sum(y, minimum(f(y) * Sum(z, M(y, z)), g(y), c) * Indicator(f(y), "<", Sum(u, M(u, y)))),
    total(y, z, of=Delta(y, z) * M(y, v) * M(v, z) + f(y) * g(z)) * D(d),
    D(E(moving(y), E(moving(z), M(y, z) * log(moving(y))))),
]


def shuffled(value: Term, draw: random.Random) -> Term:
    """The same term: bound indices renamed, terms and factors reordered, at every depth."""
    parts: Sequence[Term] = [shuffled(child, draw) for child in children(value)]
    if isinstance(value, (Add, Multiply)):
        parts = draw.sample(parts, len(parts))
    other = Index(draw.choice("βγκλμ") + str(draw.randrange(10**6)), Y)
    match rebuild(value, tuple(parts)):
        case Sum(index, body):
            return Sum(other, substitute(body, {index: other}))
        case Expectation(distribution, body) as expectation:
            (index,) = expectation.indices
            return E(distribution.function(other, *distribution.arguments[1:]), substitute(body, {index: other}))
        case result:
            return result


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=some.sampled_from(SHAPES), seed=some.integers(0, 10**9))
def test_the_form_forgets_names_and_order(shape: Term, seed: int) -> None:
    assert form(shuffled(shape, random.Random(seed))) == form(shape)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    edges=some.lists(some.tuples(some.integers(0, 3), some.integers(0, 3)), min_size=2, max_size=6), data=some.data()
)
def test_relabelled_graphs_have_one_form_and_no_others(edges: list[tuple[int, int]], data: some.DataObject) -> None:
    """Σ Π M(i, j) over the edges of a graph: equal forms exactly where a permutation of the nodes maps one to the other."""
    nodes = Y.indices("y z u v")
    renaming = data.draw(some.permutations(range(4)))
    order = data.draw(some.permutations(edges))

    def product(pairs: Sequence[tuple[int, int]]) -> Term:
        return total(*nodes, of=Multiply(tuple(M(nodes[i], nodes[j]) for i, j in pairs)))

    assert form(product(edges)) == form(product([(renaming[i], renaming[j]) for i, j in order]))
    (i, j), *rest = edges
    changed = [(j, i), *rest]
    assert (form(product(edges)) == form(product(changed))) == isomorphic(edges, changed)


def isomorphic(left: Sequence[tuple[int, int]], right: Sequence[tuple[int, int]]) -> bool:
    return any(sorted((way[i], way[j]) for i, j in left) == sorted(right) for way in permutations(range(4)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(coefficients=some.lists(some.fractions(-3, 3, max_denominator=4), min_size=3, max_size=3))
def test_coefficients_are_collected(coefficients: list[Fraction]) -> None:
    parts = [k * t for k, t in zip(coefficients, (Sum(y, f(y)), Sum(z, f(z)), Sum(u, g(u))), strict=True)]
    first, second, third = coefficients
    assert equal(Add(tuple(parts)), (first + second) * Sum(v, f(v)) + third * Sum(w, g(w)))
    assert equal(Add(tuple(parts)), 0) == (first + second == 0 and third == 0)
