"""Section VII: trust region policy optimisation.

A history of t steps is h = (s_0, a_0, …, s_{t−1}, a_{t−1}); policies, rewards and dynamics may depend on all of it, and
"a state" is a history with its next state s. The Markov case is a special case: there everything depends on s alone.
π is the old policy, π′ the new one, p and p′ are their laws of histories. γᵗ, the returns G, the values V of π (Bellman's
equation) and its advantages A = Q − V are functions of histories. V at the last histories is left open: zero where the
episode ends, the value of what follows where it goes on. η(π) = E_p[G + γᵗ V], for every horizon t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod

from derivations.checker.calculus import convex_in
from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    Derivation,
    algebra,
    arithmetics,
    begin,
    differentiation,
    hypothesis,
    laws_sum_to_one,
    lemma,
    pointwise,
)
from derivations.checker.statement import assume, first_order, point, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    Definition,
    Delta,
    Domain,
    E,
    Function,
    Index,
    Length,
    Path,
    Recursion,
    Size,
    Sort,
    Sum,
    Term,
    define,
    exp,
    function,
    kl,
    law,
    log,
    maximum,
    parameter,
    recursion,
    term,
    total,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim, Measured
from derivations.sections.objects import A, H, S, a, b, dynamics, h, s

# --- trajectories, returns, values ----------------------------------------------------------------------------------

following = S.index("s′")
gamma = parameter("γ", UNIT)
old = law("π", A, given=[H, S], positive=True)
new = law("π′", A, given=[H, S], positive=True)
old_path, new_path = law("p", H), law("p′", H)
reward = function("r", H, S, A)
value, new_value = function("V", H, S), function("V′", H, S)
advantage = function("A", H, S, A)
discount = function("γᵗ", H, domain=UNIT)
returns = function("G", H)
gains = function("B", H)
steps = function("n", H, domain=NONNEGATIVE)
EMPTY = Path(H, None, ())


def path_law(path: Function, pi: Function) -> Recursion:
    """p(h·s·a) = p(h) P(s∣h) π(a∣h, s)."""
    return recursion(path, start=lambda: 1, step=lambda h, s, a: path(h) * dynamics(s, h) * pi(a, h, s))


def action_value(values: Function, action: Index) -> Term:
    """Q(h, s, a) = r(h, s, a) + γ Σ_s′ P(s′∣h·s·a) V(h·s·a, s′)."""
    extended = Path(H, h, (s, action))
    return reward(h, s, action) + gamma * Sum(following, dynamics(following, extended) * values(extended, following))


def bellman(values: Function, pi: Function) -> Definition:
    """V(h, s) = Σ_b π(b∣h, s) Q(h, s, b)."""
    return define(values(h, s), Sum(b, pi(b, h, s) * action_value(values, b)))


def summed(symbol: Function, summand: Callable[..., Term]) -> Recursion:
    """Σ_k γᵏ of a summand, over the steps of a history."""
    return recursion(symbol, start=lambda: 0, step=lambda h, s, a: symbol(h) + discount(h) * summand(h, s, a))


def first_value(values: Function) -> Term:
    """Σ_s ρ(s) V(s): the value at the start."""
    return Sum(s, dynamics(s, EMPTY) * values(EMPTY, s))


def last_value(values: Function) -> Term:
    """Σ_s P(s∣h) V(h, s): the value after the last step."""
    return Sum(s, dynamics(s, h) * values(h, s))


def eta(path: Function, values: Function = value) -> Term:
    """η = E[G + γᵗ V]: the expected discounted rewards of t steps and the value of what follows."""
    return E(path(h), returns(h) + discount(h) * last_value(values))


old_law, new_law = path_law(old_path, old), path_law(new_path, new)
powers = recursion(discount, start=lambda: 1, step=lambda h, s, a: gamma * discount(h))
counting = recursion(steps, start=lambda: 0, step=lambda h, s, a: steps(h) + 1)
return_sum = summed(returns, lambda h, s, a: reward(h, s, a))
gain_sum = summed(gains, lambda h, s, a: advantage(h, s, a))
values_of_old, values_of_new = bellman(value, old), bellman(new_value, new)
advantages = define(advantage(h, s, a), action_value(value, a) - value(h, s))
BOTH = (old_law, new_law, powers)

# --- TP.1: an infinite horizon --------------------------------------------------------------------------------------

largest = parameter("M", NONNEGATIVE)
error = parameter("e", POSITIVE)
discounted = assume("γ < 1", gamma, "<", 1)


def absolute(x: Term) -> Term:
    """∣x∣."""
    return maximum(x, -x)


bounded_values = assume("∣V∣ ≤ M", absolute(value(h, s)), "≤", largest, for_all=[h, s])
bounded_new_values = assume("∣V′∣ ≤ M", absolute(new_value(h, s)), "≤", largest, for_all=[h, s])
late = assume("1 + t(1 − γ) ≥ 2M/e", (1 + Length(H) * (1 - gamma)) * error, "≥", 2 * largest)
remainder = E(new_path(h), discount(h) * (last_value(value) - last_value(new_value)))
MEAN_POWER = E(new_path(h), discount(h))

# --- TP.2: first order ----------------------------------------------------------------------------------------------

moving = law("π_θ", A, given=[H, S], positive=True, depends=True)
moving_path = law("p_θ", H, depends=True)
moving_law = path_law(moving_path, moving)
gaining = function("C", H)
gaining_moved = function("C", H, depends=True)


def expected_advantage(pi: Function) -> Callable[[Index, Index, Index], Term]:
    """Σ_b π(b∣h, s) A(h, s, b)."""
    return lambda h, s, _: Sum(b, pi(b, h, s) * advantage(h, s, b))


surrogate_sum = summed(gaining, expected_advantage(new))
moved_surrogate_sum = summed(gaining_moved, expected_advantage(moving))
SURROGATE = eta(old_path) + E(old_path(h), gaining(h))
MOVED_SURROGATE = eta(old_path) + E(old_path(h), gaining_moved(h))
at_old = assume("θ = θ_old", moving(a, h, s), "=", old(a, h, s), for_all=[a, h, s])
MOVED = (old_law, moving_law, powers, return_sum, moved_surrogate_sum)
unweighted = function("U", H, depends=True)
unweighted_sum = recursion(
    unweighted,
    start=lambda: 0,
    step=lambda h, s, a: unweighted(h) + Sum(b, moving(b, h, s) * advantage(h, s, b)),
)

moving_value = function("V_θ", H, S, depends=True)
values_of_moving = bellman(moving_value, moving)
advantages_at_old = assume(
    "A is the advantage at θ_old",
    advantage(h, s, a),
    "=",
    action_value(moving_value, a) - moving_value(h, s),
    for_all=[h, s, a],
)
steepest, steep = parameter("M′", NONNEGATIVE), parameter("Z", NONNEGATIVE)
largest_reward = parameter("R", NONNEGATIVE)
bounded_slopes = assume("∣∇V_θ∣ ≤ M′", absolute(D(moving_value(h, s))), "≤", steepest, for_all=[h, s])
late_slope = assume("1 + t(1 − γ) ≥ M′/e", (1 + Length(H) * (1 - gamma)) * error, "≥", steepest)
FOREVER = first_value(moving_value)
REST = E(old_path(h), discount(h) * Sum(s, dynamics(s, h) * D(moving_value(h, s))))
GAINED = E(old_path(h), gaining_moved(h))
LARGEST_VALUE = largest_reward / (1 - gamma)
bounded_rewards = assume("∣r∣ ≤ R", absolute(reward(h, s, a)), "≤", largest_reward, for_all=[h, s, a])
LATER = Path(H, h, (s, a))
bounded_later = assume(
    "∣V_θ∣ ≤ R/(1 − γ) a step later",
    absolute(moving_value(LATER, following)),
    "≤",
    LARGEST_VALUE,
    for_all=[h, s, a, following],
)
bounded_policy = assume("Σ∣∇π_θ∣ ≤ Z", Sum(b, absolute(D(moving(b, h, s)))), "≤", steep, for_all=[h, s])
LARGEST_SLOPE = steep * largest_reward / (1 - gamma) ** 2
bounded_slopes_later = assume(
    "∣∇V_θ∣ ≤ ZR/(1 − γ)² a step later",
    absolute(D(moving_value(LATER, following))),
    "≤",
    LARGEST_SLOPE,
    for_all=[h, s, a, following],
)
NEXT = dynamics(following, Path(H, h, (s, b)))
LATER_VALUE = reward(h, s, b) + gamma * moving_value(Path(H, h, (s, b)), following)
LATER_SLOPE = D(moving_value(Path(H, h, (s, b)), following))
ONE_STEP = Sum(b, moving(b, h, s) * action_value(moving_value, b))


def two_steps(*, states: int, actions: int) -> list[tuple[int, ...]]:
    """The histories of at most two steps."""
    step = [(state, action) for state in range(states) for action in range(actions)]
    return [(), *step, *(first + then for first in step for then in step)]


def _discounted_second_step() -> World:
    """Two steps, one state, reward 1 for arm 1, γ = ½: towards arm 1 now and away from it later."""
    paths = two_steps(states=1, actions=2)
    half = Fraction(1, 2)
    even = {(arm, h, 0): half for arm in (0, 1) for h in paths}
    turn = {(arm, h, 0): (1 if arm else -1) * (1 if not h else Fraction(-3, 2)) for arm, h, _ in even}
    return world(
        {S: 1, A: 2},
        {
            gamma: half,
            dynamics: {(0, h): 1 for h in paths},
            old: even,
            moving: even,
            reward: {(h, 0, arm): arm for arm, h, _ in even},
            value: {(h, 0): 0 for h in paths},
        },
        lengths={H: 2},
        slopes={moving: turn},
    )


# --- TP.3: the bound ------------------------------------------------------------------------------------------------

HALF = term(1) / 2
w = A.index("w")
first, second = law("q", A, positive=True), law("q′", A, positive=True)
f, g = function("f", A), function("g", A)
u, v = function("u", A, domain=POSITIVE), function("v", A, domain=POSITIVE)
FIRST_ROOT = assume("q = u²", first(a), "=", u(a) ** 2, for_all=[a])
SECOND_ROOT = assume("q′ = v²", second(a), "=", v(a) ** 2, for_all=[a])
ROOTS = [FIRST_ROOT, SECOND_ROOT]
OVERLAP = Sum(a, u(a) * v(a))
HELLINGER = Sum(a, (u(a) - v(a)) ** 2)
ROOT_SUM = Sum(a, (u(a) + v(a)) ** 2)
DISTANCE = Sum(a, absolute(first(a) - second(a)))
DIVERGENCE = kl(first, second, a)

alpha = parameter("α", NONNEGATIVE)
epsilon = parameter("ε_A", NONNEGATIVE)
within = assume(
    "D(π‖π′) ≤ α²",
    kl(lambda i: old(i, h, s), lambda i: new(i, h, s), a),
    "≤",
    alpha**2,
    for_all=[h, s],
)
bounded = assume("∣A∣ ≤ ε_A", absolute(advantage(h, s, a)), "≤", epsilon, for_all=[h, s, a])
step_distance = Sum(a, absolute(new(a, h, s) - old(a, h, s)))
path_distance = Sum(h, discount(h) * absolute(new_path(h) - old_path(h)))
delay = function("N", H, domain=NONNEGATIVE)
delay_sum = summed(delay, lambda h, s, a: steps(h))
PAIR = new_path(h) * dynamics(s, h) * new(a, h, s) - old_path(h) * dynamics(s, h) * old(a, h, s)
NEXT_DISTANCE = total(h, s, a, of=discount(h) * absolute(PAIR))
SPLIT_DISTANCE = total(
    h,
    s,
    a,
    of=discount(h)
    * (
        absolute(new_path(h) - old_path(h)) * dynamics(s, h) * new(a, h, s)
        + old_path(h) * dynamics(s, h) * absolute(new(a, h, s) - old(a, h, s))
    ),
)
MEAN_STEPS = E(old_path(h), discount(h) * steps(h))
SHIFT = Sum(a, (new(a, h, s) - old(a, h, s)) * advantage(h, s, a))
STATE_SHIFT = total(h, s, of=(new_path(h) - old_path(h)) * discount(h) * dynamics(s, h) * SHIFT)
WALK = (*BOTH, counting)
CORE = (*WALK, delay_sum, surrogate_sum)
WHOLE = (*CORE, return_sum, gain_sum)
PENALTY = 4 * epsilon * gamma / (1 - gamma) ** 2 * alpha**2
LOWER = SURROGATE - PENALTY


def _drifting(
    sign: int,
    *,
    power: Fraction = Fraction(9, 10),
    start: Fraction = Fraction(1, 2),
    stake: int = 1,
    bounds: Mapping[str, Fraction] | None = None,
) -> World:
    """Three steps, π even, π′ = (⅜, ⅝), ±`start` at first: then, times the sign, what was chosen more often pays.

    So that the change of the law of states brings, or costs, what TP.3 allows, but for a factor. V = 0.
    """
    paths = [h for length in range(4) for h in _words(length)]
    half, less = Fraction(1, 2), Fraction(3, 8)
    arms = [(arm, h, 0) for h in paths for arm in (0, 1)]
    before, after = ({at: half + (2 * at[0] - 1) * shift for at in arms} for shift in (Fraction(0), half - less))

    def pays(h: tuple[int, ...]) -> Fraction:
        balance = 2 * sum(h[1::2]) - len(h) // 2
        return Fraction(stake * sign * ((balance > 0) - (balance < 0))) if h else start

    gains = {(h, 0, arm): (2 * arm - 1) * pays(h) for arm, h, _ in arms}
    chances = {h: prod((1 - less if arm else less for arm in h[1::2]), start=Fraction(1)) for h in paths}
    numbers = {"α": Fraction(9, 50), "ε_A": Fraction(stake), "M": Fraction(3), "δ_KL": Fraction(1, 20)}
    least = {**numbers, **(bounds or {})}
    return world(
        {S: 1, A: 2},
        {
            gamma: power,
            alpha: least["α"],
            epsilon: least["ε_A"],
            largest: least["M"],
            error: 2 * least["M"] / (1 + 3 * (1 - power)),
            delta: least["δ_KL"],
            dynamics: {(0, h): 1 for h in paths},
            old: before,
            new: after,
            old_path: {(h,): half ** (len(h) // 2) for h in paths},
            new_path: {(h,): chance for h, chance in chances.items()},
            discount: {(h,): power ** (len(h) // 2) for h in paths},
            steps: {(h,): len(h) // 2 for h in paths},
            reward: gains,
            advantage: gains,
            value: {(h, 0): 0 for h in paths},
            new_value: {(h, 0): 0 for h in paths},
        },
        lengths={H: 3},
    )


def _words(length: int) -> list[tuple[int, ...]]:
    """The histories of so many steps: one state, two actions."""
    return [tuple(x for arm in arms for x in (0, arm)) for arms in product((0, 1), repeat=length)]


@cache
def _drifts(sign: int) -> tuple[World, ...]:
    """With what bounds the policies and the advantages, and where one of the two does not."""
    tiny = Fraction(1, 1000)
    return (
        _drifting(sign),
        _drifting(sign, power=Fraction(1, 50)),
        _drifting(sign, stake=20),
        _drifting(sign, bounds={"α": tiny, "δ_KL": tiny}),
        _drifting(sign, bounds={"ε_A": tiny}),
    )


@cache
def _rising() -> World:
    """Three steps, γ = 0, towards the arm that pays 1 from the one that pays nothing, after every history."""
    paths = [h for length in range(5) for h in _words(length)]
    half = Fraction(1, 2)
    arms = [(arm, h, 0) for h in paths for arm in (0, 1)]
    even, turn = {at: half for at in arms}, {at: 2 * at[0] - 1 for at in arms}
    states = [(h, 0) for h in paths]
    return world(
        {S: 1, A: 2},
        {
            gamma: 0,
            error: Fraction(1, 4),
            steepest: 1,
            dynamics: {(0, h): 1 for h in paths},
            old: even,
            moving: even,
            old_path: {(h,): half ** (len(h) // 2) for h in paths},
            discount: {(h,): int(not h) for h in paths},
            reward: {(h, 0, arm): arm for arm, h, _ in arms},
            advantage: {(h, 0, arm): arm - half for arm, h, _ in arms},
            moving_value: {at: half for at in states},
        },
        lengths={H: 3},
        slopes={moving: turn, moving_value: {at: 1 for at in states}},
    )


@cache
def _steady(pay: int) -> World:
    """Three steps, γ = 0, always the same reward."""
    paths = [h for length in range(5) for h in _words(length)]
    arms = [(arm, h, 0) for h in paths for arm in (0, 1)]
    numbers = {gamma: 0, largest: 1, error: Fraction(1, 2)}
    return world(
        {S: 1, A: 2},
        {
            **numbers,
            dynamics: {(0, h): 1 for h in paths},
            old: {at: Fraction(1, 2) for at in arms},
            new: {at: Fraction(1 + at[0], 3) for at in arms},
            reward: {(h, 0, arm): pay for arm, h, _ in arms},
            value: {(h, 0): pay for h in paths},
            new_value: {(h, 0): pay for h in paths},
            advantage: {(h, 0, arm): 0 for arm, h, _ in arms},
        },
        lengths={H: 3},
    )


@cache
def _unit_roots() -> tuple[World, ...]:
    """Laws whose probabilities are squares of rationals."""
    pairs = (
        ([Fraction(3, 5), Fraction(4, 5)], [Fraction(4, 5), Fraction(3, 5)]),
        ([Fraction(5, 13), Fraction(12, 13)], [Fraction(4, 5), Fraction(3, 5)]),
        ([Fraction(1, 3), Fraction(2, 3), Fraction(2, 3)], [Fraction(2, 3), Fraction(2, 3), Fraction(1, 3)]),
        ([Fraction(1, 9), Fraction(4, 9), Fraction(8, 9)], [Fraction(2, 7), Fraction(3, 7), Fraction(6, 7)]),
    )
    return tuple(
        world({A: len(x)}, {u: x, v: y, first: [p**2 for p in x], second: [p**2 for p in y]}) for x, y in pairs
    )


def surrogate_bound(sign: int) -> Derivation:
    """η(π′) ≥ L(π′) − C (sign −1), or η(π′) ≤ L(π′) + C (sign 1)."""
    comparison, steps_bound = ("≥", "TP.3.below") if sign < 0 else ("≤", "TP.3.above")
    return (
        begin(eta(new_path))
        .then("=", eta(old_path) + E(new_path(h), gains(h)), lemma("TP.1"))
        .then("=", eta(old_path) + E(new_path(h), gaining(h)), lemma("TP.3.tower"))
        .then(
            comparison,
            SURROGATE + sign * 4 * alpha**2 * epsilon * E(old_path(h), delay(h)),
            lemma(steps_bound),
        )
        .then(comparison, SURROGATE + sign * PENALTY, lemma("TP.3.series", times=4 * alpha**2 * epsilon))
    )


def root_sum(sign: int) -> Derivation:
    """Σ (u ± v)² = 2 ± 2 Σ uv, because Σ u² = Σ v² = 1."""
    return (
        begin(Sum(a, (u(a) + sign * v(a)) ** 2))
        .then(
            "=",
            Sum(a, first(a) + second(a) + sign * 2 * u(a) * v(a)),
            hypothesis("q = u²"),
            hypothesis("q′ = v²"),
        )
        .then("=", 2 + sign * 2 * OVERLAP, laws_sum_to_one)
    )


# --- TP.4: does it always improve? ----------------------------------------------------------------------------------

old_arm, new_arm = law("π", A, positive=True), law("π′", A, positive=True)
pay = function("r", A)
delta = parameter("δ_KL", POSITIVE)
arms_within = assume("D(π‖π′) ≤ δ_KL", kl(old_arm, new_arm, a), "≤", delta)
shared, moved_chance, other_chance = (parameter(name, OPEN_UNIT) for name in ("p", "p′", "u"))
small = parameter("t", Domain(Fraction(0), Fraction(1, 4), lower_open=True))


def binary_kl(p: Term, q: Term) -> Term:
    """D((p, 1 − p)‖(q, 1 − q)), written out."""
    return p * (log(p) - log(q)) + (1 - p) * (log(1 - p) - log(1 - q))


def parabola(p: Term) -> Term:
    """η = p(½ − p): two states share p."""
    return p * (HALF - p)


def shared_surrogate(p: Term, q: Term) -> Term:
    """L(q) − η(p), from the exact advantages of both states under p."""
    second_value = HALF - p
    first_value_ = p * second_value
    at_first = q * (second_value - first_value_) + (1 - q) * (0 - first_value_)
    at_second = (1 - q) * (HALF - second_value) + q * (-HALF - second_value)
    return at_first + p * at_second


slope_is_positive = assume("the surrogate's slope ½ − 2p is positive", HALF - 2 * shared, ">", 0)
moved_up = assume("p′ > p", moved_chance, ">", shared)
no_worse = assume("the bound at π′ is at least η(π), its value at π", SURROGATE - PENALTY, "≥", eta(old_path))

# --- TP.5: ratios ---------------------------------------------------------------------------------------------------

t = parameter("t", POSITIVE)
inverse_ratio = parameter("x", OPEN_UNIT)
scale = parameter("λ", REAL)
ratio = new_arm(a) / old_arm(a)
hundredth = assume("D(π_old‖π) ≤ 1/100", kl(old_arm, new_arm, b), "≤", Fraction(1, 100))
CURVE = (2 * t + 4) * (t * log(t) - t + 1)
POINT = (2 * first(a) + 4 * second(a)) * (first(a) * (log(first(a)) - log(second(a))) - first(a) + second(a))
EACH = (
    scale**2 * (2 * first(a) + 4 * second(a)) / 3 + first(a) * (log(first(a)) - log(second(a))) - first(a) + second(a)
) / 2
ARMS_DISTANCE = Sum(a, absolute(old_arm(a) - new_arm(a)))


def _rare_arm() -> World:
    """Probability 1/10000 → 1/100: a ratio of 100 at a divergence below 1/100."""
    least, much = Fraction(1, 10_000), Fraction(1, 100)
    return world({A: 2}, {old_arm: [least, 1 - least], new_arm: [much, 1 - much]}, indices={a: 0})


# --- TP.6: the second derivative ------------------------------------------------------------------------------------

theta_policy = law("π_θ", A, positive=True, depends=True)
frozen = law("π_old", A, positive=True)
THETA_OLD = point("θ_old", {theta_policy: frozen})
at_frozen = assume("θ = θ_old", theta_policy(a), "=", frozen(a), for_all=[a])
MOVING_KL = kl(frozen, theta_policy, a)

# --- TP.7, TP.8: the natural step -----------------------------------------------------------------------------------

C, X = Sort("C"), Sort("X")
i, j, k, m, n = C.indices("i j k m n")
o = X.index("o")
outcome = law("μ", X)
score = function("z", X, C)
gradient, solution, direction = function("g", C), function("v", C), function("d", C)
other_solution = function("w", C)
inverse = function("K", C, C)
length = parameter("σ", POSITIVE)
strength = parameter("c", POSITIVE)


def fisher(row: Index, column: Index, over: Index = o) -> Term:
    """F(i, j) = E[z_i z_j]: the Fisher matrix of the scores z."""
    return E(outcome(over), score(over, row) * score(over, column))


def dot(x: Function, y: Function, over: Index = i) -> Term:
    """xᵀy."""
    return Sum(over, x(over) * y(over))


def along(x: Function, over: Index = i) -> Term:
    """z·x, for an outcome."""
    return Sum(over, score(o, over) * x(over))


def form(x: Function, y: Function) -> Term:
    """xᵀFy = E[(z·x)(z·y)]."""
    return E(outcome(o), along(x, i) * along(y, j))


solves = assume("Fv = g", gradient(i), "=", Sum(j, fisher(i, j) * solution(j)), for_all=[i])
also_solves = assume("Fw = g", Sum(j, fisher(i, j) * other_solution(j)), "=", gradient(i), for_all=[i])
inverted = assume(
    "FK = 1: F is positive definite, K its inverse",
    Sum(j, fisher(i, j) * inverse(j, k)),
    "=",
    Delta(i, k),
    for_all=[i, k],
)
feasible = assume("½dᵀFd ≤ δ_KL", form(direction, direction) / 2, "≤", delta)


def natural(at: Index, over: Index = k) -> Term:
    """F⁻¹g."""
    return Sum(over, inverse(at, over) * gradient(over))


NATURAL_SQUARE = Sum(i, gradient(i) * natural(i))
is_length = assume("σ² gᵀv = 2δ_KL", delta, "=", length**2 * dot(gradient, solution) / 2)
is_natural_length = assume("σ is the root of 2δ_KL/gᵀF⁻¹g", delta, "=", length**2 * NATURAL_SQUARE / 2)
free_scale = parameter("τ", REAL)
x, y = function("x", C), function("y", C)
OFF = E(outcome(o), (along(x) - along(y)) ** 2)
COLUMN_SQUARE = E(outcome(o), (along(direction) - free_scale * Sum(j, score(o, j) * inverse(j, n))) ** 2)
AXIS_SQUARE = E(outcome(o), (along(solution) - free_scale * score(o, m)) ** 2)
as_good = assume("gᵀd ≥ gᵀd*", dot(gradient, direction), "≥", length * NATURAL_SQUARE)
real_delta = parameter("δ", REAL)

logits = law("π", C)
logit_score = function("A", C)
arm_chance = parameter("p", OPEN_UNIT)


def softmax_fisher(row: Index, column: Index) -> Term:
    """π_i(δ_ij − π_j)."""
    return logits(row) * (Delta(row, column) - logits(column))


def two_arm_determinant(p: Term) -> Term:
    """det F of two arms."""
    q = 1 - p
    return (p - p * p) * (q - q * q) - (p * q) ** 2


def penalised(x: Function) -> Term:
    """gᵀx − (c/2)xᵀFx."""
    return dot(gradient, x) - strength / 2 * form(x, x)


PENALISED_OFF = E(outcome(o), (along(solution) - strength * along(direction)) ** 2)
no_less = assume("d is at least as good as d*", penalised(direction), "≥", NATURAL_SQUARE / (2 * strength))
matches = assume("c = √(gᵀv/2δ_KL)", delta, "=", dot(gradient, solution) / (2 * strength**2))

# --- TP.9: scales ---------------------------------------------------------------------------------------------------

factor = parameter("k", POSITIVE)
scaled_strength = parameter("c_k", POSITIVE)
matches_scaled = assume(
    "c_k is the coefficient for kg",
    2 * delta * scaled_strength**2,
    "=",
    Sum(i, factor * gradient(i) * factor * solution(i)),
)
action_values = function("Q", H, S, A)
tied_arm = law("ν", A, positive=True)
arm_advantage = function("A", A)
trpo = parameter("β_TRPO", POSITIVE)


def penalty_form(pi: Function, scale_of_rewards: Term, coefficient: Term) -> Term:
    """E_old[ratio·kA] − β_TRPO D(π_old‖π)."""
    surrogate = E(old_arm(a), pi(a) / old_arm(a) * scale_of_rewards * arm_advantage(a))
    return surrogate - coefficient * kl(old_arm, pi, b)


better_before = assume(
    "π is at least as good as ν", penalty_form(new_arm, term(1), trpo), "≥", penalty_form(tied_arm, term(1), trpo)
)


def _doubled_rewards() -> World:
    """π_old = (⅔, ⅓), A = (−2, 0), β_TRPO = 2, k = 2: from (⅓, ⅔) to (½, ½)."""
    half, third = Fraction(1, 2), Fraction(1, 3)
    laws = {old_arm: [2 * third, third], new_arm: [half, half], tied_arm: [third, 2 * third]}
    return world({A: 2}, {**laws, arm_advantage: [-2, 0], factor: 2, trpo: 2})


def recovered_reward(scale_of_values: Term) -> Term:
    """r = Q − γ E[V′], V = E_π[Q], for action values times a scale."""
    extended = Path(H, h, (s, a))
    then = E(old(b, extended, following), scale_of_values * action_values(extended, following, b))
    return scale_of_values * action_values(h, s, a) - gamma * Sum(following, dynamics(following, extended) * then)


# --- TP.11: the step of TP.7 ----------------------------------------------------------------------------------------

step_size = parameter("d", REAL)
logistic = parameter("p", OPEN_UNIT, depends=True)
is_logistic = assume("p is the logistic function of θ", D(logistic), "=", logistic * (1 - logistic))
STEP_KL = log(1 - arm_chance + arm_chance * exp(step_size)) - arm_chance * step_size
stepped_sum = 1 - arm_chance + arm_chance * exp(step_size)
STEPPED_KL = arm_chance * (log(arm_chance) - log(arm_chance * exp(step_size) / stepped_sum)) + (1 - arm_chance) * (
    log(1 - arm_chance) - log((1 - arm_chance) / stepped_sum)
)
on_the_boundary = assume("½d²F = δ_KL, F = p(1 − p)", delta, "=", arm_chance * (1 - arm_chance) * step_size**2 / 2)


def _from_a_tenth() -> World:
    """π_old = (1/10, 9/10) and a step of ½."""
    tenth, half = Fraction(1, 10), Fraction(1, 2)
    return world({}, {arm_chance: tenth, step_size: half, delta: tenth * (1 - tenth) * half**2 / 2})


# --- TP.12: the mean divergence -------------------------------------------------------------------------------------

mean_divergence = function("D̄", H)
divergence_sum = summed(mean_divergence, lambda h, s, a: kl(lambda c: old(c, h, s), lambda c: new(c, h, s), b))
MEAN_PENALTY = 4 * epsilon * gamma / (1 - gamma) ** 2 * E(old_path(h), mean_divergence(h))


def _rarely_visited() -> World:
    """γ = 1/50: arm 1 goes on, with probability 1/10 → 13/100; then rewards ±1 with (½, ½) → (1/10, 9/10)."""
    paths = two_steps(states=1, actions=2)
    half, tenth = Fraction(1, 2), Fraction(1, 10)
    chances = {(): (tenth, Fraction(13, 100)), (0, 0): (half, half), (0, 1): (half, tenth)}
    before, after = (
        {(arm, h, 0): pair[k] if arm else 1 - pair[k] for h, pair in chances.items() for arm in (0, 1)} for k in (0, 1)
    )
    ended = [h for h in paths if len(h) == 4]
    return world(
        {S: 1, A: 2},
        {
            gamma: Fraction(1, 50),
            epsilon: 1,
            dynamics: {(0, h): 1 for h in paths},
            old: before,
            new: after,
            reward: {(h, 0, arm): (2 * arm - 1) * int(h == (0, 1)) for h in chances for arm in (0, 1)},
            value: {(h, 0): 0 for h in ended},
            advantage: {(h, 0, arm): 0 for h in ended for arm in (0, 1)},
        },
        lengths={H: 2},
    )


def _one_parameter(*, step: int = 1, slope: int = 1, bound: int = 1) -> World:
    """One parameter, F = 1, g = v = slope, δ_KL = ½: where g = 1, d* = 1."""
    half = Fraction(1, 2)
    vectors = {symbol: [slope] for symbol in (gradient, solution, x, y)}
    numbers = {length: 1, strength: 1, delta: half, real_delta: bound, free_scale: 1}
    return world(
        {C: 1, X: 1},
        {outcome: [1], score: [[1]], inverse: [[1]], direction: [step], **vectors, **numbers},
        indices={m: 0, n: 0},
    )


def _two_parameters(*, short: int = 1) -> World:
    """F = ((1, 1), (1, 2)), g = (1, 3), F⁻¹g = (−1, 2); d* = 2F⁻¹g is `short` times d."""
    best = [-2, 4]
    vectors = {gradient: [1, 3], solution: [-1, 2], other_solution: [-1, 2], x: [2, 5], y: [-3, 7]}
    numbers = {length: 2, strength: Fraction(1, 2), delta: 10, real_delta: 10, free_scale: 3}
    return world(
        {C: 2, X: 2},
        {
            outcome: [Fraction(1, 2)] * 2,
            score: [[1, 0], [1, 2]],
            inverse: [[2, -1], [-1, 1]],
            direction: [Fraction(part, short) for part in best],
            **vectors,
            **numbers,
        },
        indices={m: 0, n: 1},
    )


def _against_each_other() -> World:
    """F = ((5/2, 1), (1, 1/2)): the first row of F⁻¹ = ((2, −4), (−4, 10)) sums to less than nothing; g = (1, 0)."""
    vectors = {symbol: [1, 0] for symbol in (gradient, x, y)}
    tables = {outcome: [Fraction(1, 2)] * 2, score: [[2, 1], [1, 0]], inverse: [[2, -4], [-4, 10]], **vectors}
    numbers = {real_delta: 1, free_scale: 1}
    return world({C: 2, X: 2}, {**tables, solution: [2, -4], **numbers}, indices={m: 0})


PARAMETERS = (_one_parameter(), _two_parameters(), _two_parameters(short=2))

# --- TP.10: conjugate gradients -------------------------------------------------------------------------------------

M = Sort("M")
q, r, last = M.indices("q r l")
residual, search = function("r", M, C), function("p", M, C)
residual_square, search_square = function("ρ", M, domain=POSITIVE), function("d", M, domain=POSITIVE)
in_search, in_residuals = function("b", M, M), function("t", M, M)
beyond = function("e", C)
at = M.index("m")


def pushed(step: Index, row: Index) -> Term:
    """(Fp_m)_i."""
    return Sum(j, fisher(row, j) * search(step, j))


orthogonal = assume(
    "the residuals so far are orthogonal, ρ_m = r_mᵀr_m",
    Sum(i, residual(q, i) * residual(r, i)),
    "=",
    residual_square(q) * Delta(q, r),
    for_all=[q, r],
)
conjugate = assume(
    "the directions so far are F-conjugate, d_m = p_mᵀFp_m",
    Sum(i, search(q, i) * pushed(r, i)),
    "=",
    search_square(q) * Delta(q, r),
    for_all=[q, r],
)
spans = assume(
    "each residual is a combination of the directions so far",
    residual(q, i),
    "=",
    Sum(r, in_search(q, r) * search(r, i)),
    for_all=[q, i],
)
last_alone = assume(
    "of these only the last has a share of the last direction, one",
    in_search(q, last),
    "=",
    Delta(q, last),
    for_all=[q],
)
images = assume(
    "Fp_m is a combination of the residuals so far, but for the last m",
    pushed(q, i),
    "=",
    Sum(r, in_residuals(q, r) * residual(r, i)) + Delta(q, last) * beyond(i),
    for_all=[q, i],
)
RATE = residual_square(last) / search_square(last)


def next_residual(row: Index) -> Term:
    """r⁺ = r − αFp, α = ρ/d."""
    return residual(last, row) - RATE * pushed(last, row)


SO_FAR = (orthogonal, conjugate, spans, last_alone)
NEW_SQUARE = Sum(k, next_residual(k) ** 2)
AGAINST = Sum(i, residual(at, i) * next_residual(i))
PUSHED_AGAINST = Sum(i, pushed(at, i) * next_residual(i))
LAST_PUSHED = Sum(i, pushed(last, i) * next_residual(i))
BEYOND_AGAINST = Sum(i, beyond(i) * next_residual(i))
NEXT_RATE = NEW_SQUARE / residual_square(last)
DIRECTION_AGAINST = Sum(i, pushed(at, i) * (next_residual(i) + NEXT_RATE * search(last, i)))
CONJUGATE_LAST = Sum(i, search(last, i) * pushed(at, i))
iterate = function("x", C)
is_residual = assume(
    "r = g − Fx",
    residual(last, i),
    "=",
    gradient(i) - Sum(j, fisher(i, j) * iterate(j)),
    for_all=[i],
)
LEFT_OVER = total(i, j, of=(Delta(i, j) - Sum(q, residual(q, i) * residual(q, j) / residual_square(q))) ** 2)


def _two_steps_of_three() -> World:
    """Three parameters, g = (1, 0, 0), and the first two steps of conjugate gradients."""
    scores = [[2, 0, 1], [1, 1, 0], [0, 2, 1]]
    third = Fraction(1, 3)

    def dot_of(x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
        return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))

    def times_fisher(x: Sequence[Fraction]) -> list[Fraction]:
        return [
            third * sum((z[row] * dot_of(list(map(Fraction, z)), x) for z in scores), Fraction(0)) for row in range(3)
        ]

    start = [Fraction(1), Fraction(0), Fraction(0)]
    image = times_fisher(start)
    rate = 1 / dot_of(start, image)
    then = [x - rate * y for x, y in zip(start, image, strict=True)]
    share = dot_of(then, then)
    onwards = [x + share * y for x, y in zip(then, start, strict=True)]
    return world(
        {C: 3, X: 3, M: 2},
        {
            outcome: [third] * 3,
            score: scores,
            gradient: start,
            iterate: [rate, 0, 0],
            residual: [start, then],
            search: [start, onwards],
            residual_square: [1, share],
            search_square: [1 / rate, dot_of(onwards, times_fisher(onwards))],
            in_search: [[1, 0], [-share, 1]],
            in_residuals: [[1 / rate, -1 / rate], [0, 0]],
            beyond: times_fisher(onwards),
        },
        indices={m: 0, at: 0, last: 1},
    )


CLAIMS = (
    Claim(
        section="VII",
        tag="B VII",
        quote="the performance difference (TRPO paper)",
        reading=(
            "For every horizon t, all policies π, π′ and whatever follows the last step: η(π′) − η(π) is the expected sum "
            "of γᵏA over the steps of π′, A the advantage of π."
        ),
        main=Assertion(
            "TP.1",
            "performance difference: η(π′) − η(π) = E_π′[Σ γᵏ A]",
            "proved",
            statement(
                eta(new_path) - eta(old_path),
                "=",
                E(new_path(h), gains(h)),
                recursions=[*BOTH, return_sum, gain_sum],
                definitions=[values_of_old, advantages],
            ),
            ByCalculation((lemma("TP.1.telescope"), lemma("TP.1.value"))),
        ),
        parts=(
            Assertion(
                "TP.1.telescope",
                "the sum telescopes: E_π′[Σ γᵏ A] = E_π′[G + γᵗ V] − Σ_s ρ(s) V(s), for any function V",
                "proved",
                statement(
                    E(new_path(h), gains(h)),
                    "=",
                    eta(new_path) - first_value(value),
                    recursions=[new_law, powers, return_sum, gain_sum],
                    definitions=[advantages],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.1.value",
                "η(π) = Σ_s ρ(s) V(s) for every horizon, V the values of π",
                "proved",
                statement(
                    eta(old_path),
                    "=",
                    first_value(value),
                    recursions=[old_law, powers, return_sum],
                    definitions=[values_of_old],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.1.power",
                "γᵗ(1 + t(1 − γ)) ≤ 1 (Bernoulli): γᵗ → 0 if γ < 1",
                "proved",
                statement(discount(h) * (1 + Length(H) * (1 - gamma)), "≤", 1, recursions=[powers]),
                ByInduction(),
            ),
            Assertion(
                "TP.1.mean",
                "the same for its mean over the histories of π′",
                "proved",
                statement(
                    MEAN_POWER * (1 + Length(H) * (1 - gamma)),
                    "≤",
                    1,
                    recursions=[new_law, powers],
                ),
                begin(Sum(h, new_path(h) * discount(h) * (1 + Length(H) * (1 - gamma))))
                .then("≤", Sum(h, new_path(h)), lemma("TP.1.power"), pointwise)
                .then("=", 1, laws_sum_to_one),
            ),
            *(
                Assertion(
                    f"TP.1.{name}",
                    f"the remainder is at {'most ' if sign > 0 else 'least −'}2M γᵗ",
                    "proved",
                    statement(
                        sign * remainder,
                        "≤",
                        2 * largest * MEAN_POWER,
                        standing=[bounded_values, bounded_new_values],
                    ),
                    begin(sign * remainder)
                    .then(
                        "≤",
                        total(h, s, of=new_path(h) * discount(h) * dynamics(s, h) * 2 * largest),
                        pointwise,
                    )
                    .then("=", 2 * largest * MEAN_POWER, laws_sum_to_one),
                )
                for name, sign in (("upper", 1), ("lower", -1))
            ),
            Assertion(
                "TP.1.late",
                "γᵗ · 2M ≤ e for every e > 0, as soon as 1 + t(1 − γ) ≥ 2M/e",
                "proved",
                statement(
                    2 * largest * MEAN_POWER,
                    "≤",
                    error,
                    standing=[late, discounted],
                    recursions=[new_law, powers],
                ),
                begin(2 * largest * MEAN_POWER)
                .then("≤", error * MEAN_POWER * (1 + Length(H) * (1 - gamma)), arithmetics)
                .then("≤", error, lemma("TP.1.mean", times=error)),
            ),
            Assertion(
                "TP.1.remainder",
                "so the remainder is at most e in size from then on",
                "proved",
                statement(
                    absolute(remainder),
                    "≤",
                    error,
                    standing=[late, discounted, bounded_values, bounded_new_values],
                    recursions=[new_law, powers],
                ),
                ByCalculation((lemma("TP.1.upper"), lemma("TP.1.lower"), lemma("TP.1.late"))),
                worlds=(_drifting(1, power=Fraction(0)), _steady(1), _steady(-1)),
            ),
            Assertion(
                "TP.1.exact",
                "E_π′[Σ γᵏ A] is η(π′) − η(π), values at the start, and the remainder",
                "proved",
                statement(
                    E(new_path(h), gains(h)),
                    "=",
                    first_value(new_value) - first_value(value) + remainder,
                    recursions=[new_law, powers, return_sum, gain_sum],
                    definitions=[values_of_old, values_of_new, advantages],
                ),
                ByCalculation((lemma("TP.1.telescope"), lemma("TP.1.new"))),
            ),
            Assertion(
                "TP.1.infinite",
                "over an infinite horizon: E_π′[Σ_(k<t) γᵏ A] is within e of η(π′) − η(π) from some t on, for every e > 0",
                "proved",
                statement(
                    absolute(E(new_path(h), gains(h)) - (first_value(new_value) - first_value(value))),
                    "≤",
                    error,
                    standing=[late, discounted, bounded_values, bounded_new_values],
                    recursions=[new_law, powers, return_sum, gain_sum],
                    definitions=[values_of_old, values_of_new, advantages],
                ),
                begin(absolute(E(new_path(h), gains(h)) - (first_value(new_value) - first_value(value))))
                .then("=", absolute(remainder), lemma("TP.1.exact"))
                .then("≤", error, lemma("TP.1.remainder")),
                worlds=(_drifting(1, power=Fraction(0)), _steady(1), _steady(-1)),
            ),
            Assertion(
                "TP.1.new",
                "the same for π′ and its values V′",
                "proved",
                statement(
                    eta(new_path, new_value),
                    "=",
                    first_value(new_value),
                    recursions=[new_law, powers, return_sum],
                    definitions=[values_of_new],
                ),
                ByInduction(),
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="B VII",
        quote="only a valid approximation … within a local neighborhood",
        reading=(
            "L(π_θ) = η(π) + E_π[Σ γᵏ Σ_b π_θ(b∣·)A(·, b)], states from π, actions from π_θ. At θ_old, where π_θ = π, it has "
            "the derivative of η(π_θ) in every direction, for every horizon; TP.2.value adds the value. TP.2.infinite is the "
            "infinite horizon: V_θ solves Bellman's equation for π_θ, its values and slopes are bounded. The bounds are "
            "R/(1 − γ) and ZR/(1 − γ)² for ∣r∣ ≤ R and Σ∣∇π_θ∣ ≤ Z: what keeps them a step later keeps them now "
            "(TP.2.values, TP.2.slopes), so every V_θ that ends does, and with it the limit."
        ),
        main=Assertion(
            "TP.2",
            "at θ_old the surrogate has the gradient of η",
            "proved",
            statement(
                D(eta(moving_path)),
                "=",
                D(MOVED_SURROGATE),
                standing=[at_old],
                recursions=MOVED,
                definitions=[values_of_old, advantages],
            ),
            ByInduction((lemma("TP.2.path"),)),
            worlds=(_discounted_second_step(),),
        ),
        parts=(
            Assertion(
                "TP.2.path",
                "where π_θ = π the histories have the same law",
                "proved",
                statement(moving_path(h), "=", old_path(h), standing=[at_old], recursions=[old_law, moving_law]),
                ByInduction(),
            ),
            Assertion(
                "TP.2.zero",
                "and the expected advantages are zero",
                "proved",
                statement(
                    gaining_moved(h),
                    "=",
                    0,
                    standing=[at_old],
                    recursions=[powers, moved_surrogate_sum],
                    definitions=[values_of_old, advantages],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.2.value",
                "at θ_old the surrogate has the value of η",
                "proved",
                statement(
                    eta(moving_path),
                    "=",
                    MOVED_SURROGATE,
                    standing=[at_old],
                    recursions=MOVED,
                    definitions=[values_of_old, advantages],
                ),
                ByCalculation((lemma("TP.2.path"), lemma("TP.2.zero"))),
            ),
            Assertion(
                "TP.2.unrolled",
                "t steps of ∇V_θ: ∇Σ_s ρ(s)V_θ(s) is the surrogate's derivative over t steps and E_π[γᵗ ∇V_θ]",
                "proved",
                statement(
                    D(FOREVER),
                    "=",
                    D(GAINED) + REST,
                    standing=[at_old, advantages_at_old],
                    recursions=[old_law, powers, moved_surrogate_sum],
                    definitions=[values_of_moving],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.2.late",
                "γᵗ · M′ ≤ e for every e > 0, as soon as 1 + t(1 − γ) ≥ M′/e",
                "proved",
                statement(steepest * discount(h), "≤", error, standing=[late_slope], recursions=[powers]),
                begin(steepest * discount(h))
                .then("≤", error * discount(h) * (1 + Length(H) * (1 - gamma)), arithmetics)
                .then("≤", error, lemma("TP.1.power", times=error, at={h: h})),
            ),
            *(
                Assertion(
                    f"TP.2.{name}",
                    f"so what is left after t steps is at {'most ' if sign > 0 else 'least −'}e",
                    "proved",
                    statement(
                        sign * REST,
                        "≤",
                        error,
                        standing=[late_slope, bounded_slopes],
                        recursions=[old_law, powers],
                    ),
                    begin(sign * REST)
                    .then("≤", total(h, s, of=old_path(h) * discount(h) * dynamics(s, h) * steepest), pointwise)
                    .then("=", Sum(h, old_path(h) * discount(h) * steepest), laws_sum_to_one)
                    .then("≤", Sum(h, old_path(h) * error), lemma("TP.2.late"), pointwise)
                    .then("=", error, laws_sum_to_one),
                    worlds=(_rising(),),
                )
                for name, sign in (("upper", 1), ("lower", -1))
            ),
            Assertion(
                "TP.2.infinite",
                "over an infinite horizon: the derivative of the surrogate's t steps is within e of ∇η from some t on, "
                "for every e > 0: in the limit they are equal",
                "proved",
                statement(
                    absolute(D(FOREVER) - D(GAINED)),
                    "≤",
                    error,
                    standing=[late_slope, at_old, advantages_at_old, bounded_slopes],
                    recursions=[old_law, powers, moved_surrogate_sum],
                    definitions=[values_of_moving],
                ),
                ByCalculation((lemma("TP.2.unrolled"), lemma("TP.2.upper"), lemma("TP.2.lower"))),
                worlds=(_rising(),),
            ),
            *(
                assertion
                for name, sign, side in (("most", 1, "most "), ("least", -1, "least −"))
                for assertion in (
                    Assertion(
                        f"TP.2.values_{name}",
                        f"bounded rewards bound the values: at {side}R/(1 − γ) now, if it is so a step later",
                        "proved",
                        statement(
                            sign * ONE_STEP,
                            "≤",
                            LARGEST_VALUE,
                            standing=[discounted, bounded_rewards, bounded_later],
                        ),
                        begin(sign * ONE_STEP)
                        .then("=", sign * total(b, following, of=moving(b, h, s) * NEXT * LATER_VALUE), laws_sum_to_one)
                        .then("≤", total(b, following, of=moving(b, h, s) * NEXT * LARGEST_VALUE), pointwise)
                        .then("=", LARGEST_VALUE, laws_sum_to_one),
                    ),
                    Assertion(
                        f"TP.2.slopes_{name}",
                        f"and their slopes: at {side}ZR/(1 − γ)² now, if it is so a step later",
                        "proved",
                        statement(
                            sign * D(ONE_STEP),
                            "≤",
                            LARGEST_SLOPE,
                            standing=[
                                discounted,
                                bounded_rewards,
                                bounded_later,
                                bounded_policy,
                                bounded_slopes_later,
                            ],
                        ),
                        begin(sign * D(ONE_STEP))
                        .then(
                            "=",
                            sign
                            * total(
                                b,
                                following,
                                of=NEXT * (D(moving(b, h, s)) * LATER_VALUE + moving(b, h, s) * gamma * LATER_SLOPE),
                            ),
                            laws_sum_to_one,
                            differentiation,
                        )
                        .then(
                            "≤",
                            total(
                                b,
                                following,
                                of=NEXT
                                * (
                                    absolute(D(moving(b, h, s))) * LARGEST_VALUE
                                    + moving(b, h, s) * gamma * LARGEST_SLOPE
                                ),
                            ),
                            pointwise,
                        )
                        .then(
                            "=",
                            Sum(b, absolute(D(moving(b, h, s)))) * LARGEST_VALUE + gamma * LARGEST_SLOPE,
                            laws_sum_to_one,
                        )
                        .then("≤", LARGEST_SLOPE, arithmetics),
                    ),
                )
            ),
            Assertion(
                "TP.2.printed",
                "as printed in VI.III, without γᵗ, it has that gradient up to a factor: what raises it does not lower η",
                "refuted",
                statement(
                    D(eta(moving_path)) * D(E(old_path(h), unweighted(h))),
                    "≥",
                    0,
                    standing=[at_old],
                    recursions=[old_law, moving_law, powers, return_sum, unweighted_sum],
                    definitions=[values_of_old, advantages],
                ),
                ByCalculation(),
                worlds=(_discounted_second_step(),),
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="B VII",
        quote="TRPO paper formalized this",
        reading=(
            "α² stands for max D(π‖π′): every α ≥ 0 with D(π‖π′) ≤ α² after every history. ε_A bounds ∣A∣, γ < 1. For every "
            "horizon, whatever follows the last step; TP.3.infinite is the infinite one."
        ),
        main=Assertion(
            "TP.3",
            "η(π′) ≥ L(π′) − 4ε_A γ/(1 − γ)² · max D(π‖π′)",
            "proved",
            statement(
                eta(new_path),
                "≥",
                SURROGATE - PENALTY,
                standing=[discounted, within, bounded],
                recursions=WHOLE,
                definitions=[values_of_old, advantages],
            ),
            surrogate_bound(-1),
            worlds=_drifts(-1),
        ),
        parts=(
            Assertion(
                "TP.3.lagrange",
                "Σ Σ (f(a)g(w) − f(w)g(a))² ≥ 0",
                "proved",
                statement(total(a, w, of=(f(a) * g(w) - f(w) * g(a)) ** 2), "≥", 0),
            ),
            Assertion(
                "TP.3.schwarz",
                "Cauchy–Schwarz: (Σ fg)² ≤ Σ f² Σ g²",
                "proved",
                statement(Sum(a, f(a) * g(a)) ** 2, "≤", Sum(a, f(a) ** 2) * Sum(a, g(a) ** 2)),
                begin(Sum(a, f(a) * g(a)) ** 2).then(
                    "≤", Sum(a, f(a) ** 2) * Sum(a, g(a) ** 2), lemma("TP.3.lagrange", times=HALF)
                ),
            ),
            Assertion(
                "TP.3.hellinger",
                "D(q‖q′) ≥ Σ (√q − √q′)², by log x ≤ x − 1 at √(q′/q); u and v are the roots",
                "proved",
                statement(DIVERGENCE, "≥", HELLINGER, standing=ROOTS),
                begin(DIVERGENCE)
                .then(
                    "≥",
                    Sum(a, 2 * (u(a) ** 2 - u(a) * v(a))),
                    hypothesis("q = u²"),
                    hypothesis("q′ = v²"),
                    pointwise,
                )
                .then("=", Sum(a, 2 * first(a) - 2 * u(a) * v(a)), hypothesis("q = u²"))
                .then("=", Sum(a, first(a) + second(a) - 2 * u(a) * v(a)), laws_sum_to_one)
                .then("=", HELLINGER, hypothesis("q = u²"), hypothesis("q′ = v²")),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.plus",
                "Σ (u + v)² = 2 + 2 Σ uv",
                "proved",
                statement(ROOT_SUM, "=", 2 + 2 * OVERLAP, standing=ROOTS),
                root_sum(1),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.minus",
                "Σ (u − v)² = 2 − 2 Σ uv",
                "proved",
                statement(HELLINGER, "=", 2 - 2 * OVERLAP, standing=ROOTS),
                root_sum(-1),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.factors",
                "∣q − q′∣ = ∣u − v∣(u + v)",
                "proved",
                statement(DISTANCE, "=", Sum(a, absolute(u(a) - v(a)) * (u(a) + v(a))), standing=ROOTS),
                begin(DISTANCE).then("=", Sum(a, absolute(u(a) - v(a)) * (u(a) + v(a))), pointwise),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.squares",
                "∣u − v∣² = (u − v)²",
                "proved",
                statement(Sum(a, absolute(u(a) - v(a)) ** 2), "=", HELLINGER),
                begin(Sum(a, absolute(u(a) - v(a)) ** 2)).then("=", HELLINGER, pointwise),
            ),
            Assertion(
                "TP.3.product",
                "(Σ∣q − q′∣)² ≤ Σ (u − v)² Σ (u + v)², by Cauchy–Schwarz",
                "proved",
                statement(DISTANCE**2, "≤", HELLINGER * ROOT_SUM, standing=ROOTS),
                begin(DISTANCE**2)
                .then("=", Sum(a, absolute(u(a) - v(a)) * (u(a) + v(a))) ** 2, lemma("TP.3.factors"))
                .then(
                    "≤",
                    Sum(a, absolute(u(a) - v(a)) ** 2) * ROOT_SUM,
                    lemma("TP.3.schwarz", {f: lambda i: absolute(u(i) - v(i)), g: lambda i: u(i) + v(i)}),
                )
                .then("=", HELLINGER * ROOT_SUM, lemma("TP.3.squares")),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.rooted",
                "TV² ≤ D for laws with the roots u and v, TV = ½ Σ∣q − q′∣",
                "proved",
                statement((DISTANCE / 2) ** 2, "≤", DIVERGENCE, standing=ROOTS),
                begin((DISTANCE / 2) ** 2)
                .then("≤", HELLINGER * ROOT_SUM / 4, lemma("TP.3.product", times=term(1) / 4))
                .then("=", (1 - OVERLAP) * (1 + OVERLAP), lemma("TP.3.plus"), arithmetics)
                .then("≤", 2 - 2 * OVERLAP, arithmetics)
                .then("=", HELLINGER, lemma("TP.3.minus"))
                .then("≤", DIVERGENCE, lemma("TP.3.hellinger")),
                worlds=_unit_roots(),
            ),
            Assertion(
                "TP.3.variation",
                "TV(q, q′)² ≤ D(q‖q′), the roots being exp(½ log q) and exp(½ log q′)",
                "proved",
                statement((DISTANCE / 2) ** 2, "≤", DIVERGENCE),
                begin((DISTANCE / 2) ** 2).then(
                    "≤",
                    DIVERGENCE,
                    lemma("TP.3.rooted", {u: lambda i: exp(log(first(i)) / 2), v: lambda i: exp(log(second(i)) / 2)}),
                ),
            ),
            Assertion(
                "TP.3.near",
                "after every history Σ_a∣π′ − π∣ ≤ 2α",
                "proved",
                statement(step_distance, "≤", 2 * alpha, standing=[within]),
                ByCalculation(
                    (lemma("TP.3.variation", {first: lambda i: old(i, h, s), second: lambda i: new(i, h, s)}),)
                ),
                worlds=_drifts(1),
            ),
            Assertion(
                "TP.3.split",
                "one step moves the law of the histories by at most 2α further",
                "proved",
                statement(
                    NEXT_DISTANCE,
                    "≤",
                    path_distance + 2 * alpha * E(old_path(h), discount(h)),
                    standing=[within],
                ),
                begin(NEXT_DISTANCE)
                .then("≤", SPLIT_DISTANCE, pointwise)
                .then(
                    "=",
                    path_distance + total(h, s, of=discount(h) * old_path(h) * dynamics(s, h) * step_distance),
                    laws_sum_to_one,
                )
                .then(
                    "≤",
                    path_distance + total(h, s, of=discount(h) * old_path(h) * dynamics(s, h) * 2 * alpha),
                    lemma("TP.3.near"),
                    pointwise,
                )
                .then("=", path_distance + 2 * alpha * E(old_path(h), discount(h)), laws_sum_to_one),
                worlds=_drifts(1),
            ),
            Assertion(
                "TP.3.distance",
                "after t steps γᵗ Σ_h∣p′(h) − p(h)∣ ≤ 2αt γᵗ, with n = t",
                "proved",
                statement(path_distance, "≤", 2 * alpha * MEAN_STEPS, standing=[within], recursions=WALK),
                ByInduction((lemma("TP.3.split"),)),
                worlds=_drifts(1),
            ),
            *(
                Assertion(
                    f"TP.3.{name}",
                    f"after every history Σ_a (π′ − π)A is at {'most ' if sign > 0 else 'least −'}2αε_A",
                    "proved",
                    statement(sign * SHIFT, "≤", 2 * alpha * epsilon, standing=[within, bounded]),
                    begin(sign * SHIFT)
                    .then("≤", step_distance * epsilon, pointwise)
                    .then("≤", 2 * alpha * epsilon, lemma("TP.3.near", times=epsilon, at={h: h, s: s})),
                    worlds=_drifts(sign),
                )
                for name, sign in (("gain", 1), ("loss", -1))
            ),
            Assertion(
                "TP.3.shift",
                "so it is at most 2αε_A in size",
                "proved",
                statement(absolute(SHIFT), "≤", 2 * alpha * epsilon, standing=[within, bounded]),
                ByCalculation((lemma("TP.3.gain", at={h: h, s: s}), lemma("TP.3.loss", at={h: h, s: s}))),
                worlds=_drifts(1),
            ),
            *(
                assertion
                for name, sign in (("below", -1), ("above", 1))
                for assertion in (
                    Assertion(
                        f"TP.3.{name}_state",
                        "what the change of the law of states adds to that, bounded by the distance of the laws",
                        "proved",
                        statement(
                            sign * STATE_SHIFT, "≤", 2 * alpha * epsilon * path_distance, standing=[within, bounded]
                        ),
                        begin(sign * STATE_SHIFT)
                        .then(
                            "≤",
                            2
                            * alpha
                            * epsilon
                            * total(h, s, of=discount(h) * absolute(new_path(h) - old_path(h)) * dynamics(s, h)),
                            lemma("TP.3.shift"),
                            pointwise,
                        )
                        .then("=", 2 * alpha * epsilon * path_distance, laws_sum_to_one),
                        worlds=_drifts(sign),
                    ),
                    Assertion(
                        f"TP.3.{name}_step",
                        "so one step adds at most 4α²ε_A t γᵗ",
                        "proved",
                        statement(
                            sign * STATE_SHIFT,
                            "≤",
                            4 * alpha**2 * epsilon * MEAN_STEPS,
                            standing=[within, bounded],
                            recursions=WALK,
                        ),
                        begin(sign * STATE_SHIFT)
                        .then("≤", 2 * alpha * epsilon * path_distance, lemma(f"TP.3.{name}_state"))
                        .then(
                            "≤",
                            4 * alpha**2 * epsilon * MEAN_STEPS,
                            lemma("TP.3.distance", times=2 * alpha * epsilon),
                        ),
                        worlds=_drifts(sign),
                    ),
                    Assertion(
                        f"TP.3.{name}",
                        f"and t steps: η(π′) − L(π′) {'≥ −' if sign < 0 else '≤ '}4α²ε_A Σ_(k<t) kγᵏ",
                        "proved",
                        statement(
                            sign * (E(new_path(h), gaining(h)) - E(old_path(h), gaining(h))),
                            "≤",
                            4 * alpha**2 * epsilon * E(old_path(h), delay(h)),
                            standing=[within, bounded],
                            recursions=CORE,
                            definitions=[values_of_old, advantages],
                        ),
                        ByInduction((lemma(f"TP.3.{name}_step"),)),
                        worlds=_drifts(sign),
                    ),
                )
            ),
            Assertion(
                "TP.3.tower",
                "E_π′[Σ γᵏ A] = E_π′[Σ γᵏ Σ_b π′(b∣·)A(·, b)]",
                "proved",
                statement(
                    E(new_path(h), gains(h)),
                    "=",
                    E(new_path(h), gaining(h)),
                    recursions=[new_law, powers, gain_sum, surrogate_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.3.geometric",
                "(1 − γ)² Σ_(k<t) kγᵏ = γ − γᵗ(t(1 − γ) + γ)",
                "proved",
                statement(
                    (1 - gamma) ** 2 * delay(h),
                    "=",
                    gamma - discount(h) * (steps(h) * (1 - gamma) + gamma),
                    recursions=[powers, counting, delay_sum],
                ),
                ByInduction(),
            ),
            Assertion(
                "TP.3.each",
                "so Σ_(k<t) kγᵏ ≤ γ/(1 − γ)²",
                "proved",
                statement(
                    delay(h),
                    "≤",
                    gamma / (1 - gamma) ** 2,
                    standing=[discounted],
                    recursions=[powers, counting, delay_sum],
                ),
                ByCalculation((lemma("TP.3.geometric"),)),
            ),
            Assertion(
                "TP.3.series",
                "and so is its mean",
                "proved",
                statement(
                    E(old_path(h), delay(h)),
                    "≤",
                    gamma / (1 - gamma) ** 2,
                    standing=[discounted],
                    recursions=WALK[0:1] + WALK[2:] + (delay_sum,),
                ),
                begin(E(old_path(h), delay(h)))
                .then("≤", E(old_path(h), gamma / (1 - gamma) ** 2), lemma("TP.3.each"), pointwise)
                .then("=", gamma / (1 - gamma) ** 2, laws_sum_to_one),
            ),
            Assertion(
                "TP.3.over",
                "η(π′) does not exceed L(π′) by more, either",
                "proved",
                statement(
                    eta(new_path),
                    "≤",
                    SURROGATE + PENALTY,
                    standing=[discounted, within, bounded],
                    recursions=WHOLE,
                    definitions=[values_of_old, advantages],
                ),
                surrogate_bound(1),
                worlds=_drifts(1),
            ),
            *(
                Assertion(
                    f"TP.3.{name}",
                    f"over an infinite horizon: {words} up to e from some t on, for every e > 0: in the limit",
                    "proved",
                    statement(
                        first_value(new_value),
                        comparison,
                        first_value(value) + E(old_path(h), gaining(h)) + sign * (PENALTY + error),
                        standing=[discounted, within, bounded, late, bounded_values, bounded_new_values],
                        recursions=WHOLE,
                        definitions=[values_of_old, values_of_new, advantages],
                    ),
                    begin(first_value(new_value))
                    .then("=", eta(new_path) - remainder, lemma("TP.1.new"))
                    .then(comparison, SURROGATE + sign * PENALTY - remainder, lemma(finite))
                    .then(comparison, SURROGATE + sign * (PENALTY + error), lemma("TP.1.remainder"), arithmetics)
                    .then(
                        "=",
                        first_value(value) + E(old_path(h), gaining(h)) + sign * (PENALTY + error),
                        lemma("TP.1.value"),
                    ),
                    worlds=(*_drifts(sign), _drifting(sign, power=Fraction(0))),
                )
                for name, words, sign, comparison, finite in (
                    ("infinite", "the bound holds", -1, "≥", "TP.3"),
                    ("infinite_over", "so does the bound from above", 1, "≤", "TP.3.over"),
                )
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="B VII",
        quote="guaranteed to improve as long as the KL divergence … remains bounded",
        reading="One step, any number of arms: every π′ with D(π‖π′) ≤ δ_KL is at least as good as π.",
        main=Assertion(
            "TP.4",
            "a bounded divergence guarantees improvement",
            "refuted",
            statement(E(new_arm(a), pay(a)), "≥", E(old_arm(a), pay(a)), standing=[arms_within]),
        ),
        parts=(
            Assertion(
                "TP.4.small",
                "and however small δ_KL is: from (½, ½) to (½ − t, ½ + t) is within 6t², and lowers the first arm",
                "proved",
                statement(binary_kl(HALF, HALF - small), "≤", 6 * small**2),
            ),
            Assertion(
                "TP.4.surrogate",
                "two states share p, η = p(½ − p): with exact advantages the surrogate is η(p) + (½ − 2p)(p′ − p)",
                "proved",
                statement(shared_surrogate(shared, moved_chance), "=", (HALF - 2 * shared) * (moved_chance - shared)),
            ),
            Assertion(
                "TP.4.reached",
                "if its slope is positive, p′ > p maximises it under the bound δ_KL = D(p‖p′): what is higher is further",
                "proved",
                statement(
                    binary_kl(shared, other_chance),
                    ">",
                    binary_kl(shared, moved_chance),
                    standing=[moved_up, assume("u > p′", other_chance, ">", moved_chance)],
                ),
            ),
            Assertion(
                "TP.4.maximiser",
                "so at least the maximiser of VII.I, with exact advantages, improves",
                "refuted",
                statement(parabola(moved_chance), "≥", parabola(shared), standing=[slope_is_positive, moved_up]),
            ),
        ),
        correction=Assertion(
            "TP.4.corrected",
            "if the bound of TP.3 at π′ is at least its value at π, as it is at its maximiser, then η(π′) ≥ η(π)",
            "proved",
            statement(
                eta(new_path),
                "≥",
                eta(old_path),
                standing=[discounted, within, bounded, no_worse],
                recursions=WHOLE,
                definitions=[values_of_old, advantages],
            ),
            begin(eta(new_path)).then("≥", SURROGATE - PENALTY, lemma("TP.3")).then("≥", eta(old_path), arithmetics),
            worlds=(
                _drifting(-1, power=Fraction(1, 50)),
                *(
                    _drifting(-1, power=Fraction(1, 50), start=Fraction(1, 500), bounds={bound: Fraction(1, 1000)})
                    for bound in ("α", "ε_A")
                ),
            ),
        ),
        believe=(
            "A small divergence bounds how much can be lost. What never loses is to maximise the surrogate less the "
            "penalty of TP.3."
        ),
    ),
    Claim(
        section="VII",
        tag="VII.I",
        quote="ensures that r_t remains close to 1",
        reading="One state: D(π_old‖π) ≤ 1/100 keeps every ratio π/π_old at most 2.",
        main=Assertion(
            "TP.5",
            "the constraint keeps each ratio near 1",
            "refuted",
            statement(ratio, "≤", 2, standing=[hundredth]),
            worlds=(_rare_arm(),),
        ),
        parts=(
            Assertion(
                "TP.5.moment",
                "it keeps E_old[ratio²], and with it the variance of the estimates, at most 3/2",
                "refuted",
                statement(E(old_arm(a), ratio**2), "≤", Fraction(3, 2), standing=[hundredth]),
                worlds=(_rare_arm(),),
            ),
            Assertion(
                "TP.5.any",
                "no bound on the divergence bounds the ratio: from x² to x it is 1/x, at a divergence of at most x",
                "proved",
                statement(binary_kl(inverse_ratio**2, inverse_ratio), "≤", inverse_ratio),
            ),
            Assertion(
                "TP.5.curve",
                "(2t + 4)(t log t − t + 1) ≥ 3(t − 1)²",
                "proved",
                statement(CURVE, "≥", 3 * (t - 1) ** 2),
                prover=convex_in(t, at=1),
            ),
            Assertion(
                "TP.5.point",
                "the same at t = q/q′, times q′²",
                "proved",
                statement(POINT, "≥", 3 * (first(a) - second(a)) ** 2),
                begin(POINT).then(
                    "≥",
                    3 * (first(a) - second(a)) ** 2,
                    lemma("TP.5.curve", {t.function: lambda: first(a) / second(a)}, times=second(a) ** 2),
                ),
            ),
            Assertion(
                "TP.5.scaled",
                "λ Σ∣q − q′∣ ≤ λ² + ½ D(q‖q′) for every λ",
                "proved",
                statement(scale * DISTANCE, "≤", scale**2 + DIVERGENCE / 2),
                begin(scale * DISTANCE)
                .then("≤", Sum(a, EACH), lemma("TP.5.point"), pointwise)
                .then("=", scale**2 + DIVERGENCE / 2, laws_sum_to_one),
            ),
            Assertion(
                "TP.5.pinsker",
                "Pinsker: (Σ∣q − q′∣)² ≤ 2D(q‖q′), by λ = ½ Σ∣q − q′∣",
                "proved",
                statement(DISTANCE**2, "≤", 2 * DIVERGENCE),
                ByCalculation((lemma("TP.5.scaled", {scale.function: lambda: DISTANCE / 2}),)),
            ),
            Assertion(
                "TP.5.distance",
                "E_old∣ratio − 1∣ = Σ∣π − π_old∣ = 2TV",
                "proved",
                statement(E(old_arm(a), absolute(ratio - 1)), "=", ARMS_DISTANCE),
                begin(E(old_arm(a), absolute(ratio - 1))).then("=", ARMS_DISTANCE, pointwise),
            ),
        ),
        correction=Assertion(
            "TP.5.corrected",
            "on average it does: (E_old∣ratio − 1∣)² ≤ 2δ_KL",
            "proved",
            statement(E(old_arm(a), absolute(ratio - 1)) ** 2, "≤", 2 * delta, standing=[arms_within]),
            begin(E(old_arm(a), absolute(ratio - 1)) ** 2)
            .then("=", ARMS_DISTANCE**2, lemma("TP.5.distance"))
            .then("≤", 2 * kl(old_arm, new_arm, a), lemma("TP.5.pinsker", {first: old_arm, second: new_arm}))
            .then("≤", 2 * delta, arithmetics),
        ),
        believe="The constraint keeps the ratio near 1 on average over π_old; a rare action's ratio may be anything.",
    ),
    Claim(
        section="VII",
        tag="B VII",
        quote="using the Fisher Information Matrix",
        reading=(
            "In every direction d of θ, where π_θ = π_old: the second derivative of D(π_old‖π_θ) is E_old[(∇log π)²], "
            "which is dᵀFd for the direction d. A quadratic form fixes its symmetric matrix."
        ),
        main=Assertion(
            "TP.6",
            "the Hessian of D(π_old‖π_θ) at θ_old is the Fisher matrix",
            "proved",
            statement(
                D(D(MOVING_KL)),
                "=",
                E(frozen(a), D(log(theta_policy(a))) ** 2),
                standing=[at_frozen],
            ),
        ),
        parts=(
            Assertion(
                "TP.6.first",
                "the divergence and its gradient are zero at θ_old",
                "proved",
                statement(MOVING_KL, first_order(THETA_OLD), 0),
            ),
            Assertion(
                "TP.6.away",
                "its second derivative is E_old[(∇log π)²] away from θ_old, too",
                "refuted",
                statement(D(D(MOVING_KL)), "=", E(frozen(a), D(log(theta_policy(a))) ** 2)),
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="VII.I",
        quote="approximates the objective linearly and the KL constraint quadratically",
        reading=(
            "F = E[zzᵀ] for scores z, positive definite where it has an inverse K; σ > 0 with σ²gᵀF⁻¹g = 2δ_KL, which "
            "exists by TP.7.root, where g ≠ 0 and δ_KL > 0. For every number of parameters: gᵀd ≤ gᵀd*, d* = σF⁻¹g, for "
            "every d with ½dᵀFd ≤ δ_KL."
        ),
        main=Assertion(
            "TP.7",
            "d* = √(2δ_KL/gᵀF⁻¹g) F⁻¹g maximises gᵀd under ½dᵀFd ≤ δ_KL",
            "conditional",
            statement(
                dot(gradient, direction),
                "≤",
                length * NATURAL_SQUARE,
                assuming=[inverted],
                standing=[feasible, is_natural_length],
            ),
            ByCalculation((lemma("TP.7.any", {solution: lambda c: natural(c)}),)),
            worlds=PARAMETERS,
        ),
        parts=(
            Assertion(
                "TP.7.square",
                "E[(z·x − z·y)²] ≥ 0",
                "proved",
                statement(OFF, "≥", 0),
            ),
            Assertion(
                "TP.7.any",
                "the same for every v with Fv = g, such as F⁺g where F is singular and g in its range",
                "proved",
                statement(
                    dot(gradient, direction),
                    "≤",
                    length * dot(gradient, solution),
                    standing=[solves, feasible, is_length],
                ),
                ByCalculation((lemma("TP.7.square", {x: lambda c: length * solution(c), y: direction}),)),
            ),
            Assertion(
                "TP.7.feasible",
                "d* meets the constraint, with equality",
                "proved",
                statement(length**2 * form(solution, solution) / 2, "=", delta, standing=[solves, is_length]),
                ByCalculation(),
            ),
            Assertion(
                "TP.7.parabola",
                "E[(z·d − τ z·u)²] = dᵀFd − 2τd_i + τ²K_ii ≥ 0 for u the column i of K",
                "proved",
                statement(
                    form(direction, direction) - 2 * free_scale * direction(n) + free_scale**2 * inverse(n, n),
                    "≥",
                    0,
                    standing=[inverted],
                ),
                begin(form(direction, direction) - 2 * free_scale * direction(n) + free_scale**2 * inverse(n, n))
                .then("=", COLUMN_SQUARE, hypothesis(inverted.name))
                .then(
                    "≥",
                    0,
                    lemma("TP.7.square", {x: direction, y: lambda c: free_scale * inverse(c, n)}),
                ),
                worlds=PARAMETERS,
            ),
            Assertion(
                "TP.7.axis",
                "E[(z·v − τ z_i)²] = gᵀv − 2τg_i + τ²F_ii ≥ 0",
                "proved",
                statement(
                    dot(gradient, solution) - 2 * free_scale * gradient(m) + free_scale**2 * fisher(m, m),
                    "≥",
                    0,
                    standing=[solves],
                ),
                begin(dot(gradient, solution) - 2 * free_scale * gradient(m) + free_scale**2 * fisher(m, m))
                .then("=", AXIS_SQUARE, hypothesis(solves.name))
                .then(
                    "≥",
                    0,
                    lemma("TP.7.square", {x: solution, y: lambda c: free_scale * Delta(c, m)}),
                ),
            ),
            Assertion(
                "TP.7.definite",
                "dᵀFd ≤ 0 only for d = 0",
                "conditional",
                statement(
                    direction(n),
                    "=",
                    0,
                    assuming=[inverted],
                    standing=[assume("dᵀFd ≤ 0", form(direction, direction), "≤", 0)],
                ),
                ByCalculation(
                    (
                        lemma(
                            "TP.7.parabola",
                            {free_scale.function: lambda: direction(n) / (1 + inverse(n, n) ** 2)},
                            at={n: n},
                        ),
                    )
                ),
                worlds=(_one_parameter(step=0), *PARAMETERS),
            ),
            Assertion(
                "TP.7.root",
                "2δ/gᵀF⁻¹g is positive, so that its root exists",
                "conditional",
                statement(
                    real_delta * NATURAL_SQUARE,
                    ">",
                    0,
                    assuming=[
                        inverted,
                        assume("g ≠ 0", gradient(m), "≠", 0),
                        assume("δ > 0", real_delta, ">", 0),
                    ],
                ),
                ByCalculation(
                    (
                        lemma(
                            "TP.7.axis",
                            {
                                solution: lambda c: natural(c),
                                free_scale.function: lambda: gradient(m) / (1 + fisher(m, m) ** 2),
                            },
                            at={m: m},
                        ),
                    )
                ),
                worlds=(_one_parameter(slope=0), _one_parameter(bound=-1), _against_each_other(), *PARAMETERS),
            ),
            Assertion(
                "TP.7.unique",
                "no other d is as good",
                "conditional",
                statement(
                    direction(n),
                    "=",
                    length * natural(n),
                    assuming=[inverted],
                    standing=[feasible, is_natural_length, as_good],
                ),
                ByCalculation(
                    (lemma("TP.7.definite", {direction: lambda c: direction(c) - length * natural(c)}, at={n: n}),)
                ),
                worlds=PARAMETERS,
            ),
            Assertion(
                "TP.7.many",
                "where F is singular the maximiser is unique, too",
                "refuted",
                statement(solution(m), "=", other_solution(m), standing=[solves, also_solves]),
            ),
            Assertion(
                "TP.7.softmax",
                "a softmax with all its logits has det F ≠ 0, for two arms",
                "refuted",
                statement(two_arm_determinant(arm_chance), "≠", 0),
            ),
            Assertion(
                "TP.7.logits",
                "there F_ij = π_i(δ_ij − π_j), for every number of arms",
                "proved",
                statement(
                    E(logits(k), (Delta(k, m) - logits(m)) * (Delta(k, n) - logits(n))), "=", softmax_fisher(m, n)
                ),
            ),
            Assertion(
                "TP.7.rows",
                "and the columns of FK sum to 0 for every matrix K: none is an inverse",
                "proved",
                statement(total(i, j, of=softmax_fisher(i, j) * inverse(j, k)), "=", 0),
            ),
            Assertion(
                "TP.7.range",
                "but FA = E[zA], the surrogate's gradient, so v = A will do",
                "proved",
                statement(
                    Sum(j, softmax_fisher(n, j) * logit_score(j)),
                    "=",
                    E(logits(k), (Delta(k, n) - logits(n)) * logit_score(k)),
                ),
            ),
        ),
        believe=(
            "The closed form needs a positive definite F. For a softmax with all its logits F is singular; there "
            "the pseudo-inverse gives one of many maximisers."
        ),
    ),
    Claim(
        section="VII",
        tag="VII.II",
        quote="using a KL penalty rather than a hard constraint",
        reading=(
            "c > 0, Fv = g, so that v = F⁻¹g where F is positive definite: gᵀd − (c/2)dᵀFd ≤ gᵀv/2c, its value at d* = v/c "
            "(TP.8.attained, TP.8.unique), for every d. TP.8.same and TP.8.one: exactly one c gives the step of TP.7."
        ),
        main=Assertion(
            "TP.8",
            "gᵀd − (c/2)dᵀFd is largest at d* = v/c, Fv = g",
            "proved",
            statement(penalised(direction), "≤", dot(gradient, solution) / (2 * strength), standing=[solves]),
            ByCalculation((lemma("TP.7.square", {x: solution, y: lambda c: strength * direction(c)}),)),
        ),
        parts=(
            Assertion(
                "TP.8.inverse",
                "so it is at F⁻¹g/c, where F has an inverse",
                "proved",
                statement(penalised(direction), "≤", NATURAL_SQUARE / (2 * strength), standing=[inverted]),
                ByCalculation((lemma("TP.8", {solution: lambda c: natural(c)}),)),
                worlds=PARAMETERS,
            ),
            Assertion(
                "TP.8.attained",
                "and it is attained at v/c",
                "proved",
                statement(
                    dot(gradient, solution) / strength - strength / 2 * form(solution, solution) / strength**2,
                    "=",
                    dot(gradient, solution) / (2 * strength),
                    standing=[solves],
                ),
            ),
            Assertion(
                "TP.8.unique",
                "and nowhere else",
                "proved",
                statement(
                    direction(n),
                    "=",
                    natural(n) / strength,
                    standing=[inverted, no_less],
                ),
                ByCalculation(
                    (lemma("TP.7.definite", {direction: lambda c: direction(c) - natural(c) / strength}, at={n: n}),)
                ),
                worlds=PARAMETERS,
            ),
            Assertion(
                "TP.8.same",
                "c = √(gᵀF⁻¹g/2δ_KL) gives the step of TP.7: 1/c = σ",
                "proved",
                statement(1 / strength, "=", length, standing=[is_length, matches]),
                begin(1 / strength).then("=", length, arithmetics),
                worlds=PARAMETERS,
            ),
            Assertion(
                "TP.8.one",
                "and no other c does: where v ≠ 0, v/c = σv only for that c",
                "proved",
                statement(
                    dot(gradient, solution),
                    "=",
                    2 * delta * strength**2,
                    standing=[
                        is_length,
                        assume("v/c = σv", solution(n) / strength, "=", length * solution(n)),
                        assume("v ≠ 0", solution(n), "≠", 0),
                    ],
                ),
                worlds=PARAMETERS,
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="VII.II",
        quote="choosing a penalty coefficient … is notoriously difficult",
        reading=(
            "If every reward is multiplied by k > 0, then g is (TP.9.values), and the coefficient c_k that gives the step of "
            "the same δ_KL is k·c. TP.9.exact says it of the penalty form VII.II itself."
        ),
        main=Assertion(
            "TP.9",
            "rescaling the rewards by k rescales the matching coefficient by k",
            "proved",
            statement(scaled_strength, "=", factor * strength, standing=[matches, matches_scaled]),
            begin(scaled_strength).then("=", factor * strength, arithmetics),
        ),
        parts=(
            Assertion(
                "TP.9.values",
                "kQ solves Bellman's equation for the rewards kr: advantages and the surrogate are multiplied by k",
                "proved",
                statement(recovered_reward(factor), "=", factor * recovered_reward(term(1))),
            ),
            Assertion(
                "TP.9.exact",
                "the penalty form prefers the same policies for (kr, kβ_TRPO) as for (r, β_TRPO)",
                "proved",
                statement(
                    penalty_form(new_arm, factor, factor * trpo),
                    "≥",
                    penalty_form(tied_arm, factor, factor * trpo),
                    standing=[better_before],
                ),
            ),
            Assertion(
                "TP.9.fixed",
                "with β_TRPO left as it is it prefers the same policies, too",
                "refuted",
                statement(
                    penalty_form(new_arm, factor, trpo),
                    "≥",
                    penalty_form(tied_arm, factor, trpo),
                    standing=[better_before],
                ),
                worlds=(_doubled_rewards(),),
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="B VII",
        quote="solves the resulting problem via the conjugate gradient algorithm",
        reading=(
            "F = E[zzᵀ]; m runs over the steps so far, of any number, l is the last. What is assumed of them is empty for "
            "the first step, r = p = g; TP.10 and TP.10.direction carry it to the next, with p⁺ = r⁺ + βp and "
            "αFp = r − r⁺. TP.10.count: at most dim residuals are not zero; where r = g − Fx is zero, x = F⁻¹g."
        ),
        main=Assertion(
            "TP.10",
            "the next residual r⁺ = r − αFp is orthogonal to every residual so far",
            "proved",
            statement(AGAINST, "=", 0, standing=SO_FAR),
            worlds=(_two_steps_of_three(),),
        ),
        parts=(
            Assertion(
                "TP.10.last",
                "αpᵀFr⁺ = −r⁺ᵀr⁺",
                "proved",
                statement(RATE * LAST_PUSHED, "=", -NEW_SQUARE, standing=SO_FAR),
                ByCalculation((lemma("TP.10", at={last: last, at: last}),)),
                worlds=(_two_steps_of_three(),),
            ),
            Assertion(
                "TP.10.pushed",
                "(Fp_m)ᵀr⁺ = 0 but for the last m, because Fp_m is a combination of residuals",
                "proved",
                statement(PUSHED_AGAINST, "=", Delta(at, last) * BEYOND_AGAINST, standing=[*SO_FAR, images]),
                begin(PUSHED_AGAINST)
                .then(
                    "=",
                    Sum(r, in_residuals(at, r) * Sum(i, residual(r, i) * next_residual(i)))
                    + Delta(at, last) * BEYOND_AGAINST,
                    hypothesis(images.name),
                )
                .then("=", Delta(at, last) * BEYOND_AGAINST, lemma("TP.10", at={last: last}), pointwise),
                worlds=(_two_steps_of_three(),),
            ),
            Assertion(
                "TP.10.beyond",
                "for the last it is −r⁺ᵀr⁺/α",
                "proved",
                statement(RATE * BEYOND_AGAINST, "=", -NEW_SQUARE, standing=[*SO_FAR, images]),
                begin(RATE * BEYOND_AGAINST)
                .then("=", RATE * LAST_PUSHED, lemma("TP.10.pushed", times=RATE, at={last: last, at: last}))
                .then("=", -NEW_SQUARE, lemma("TP.10.last", at={last: last})),
                worlds=(_two_steps_of_three(),),
            ),
            Assertion(
                "TP.10.direction",
                "the next direction p⁺ = r⁺ + βp, β = r⁺ᵀr⁺/ρ, is F-conjugate to every direction so far",
                "proved",
                statement(DIRECTION_AGAINST, "=", 0, standing=[*SO_FAR, images]),
                begin(DIRECTION_AGAINST)
                .then("=", PUSHED_AGAINST + NEXT_RATE * CONJUGATE_LAST, algebra)
                .then(
                    "=",
                    Delta(at, last) * BEYOND_AGAINST + NEXT_RATE * CONJUGATE_LAST,
                    lemma("TP.10.pushed", at={last: last, at: at}),
                )
                .then(
                    "=",
                    Delta(at, last) * (BEYOND_AGAINST + NEXT_RATE * search_square(last)),
                    hypothesis(conjugate.name),
                )
                .then("=", 0, lemma("TP.10.beyond", at={last: last}), arithmetics),
                worlds=(_two_steps_of_three(),),
            ),
            Assertion(
                "TP.10.iterate",
                "r⁺ = g − Fx⁺ for x⁺ = x + αp: where r⁺ = 0, x⁺ solves Fx = g",
                "proved",
                statement(
                    next_residual(m),
                    "=",
                    gradient(m) - Sum(j, fisher(m, j) * (iterate(j) + RATE * search(last, j))),
                    standing=[is_residual],
                ),
            ),
            Assertion(
                "TP.10.square",
                "Σ_i Σ_j (δ_ij − Σ_m r_mi r_mj/ρ_m)² ≥ 0",
                "proved",
                statement(LEFT_OVER, "≥", 0),
            ),
            Assertion(
                "TP.10.count",
                "there are at most dim orthogonal residuals that are not zero",
                "proved",
                statement(Size(M), "≤", Size(C), standing=[orthogonal]),
                begin(Size(M))
                .then("=", Size(C) - LEFT_OVER, hypothesis(orthogonal.name))
                .then("≤", Size(C), lemma("TP.10.square")),
                worlds=(_two_steps_of_three(),),
            ),
            Measured(
                "TP.10.measured",
                "on the tiny GPT F is singular and arithmetic is rounded",
                "Fx = g of one batch, as TRPO has it, solved with and without damping, in float32 and in float64",
                "how the residual falls over the iterations, and that dim of them are not needed",
            ),
        ),
    ),
    Claim(
        section="VII",
        tag="VII.I",
        quote="followed by a line search to ensure constraints are satisfied",
        reading=(
            "Two arms, θ the logit of p, so that F = p(1 − p): the step d with ½d²F = δ_KL, which leads from p to "
            "p·exp(d)/(1 − p + p·exp(d)), has D(π_old‖π) ≤ δ_KL."
        ),
        main=Assertion(
            "TP.11",
            "the step of TP.7 satisfies the constraint",
            "refuted",
            statement(STEPPED_KL, "≤", delta, standing=[on_the_boundary]),
            worlds=(_from_a_tenth(),),
        ),
        parts=(
            Assertion(
                "TP.11.fisher",
                "F = E[(∇log π)²] = p(1 − p) for a logit",
                "proved",
                statement(
                    logistic * D(log(logistic)) ** 2 + (1 - logistic) * D(log(1 - logistic)) ** 2,
                    "=",
                    logistic * (1 - logistic),
                    standing=[is_logistic],
                ),
            ),
            Assertion(
                "TP.11.divergence",
                "the divergence is log(1 − p + p·exp(d)) − pd",
                "proved",
                statement(STEPPED_KL, "=", STEP_KL),
            ),
            Assertion(
                "TP.11.hoeffding",
                "which is at most d²/8: its second derivative in d is at most ¼",
                "proved",
                statement(STEP_KL, "≤", step_size**2 / 8),
                prover=convex_in(step_size, at=0),
            ),
        ),
        correction=Assertion(
            "TP.11.corrected",
            "a shorter step along it does, which the line search finds: d² ≤ 8δ_KL is short enough",
            "proved",
            statement(
                STEPPED_KL,
                "≤",
                delta,
                standing=[assume("d² ≤ 8δ_KL", step_size**2, "≤", 8 * delta)],
            ),
            begin(STEPPED_KL)
            .then("=", STEP_KL, lemma("TP.11.divergence"))
            .then("≤", step_size**2 / 8, lemma("TP.11.hoeffding"))
            .then("≤", delta, arithmetics),
        ),
        believe="The step meets the quadratic model of the constraint, not the constraint: shorten it until it does.",
    ),
    Claim(
        section="VII",
        tag="VII.I, VII.II",
        quote="E_t[D(π_old(·∣s_t)‖π(·∣s_t))]",
        reading=(
            "TP.3 with D̄ = E_π[Σ γᵏ D(π‖π′)] for the maximum: the sum over the states that π visits, weighted by γᵏ. Their "
            "discounted mean is 1 − γ times it, so that it gives no better bound."
        ),
        main=Assertion(
            "TP.12",
            "the mean divergence over visited states may stand in TP.3 for the maximum",
            "refuted",
            statement(
                eta(new_path),
                "≥",
                SURROGATE - MEAN_PENALTY,
                standing=[discounted, bounded],
                recursions=[*BOTH, return_sum, surrogate_sum, divergence_sum],
                definitions=[values_of_old, advantages],
            ),
            ByCalculation(),
            worlds=(_rarely_visited(),),
        ),
        correction=Assertion(
            "TP.12.corrected",
            "with the same bound on the divergence after every history, visited or not, TP.3 holds",
            "proved",
            statement(
                eta(new_path),
                "≥",
                SURROGATE - 4 * epsilon * gamma / (1 - gamma) ** 2 * delta,
                standing=[discounted, assume("α² ≤ δ_KL", alpha**2, "≤", delta), within, bounded],
                recursions=WHOLE,
                definitions=[values_of_old, advantages],
            ),
            begin(eta(new_path))
            .then("≥", SURROGATE - PENALTY, lemma("TP.3"))
            .then("≥", SURROGATE - 4 * epsilon * gamma / (1 - gamma) ** 2 * delta, arithmetics),
            worlds=_drifts(-1),
        ),
        believe="A state that π rarely visits may be visited by π′: the bound needs the divergence there to be small, too.",
    ),
)
__all__ = ["CLAIMS"]
