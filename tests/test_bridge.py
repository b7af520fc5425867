"""The checked terms as torch functions: equal to exact evaluation node by node, and to the losses in value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from derivations import bridge
from derivations.algorithms import exact, kl, losses, trpo
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.losses import ppo_clip, reinforce
from derivations.algorithms.returns import discounted_returns, gae
from derivations.bridge import clipped_surrogate, regret, regret_gap, reinforce_estimate, reinforce_objective
from derivations.checker import reals
from derivations.checker.errors import BadInput
from derivations.checker.statement import finite, statement
from derivations.checker.terms import (
    POSITIVE,
    Add,
    Apply,
    Cases,
    D,
    Definition,
    Delta,
    E,
    Index,
    Indicator,
    Infinity,
    Length,
    Multiply,
    Path,
    Size,
    Sort,
    Sum,
    Supremum,
    Term,
    clip,
    define,
    exp,
    function,
    histories,
    law,
    limit,
    log,
    maximum,
    minimum,
    parameter,
    subterms,
    term,
)
from derivations.checker.worlds import World, world
from derivations.ledger import Ledger
from derivations.sections import objects, ppo
from derivations.sections import policy_gradient as iv
from derivations.tensors import _RULES, TorchFunction, sides, torch_function
from toy_envs import SORTING

# torch's own, on the first forward-mode derivative.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

SEEDS = range(5)
CLOSE = 1e-9
APART = 1e-3


@pytest.fixture(autouse=True)
def _float64() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def gradient(value: Tensor, at: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, at, retain_graph=True)
    return found


def apart(first: Tensor, second: Tensor) -> float:
    assert first.shape == second.shape
    return (first - second).abs().max().item()


# --- every node against exact evaluation ----------------------------------------------------------------------------

X, Y = Sort("X"), Sort("Y")
x = X.index("x")
y, v, w = Y.indices("y v w")
p = law("p", Y, depends=True)
q = law("q", Y)
kernel = law("k", Y, given=[X], depends=True)
joint = law("j", X, Y)
f = function("f", Y, depends=True)
g = function("g", Y, X)
m = function("m", Y, Y, depends=True)
beta = parameter("β", POSITIVE, depends=True)
speed = parameter("c", POSITIVE, slope=2)
total_f, share = function("F", X), law("s", Y, given=[X])
DEFINITIONS = (
    define(total_f(x), Sum(w, f(w) * f(w) * g(w, x) ** 2 + 1)),
    define(share(v, x), kernel(v, x) * total_f(x) / total_f(x)),
)

third, half = Fraction(1, 3), Fraction(1, 2)
VALUES: dict[Any, Any] = {
    p: [third, 0, 1 - third],
    q: [half, half, 0],
    kernel: [[half, 0], [Fraction(1, 4), third], [Fraction(1, 4), 1 - third]],
    joint: [[half, 0, Fraction(1, 6)], [0, third, 0]],
    f: [Fraction(-3, 2), Fraction(2, 5), 4],
    g: [[1, -2], [Fraction(1, 7), 3], [Fraction(5, 3), Fraction(-1, 2)]],
    m: [[1, 2, -3], [half, -1, third], [0, 5, Fraction(2, 7)]],
    beta: Fraction(3, 5),
    speed: Fraction(7, 4),
}
SLOPES: dict[Any, Any] = {
    p: [1, 0, -1],
    kernel: [[-2, 0], [half, Fraction(1, 4)], [Fraction(3, 2), Fraction(-1, 4)]],
    f: [Fraction(1, 2), -3, Fraction(4, 3)],
    m: [[1, -1, 2], [0, 3, -2], [half, 1, third]],
    beta: Fraction(-2, 3),
}
EXACT = world({X: 2, Y: 3}, VALUES, slopes=SLOPES, definitions=DEFINITIONS)


def tensors(tables: Mapping[Any, Any]) -> dict[Any, Tensor]:
    def floats(table: Any) -> Any:
        return [floats(row) for row in table] if isinstance(table, list) else float(table)

    return {symbol: torch.tensor(floats(table)) for symbol, table in tables.items()}


def exactly(node: Term, axes: tuple[Index, ...], where: World = EXACT) -> Tensor:
    """The exact values of a term, one axis per index, rounded once."""
    sizes = [where.sizes[index.sort] for index in axes]
    values = [
        float(reals.ball(where.value(node, dict(zip(axes, at, strict=True))))) for at in product(*map(range, sizes))
    ]
    return torch.tensor(values).reshape(sizes)


TERMS: dict[str, Term] = {
    "number": term(Fraction(-22, 7)),
    "function": f(y),
    "two axes": g(y, x),
    "axes in another order": g(y, x) * Sum(v, joint(x, v)),
    "one index twice": m(y, y),
    "transposed": m(v, y) - 2 * m(y, v),
    "parameter": beta + 1,
    "known slope": speed * beta * speed,
    "add": f(y) + g(y, x) + beta + 1,
    "add of nothing": Add(()),
    "multiply": f(y) * g(y, x) * f(v),
    "multiply of nothing": Multiply(()),
    "square": f(y) ** 2,
    "cube": m(y, v) ** 3,
    "power zero": f(y) ** 0,
    "inverse": f(y) ** -1,
    "inverse square": g(y, x) ** -2 * f(y),
    "log": log(f(y) ** 2 + beta),
    "exp": exp(f(y) / 3 - beta),
    "sum": Sum(y, f(y) * g(y, x)),
    "sum of a constant": Sum(y, beta),
    "sum in a sum": Sum(y, f(y) * Sum(v, m(y, v) * f(v))),
    "sum of a diagonal": Sum(y, m(y, y) * f(y)),
    "two sums, one letter": Sum(y, f(y)) * Sum(y, p(y)),
    "expectation": E(p(y), f(y) * g(y, x)),
    "expectation, given": E(kernel(y, x), f(y) ** 2),
    "expectation of two": E(joint(x, y), f(y) * g(y, x) + beta),
    "expectation in an expectation": E(p(y), f(y) * E(kernel(v, x), m(y, v))),
    "entropy, zeros in the law": E(p(y), log(p(y))),
    "divergence, zeros in both": E(p(y), log(p(y)) - log(kernel(y, x) + p(y))),
    "ratio outside the support": E(q(y), f(y) / q(y)),
    "clipped ratio outside the support": E(q(y), minimum(f(y) / q(y), clip(1 / q(y), half, 2) * f(y))),
    "exp log outside the support": E(q(y), exp(log(q(y))) * f(y)),
    "log and inverse that vanish at 0 and at 1": E(q(y), (log(q(y) * (1 - q(y))) + 1 / (q(y) * (1 - q(y)))) * f(y)),
    "overflow outside the support": E(q(y), Cases(Indicator(q(y), "≠", term(0)), f(y), beta * exp(term(1000)))),
    "overflow beside what counts": Cases(
        Indicator(q(v), "=", term(0)), E(q(y), beta * exp(1000 * Delta(y, v)) * f(y)), term(0)
    ),
    "logarithm of an expectation": log(E(p(y), exp(f(y) / beta))),
    "minimum": minimum(f(y), g(y, x), beta),
    "maximum": maximum(f(y), g(y, x) + third, m(y, v)),
    "minimum of one": minimum(f(y)),
    "clip": clip(f(y) * g(y, x), 1 - beta, 1 + beta),
    "equal": Indicator(g(y, x), "=", term(3)) * f(y),
    "not equal": Indicator(g(y, x), "≠", term(3)) * f(y),
    "less": Indicator(f(y), "<", g(y, x)) * Indicator(g(y, x), "<", term(3)) * f(y),
    "at most": Indicator(g(y, x), "≤", term(1)) * f(y),
    "greater": Indicator(f(y), ">", term(1)) * beta + Indicator(g(y, x), ">", term(1)),
    "at least": Indicator(g(y, x), "≥", term(1)),
    "cases": Cases(Indicator(f(y), ">", g(y, x)), f(y) ** 2, beta * g(y, x)),
    "cases that guard": Cases(Indicator(q(y), "≠", term(0)), f(y) / q(y), f(y)),
    "cases that guard, otherwise": Cases(Indicator(q(y), "=", term(0)), f(y), log(q(y)) * f(y)),
    "delta": Delta(y, v) * f(y) + beta,
    "delta under a sum": Sum(v, Delta(v, y) * f(v)),
    "size": Size(Y) * f(y) + Size(X),
    "derivative": D(f(y) ** 2 * beta),
    "second derivative": D(D(f(y) ** 2 * beta + exp(beta))),
    "derivative inside": E(p(y), D(log(p(y))) * f(y)),
    "derivative of a derivative inside": D(E(p(y), D(log(p(y) * f(y) ** 2)))),
    "function of order one": Apply(f, (y,), 1) * f(y),
    "function of order two": Apply(f, (y,), 2) + Apply(beta.function, (), 1),
    "definition": total_f(x) * f(y),
    "definition in a definition": E(share(y, x), log(share(y, x)) * f(y)),
    "definition whose letter is taken": Sum(w, f(w) * total_f(x)),
}
# Worlds know derivatives up to the second.
ONCE_MORE = {name: node for name, node in TERMS.items() if name not in ("second derivative", "function of order two")}
ONCE_MORE.pop("derivative of a derivative inside")


def ready(node: Term) -> TorchFunction:
    return torch_function(node, definitions=DEFINITIONS)


def in_torch(node: Term, values: Mapping[Any, Tensor] | None = None) -> Tensor:
    """A term at the values and slopes above, or at others."""
    return ready(node)(values or tensors(VALUES), tangents=tensors(SLOPES), sizes={X: 2, Y: 3})


@pytest.mark.parametrize("node", TERMS.values(), ids=TERMS)
def test_value_is_the_exact_one(node: Term) -> None:
    assert apart(in_torch(node), exactly(node, ready(node).indices)) < CLOSE


@pytest.mark.parametrize("node", ONCE_MORE.values(), ids=ONCE_MORE)
def test_derivative_is_the_exact_slope(node: Term) -> None:
    assert apart(in_torch(D(node)), exactly(D(node), ready(node).indices)) < CLOSE


@pytest.mark.parametrize("node", ONCE_MORE.values(), ids=ONCE_MORE)
def test_autograd_along_the_slopes_is_the_exact_slope(node: Term) -> None:
    step = torch.zeros((), requires_grad=True)
    values, slopes = tensors(VALUES), {**tensors(SLOPES), speed: torch.tensor(2.0)}
    moved = {symbol: table + step * slopes.get(symbol, 0) for symbol, table in values.items()}
    value = in_torch(node, moved)
    found = [gradient(entry, step) if entry.requires_grad else torch.zeros(()) for entry in value.flatten()]
    assert apart(torch.stack(found).reshape(value.shape), exactly(D(node), ready(node).indices)) < CLOSE


def test_the_terms_have_every_node_that_has_a_value() -> None:
    assert set(_RULES) - {type(node) for given in TERMS.values() for node in subterms(given)} == {Supremum}


def test_supremum_is_the_greatest() -> None:
    made = torch_function(Supremum(y, g(y, x)))
    assert apart(made(tensors(VALUES)), exactly(Supremum(y, g(y, x)), (x,))) == 0


def test_a_binder_that_has_the_letter_of_a_free_index_shadows_nothing() -> None:
    # The definition of F binds w, which is free here.
    node = total_f(x) * f(w)
    made = ready(node)
    assert made.indices == (w, x)
    assert apart(made(tensors(VALUES)), exactly(node, (w, x))) < CLOSE


def test_second_derivative_along_a_curve_sees_its_curvature() -> None:
    # π = softmax(θ): D D log π(y) = −Var_π(d) along every direction d.
    theta, direction = torch.tensor([0.3, -1.0, 0.5]), torch.tensor([1.0, 2.0, -0.5])
    moving = law("π", Y, positive=True, depends=True)
    found = torch_function(D(D(log(moving(y))))).along(lambda at: {moving: at.softmax(0)}, theta, direction)
    weights = theta.softmax(0)
    mean = (weights * direction).sum()
    assert apart(found, -(weights * (direction - mean) ** 2).sum().expand(3)) < CLOSE


def test_the_value_of_a_derivative_has_a_gradient() -> None:
    # ∂/∂π of the slope π′/π is −π′/π².
    table, slope = torch.tensor([0.2, 0.5, 0.3], requires_grad=True), torch.tensor([1.0, -2.0, 1.0])
    value = torch_function(D(log(p(y))))({p: table}, tangents={p: slope})
    assert apart(gradient(value.sum(), table), -slope / table.detach() ** 2) < CLOSE


def test_what_is_declared_free_of_theta_stands_still_under_the_derivative() -> None:
    made = torch_function(D(p(y) * q(y)))
    theta = torch.tensor([0.1, 0.2, 0.7])
    found = made.components(lambda at: {p: at.softmax(0), q: at.softmax(0)}, theta)
    weights = theta.softmax(0)
    assert apart(found, weights[:, None] * (weights[:, None] * (torch.eye(3) - weights))) < CLOSE


def test_axes_are_the_free_indices_by_name_or_as_asked_for() -> None:
    values = tensors(VALUES)
    assert torch_function(g(y, x)).indices == (x, y)
    assert torch_function(g(y, x))(values).shape == (2, 3)
    asked = torch_function(g(y, x), indices=(y, v, x))(values, sizes={Y: 3})
    assert apart(asked, values[g][:, None, :].expand(3, 3, 2)) == 0


# --- numbers, types, sizes ------------------------------------------------------------------------------------------


def test_numbers_take_the_type_of_the_tensors_beside_them() -> None:
    single = torch_function(beta * f(y) / 3)({beta: 2, f: torch.ones(4, dtype=torch.float32)})
    assert single.dtype == torch.float32
    assert torch_function(beta / 3)({beta: Fraction(1, 2)}).dtype == torch.float64
    whole = torch_function(f(y) / 2)({f: torch.tensor([1, 2])})
    assert whole.tolist() == [0.5, 1.0]


def test_a_size_that_no_tensor_tells_is_given() -> None:
    assert torch_function(Sum(y, term(2)))({}, sizes={Y: 5}).item() == 10
    with pytest.raises(BadInput, match="how many elements Y has; give it by sizes"):
        torch_function(Sum(y, term(2)))({})


def refuses(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(BadInput) as caught:
        call()
    assert message in str(caught.value)


def test_a_missing_tensor_is_named() -> None:
    refuses("g has no tensor; give one with axes (Y, X)", lambda: torch_function(f(y) * g(y, x))({f: torch.ones(3)}))
    refuses("β has no tensor; give one with no axis", lambda: torch_function(beta * 2)({}))


def test_a_wrong_shape_is_named() -> None:
    made = torch_function(f(y) * g(y, x))
    refuses("f has shape (3, 1); expected axes (Y)", lambda: made({f: torch.ones(3, 1), g: torch.ones(3, 2)}))
    refuses(
        "g has shape (4, 2), with 4 on axis 0, Y; expected another size there: f says 3 for Y",
        lambda: made({f: torch.ones(3), g: torch.ones(4, 2)}),
    )
    refuses(
        "with 3 on axis 1, Y; expected another size there: m says 2 for Y",
        lambda: torch_function(m(y, v))({m: torch.ones(2, 3)}),
    )
    refuses("says 5 for Y", lambda: torch_function(f(y))({f: torch.ones(3)}, sizes={Y: 5}))
    refuses("a sort is not empty", lambda: torch_function(f(y))({f: torch.ones(0)}))
    refuses("Y has 0 elements; expected a positive", lambda: torch_function(Sum(y, term(2)))({}, sizes={Y: 0}))


def test_what_is_no_tensor_is_named() -> None:
    made = torch_function(f(y))
    refuses("f is [1, 2]; expected a real tensor with axes (Y)", lambda: made({f: [1, 2]}))
    refuses("f is True; expected", lambda: made({f: True}))
    refuses("f is a torch.complex128 tensor", lambda: made({f: torch.ones(3, dtype=torch.complex128)}))
    refuses("the key 'f' is neither a function nor a parameter", lambda: made({"f": torch.ones(3)}))


def test_a_tangent_is_wanted_for_what_moves_and_for_nothing_else() -> None:
    made, values = torch_function(D(p(y) * q(y) * speed)), tensors(VALUES)
    slope = tensors(SLOPES)[p]
    refuses("p moves with θ under a ∇; give its tangent, with axes (Y)", lambda: made(values))
    refuses("q does not depend on θ; expected no tangent", lambda: made(values, tangents={p: slope, q: slope}))
    refuses("c has the slope 2; expected no tangent", lambda: made(values, tangents={p: slope, speed: 2}))
    refuses("tangent of p has shape (2,); expected (3,)", lambda: made(values, tangents={p: slope[:2]}))
    theta = torch.zeros(3)
    refuses("direction has shape (2,)", lambda: made.along(lambda at: {**values, p: at}, theta, torch.zeros(2)))
    refuses("θ has shape (0,)", lambda: made.components(lambda at: {**values, p: at}, torch.zeros(0)))


def test_a_definition_takes_no_tensor() -> None:
    refuses("F is given by a definition", lambda: ready(total_f(x))({**tensors(VALUES), total_f: torch.ones(2)}))


H = histories("H", start=[X], step=[Y])
h = H.index("h")
on_histories = function("φ", H)
NATURAL = Sort("ℕ", infinite=True)
n = NATURAL.index("n")
on_naturals = function("φ", NATURAL)
circular = (Definition(total_f, (x,), total_f(x)),)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Sum(h, on_histories(h)), "Σ_h φ(h) (Sum) has no value on tensors: H is a sort of histories"),
        (on_histories(Path(H, None, (x,))), "(Apply) has no value on tensors: H is a sort of histories"),
        (Length(H) + 1, "(Length) has no value on tensors: H is a sort of histories"),
        (Size(H) + 1, "(Size) has no value on tensors: H is a sort of histories"),
        (limit(f(y) / beta, beta, "∞"), "(Limit) has no value on tensors: it is a limit"),
        (Infinity() + 1, "(Infinity) has no value on tensors: it is no real number"),
        (2 * Sum(n, on_naturals(n)), "(Sum) has no value on tensors: the sort ℕ is infinite"),
        (D(Supremum(y, f(y))), "(Supremum) has no value on tensors: a supremum has no slope"),
    ],
)
def test_what_has_no_value_on_tensors_is_refused_by_name(node: Term, message: str) -> None:
    refuses(message, lambda: torch_function(node))


def test_a_sort_assumed_to_be_finite_is_an_axis() -> None:
    total = Sum(n, on_naturals(n))
    left, _ = sides(statement(total, "=", 1, assuming=[finite(NATURAL)]))
    assert left({on_naturals: torch.tensor([1.0, 2.0])}).item() == 3
    refuses("ℕ is infinite", lambda: sides(statement(total, "=", 1)))


def test_a_circular_definition_and_a_wrong_list_of_axes_are_refused() -> None:
    refuses("F is defined by itself", lambda: torch_function(total_f(x), definitions=circular))
    refuses("indices are (x); expected each once, and all of (x, y)", lambda: torch_function(g(y, x), indices=[x]))
    refuses("indices are (y, y); expected each once", lambda: torch_function(f(y), indices=[y, y]))


# --- zeros in the support -------------------------------------------------------------------------------------------


def test_what_softmax_makes_zero_has_no_gradient_and_no_nan() -> None:
    logits = torch.tensor([0.4, -torch.inf, 1.0, -torch.inf], requires_grad=True)
    rewards = torch.tensor([1.0, torch.inf, -2.0, torch.nan])
    moving, reward = law("π", Y, depends=True), function("r", Y)
    value = torch_function(E(moving(y), reward(y) - log(moving(y))))({moving: logits.softmax(0), reward: rewards})
    finite_part = logits.detach()[[0, 2]].requires_grad_()
    weights = finite_part.softmax(0)
    expected = (weights * (torch.tensor([1.0, -2.0]) - weights.log())).sum()
    assert apart(value, expected) < CLOSE
    found = gradient(value, logits)
    assert found[[1, 3]].tolist() == [0, 0]
    assert apart(found[[0, 2]], gradient(expected, finite_part)) < CLOSE


def test_an_entry_of_the_law_where_the_body_is_not_defined_has_no_gradient() -> None:
    table, values = torch.tensor([0.4, 0, 0.6], requires_grad=True), tensors(VALUES)[f]
    value = torch_function(E(p(y), f(y) + log(p(y)) + 1 / p(y)))({p: table, f: values})
    found = gradient(value, table)
    assert found[1].item() == 0
    # ∂/∂p of p f + p log p + 1 is f + log p + 1.
    assert apart(found[[0, 2]], (values + table.detach().log() + 1)[[0, 2]]) < CLOSE


def test_a_law_that_leaves_zero_counts_with_its_slope() -> None:
    # E_p[f] at p = (1, 0, 0) along (−1, 1, 0): the slope is f₁ − f₀, in both modes.
    at, slope, values = torch.tensor([1.0, 0, 0], requires_grad=True), torch.tensor([-1.0, 1, 0]), tensors(VALUES)[f]
    forward = torch_function(D(E(p(y), f(y))))({p: at, f: values}, tangents={p: slope, f: torch.zeros(3)})
    backward = gradient(torch_function(E(p(y), f(y)))({p: at, f: values}), at)
    assert apart(forward, values[1] - values[0]) < CLOSE
    assert apart((backward * slope).sum(), values[1] - values[0]) < CLOSE
    # The entropy has no slope there: the answer is infinite, and not silently the rest.
    assert not torch_function(D(E(p(y), log(p(y)))))({p: at}, tangents={p: slope}).isfinite()


def test_the_regret_of_a_policy_with_zeros() -> None:
    logits = torch.tensor([0.4, -torch.inf, 1.0], requires_grad=True)
    reference, rewards = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([1.0, -1.0, 0.5])
    first, second = (call(logits.softmax(0), reference, rewards, 0.3) for call in (regret, regret_gap))
    assert apart(first, second) < CLOSE
    assert gradient(first, logits)[1].item() == 0 == gradient(second, logits)[1].item()
    assert apart(gradient(first, logits), gradient(second, logits)) < CLOSE


# --- REINFORCE, IV.V ------------------------------------------------------------------------------------------------


def some_logp(generator: torch.Generator, *shape: int) -> Tensor:
    return (torch.rand(shape, generator=generator) * -3 - 1e-3).requires_grad_()


def episodes(seed: int, batch: int, time: int) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities, returns [batch], and a mask under which each sequence has at least one step."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, time + 1, (batch, 1), generator=generator)
    return (
        some_logp(generator, batch, time),
        torch.randn(batch, generator=generator),
        torch.arange(time).expand(batch, time) < lengths,
    )


SHAPES = [(1, 1), (1, 4), (5, 1), (4, 3)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("batch", "time"), SHAPES)
def test_reinforce_is_the_checked_term(seed: int, batch: int, time: int) -> None:
    logp, returns, mask = episodes(seed, batch, time)
    loss, _ = reinforce(logp, returns[:, None].expand(batch, time), mask)
    # What comes after the end was not chosen: its probability is 1.
    value = reinforce_objective(logp.masked_fill(~mask, 0.0), returns)
    assert apart(value, -loss) < CLOSE
    assert apart(gradient(value, logp), -gradient(loss, logp)) < CLOSE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("batch", "time"), SHAPES)
def test_the_gradient_of_reinforce_is_the_estimate_evaluated(seed: int, batch: int, time: int) -> None:
    logp, returns, mask = episodes(seed, batch, time)
    every = torch.ones_like(mask)
    loss, _ = reinforce(logp, returns[:, None].expand(batch, time), every)
    assert apart(reinforce_estimate(logp, returns), -gradient(loss, logp)) < CLOSE


def test_the_estimate_in_the_parameters_of_a_policy() -> None:
    # Two states, three actions, logits θ: the components of ĝ are those of the loss's gradient in θ.
    theta = torch.randn(2, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    states, actions = torch.tensor([[0, 1], [1, 1], [0, 0]]), torch.tensor([[2, 0], [1, 1], [0, 2]])
    returns = torch.tensor([1.0, -0.5, 2.0])

    def logp(at: Tensor) -> Tensor:
        return at.log_softmax(-1)[states, actions]

    found = bridge.REINFORCE.components(lambda at: {iv.taken: logp(at).exp(), iv.gained: returns}, theta)
    loss, _ = reinforce(logp(theta), returns[:, None].expand(3, 2), torch.ones(3, 2, dtype=torch.bool))
    assert apart(found, -gradient(loss, theta)) < CLOSE


@pytest.mark.parametrize("seed", SEEDS)
def test_reinforce_with_a_flipped_sign_is_seen(seed: int) -> None:
    logp, returns, mask = episodes(seed, 4, 3)
    every = torch.ones_like(mask)
    weights = returns[:, None].expand(4, 3)
    value = reinforce_objective(logp, returns)
    for wrong in (-reinforce(logp, weights, every)[0], reinforce(logp, -weights, every)[0]):
        assert apart(value, -wrong) > APART
        assert apart(gradient(value, logp), -gradient(wrong, logp)) > APART
    in_the_term = torch_function(-bridge.REINFORCE_OBJECTIVE.term)
    flipped = in_the_term({iv.taken: logp.exp(), iv.gained: returns})
    assert apart(flipped, -reinforce(logp, weights, every)[0]) > APART


# --- PPO, VIII.I ----------------------------------------------------------------------------------------------------

EPSILON = 0.2


def steps(seed: int, batch: int, time: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ratios from about 1/100 to 100, advantages of both signs at ratios on both sides of the clip range."""
    generator = torch.Generator().manual_seed(seed)
    logp_old = torch.rand(batch, time, generator=generator) * -5 - 5
    logp = (logp_old + torch.randn(batch, time, generator=generator) * 2).clamp(max=-1e-3).requires_grad_()
    mask = torch.rand(batch, time, generator=generator) < 0.7
    mask[:, 0] = True
    return logp, logp_old, torch.randn(batch, time, generator=generator), mask


def difference(term_value: Tensor, loss: Tensor, logp: Tensor) -> tuple[float, float]:
    """How far a term and minus a loss are apart, in value and in gradient."""
    return apart(term_value, -loss), apart(gradient(term_value, logp), -gradient(loss, logp))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("batch", "time"), [*SHAPES, (8, 16)])
def test_ppo_is_the_checked_term(seed: int, batch: int, time: int) -> None:
    logp, logp_old, advantages, mask = steps(seed, batch, time)
    loss, _ = ppo_clip(logp, logp_old, advantages, mask, EPSILON, aggregation="token_mean")
    value = clipped_surrogate(logp[mask], logp_old[mask], advantages[mask], EPSILON)
    assert max(difference(value, loss, logp)) < CLOSE


def test_the_batch_has_every_case_of_the_clip() -> None:
    logp, logp_old, advantages, _ = steps(0, 8, 16)
    ratio = (logp - logp_old).exp()
    for side in (ratio < 0.1, ratio > 10, (ratio - 1).abs() < EPSILON):
        assert (side & (advantages > 0)).any() and (side & (advantages < 0)).any()


@pytest.mark.parametrize("ratio", [0.01, 0.79, 0.81, 1.0, 1.19, 1.21, 50.0])
@pytest.mark.parametrize("advantage", [-2.0, 0.0, 2.0])
def test_ppo_on_one_token(ratio: float, advantage: float) -> None:
    logp_old = torch.tensor([[-6.0]])
    logp = (logp_old + torch.tensor(ratio).log()).requires_grad_()
    one = torch.ones(1, 1, dtype=torch.bool)
    loss, _ = ppo_clip(logp, logp_old, torch.tensor([[advantage]]), one, EPSILON, aggregation="token_mean")
    value = clipped_surrogate(logp[0], logp_old[0], torch.tensor([advantage]), EPSILON)
    assert max(difference(value, loss, logp)) < CLOSE


@pytest.mark.parametrize("seed", SEEDS)
def test_ppo_with_a_mistake_is_seen(seed: int) -> None:
    logp, logp_old, advantages, _ = steps(seed, 4, 8)
    mask = torch.ones_like(logp, dtype=torch.bool)
    value = clipped_surrogate(logp.flatten(), logp_old.flatten(), advantages.flatten(), EPSILON)

    def loss(at: Tensor, old: Tensor, weights: Tensor, epsilon: float = EPSILON) -> Tensor:
        return ppo_clip(at, old, weights, mask, epsilon, aggregation="token_mean")[0]

    ratio = (logp - logp_old).exp()
    maximum_for_minimum = -torch.maximum(ratio * advantages, ratio.clamp(1 - EPSILON, 1 + EPSILON) * advantages).mean()
    exchanged = loss(-logp, -logp_old, advantages)  # π_old/π for π/π_old
    wrong = {
        "sign of the loss": -loss(logp, logp_old, advantages),
        "sign of the advantages": loss(logp, logp_old, -advantages),
        "π and π_old exchanged": exchanged,
        "max for min": maximum_for_minimum,
        "another ε": loss(logp, logp_old, advantages, 0.6),
        "another aggregation": ppo_clip(logp, logp_old, advantages, mask, EPSILON)[0],
    }
    for mistake, other in wrong.items():
        assert min(difference(value, other, logp)) > APART, mistake


@pytest.mark.parametrize("seed", SEEDS)
def test_ppo_with_a_mistake_in_the_term_is_seen(seed: int) -> None:
    logp, logp_old, advantages, _ = (table.flatten() for table in steps(seed, 4, 8))
    every = torch.ones_like(logp, dtype=torch.bool)
    loss, _ = ppo_clip(logp[None], logp_old[None], advantages[None], every[None], EPSILON, aggregation="token_mean")
    one, ratio, weight = ppo.t, ppo.probability(ppo.t) / ppo.probability_old(ppo.t), ppo.advantages(ppo.t)
    inverse = ppo.probability_old(one) / ppo.probability(one)

    def mean(body: Term) -> Term:
        return Sum(one, body) / Size(ppo.STEPS)

    def inside(value: Term) -> Term:
        return clip(value, 1 - ppo.epsilon, 1 + ppo.epsilon)

    right = mean(minimum(ratio * weight, inside(ratio) * weight))
    wrong = {
        "sign": -right,
        "exchanged": mean(minimum(inverse * weight, inside(inverse) * weight)),
        "max for min": mean(maximum(ratio * weight, inside(ratio) * weight)),
        "no mean": Sum(one, minimum(ratio * weight, inside(ratio) * weight)),
        "no minimum": mean(inside(ratio) * weight),
    }
    tables = {
        ppo.probability: logp.exp(),
        ppo.probability_old: logp_old.exp(),
        ppo.advantages: advantages,
        ppo.epsilon: EPSILON,
    }
    assert max(difference(torch_function(right)(tables), loss, logp)) < CLOSE
    for mistake, node in wrong.items():
        assert min(difference(torch_function(node)(tables), loss, logp)) > APART, mistake


# --- CPI, the penalty and the natural step, VI and VII --------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("batch", "time"), [*SHAPES, (8, 16)])
def test_cpi_is_the_checked_term(seed: int, batch: int, time: int) -> None:
    logp, logp_old, advantages, mask = steps(seed, batch, time)
    loss, _ = losses.cpi(logp, logp_old, advantages, mask, aggregation="token_mean")
    value = bridge.surrogate(logp[mask], logp_old[mask], advantages[mask])
    assert max(difference(value, loss, logp)) < CLOSE * max(1, loss.abs().item())
    exchanged, _ = losses.cpi(-logp, -logp_old, advantages, mask, aggregation="token_mean")
    assert min(difference(value, exchanged, logp)) > APART


def one_state(seed: int, actions: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, those of another policy, rewards of the actions, and a mask: each action in a row of its own."""
    generator = torch.Generator().manual_seed(seed)
    logits, others, rewards = (torch.randn(actions, generator=generator) for _ in range(3))
    return logits.requires_grad_(), others, rewards, torch.ones(actions, 1, dtype=torch.bool)


def rows(law: Tensor) -> Tensor:
    """[actions] as a batch of one step each."""
    return law.unsqueeze(-1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("actions", [3, 5])
def test_the_penalty_is_the_checked_term(seed: int, actions: int) -> None:
    """Each action once, with its chance under π_old in the advantage: the mean over the rows is E_old."""
    logits, others, gains, mask = one_state(seed, actions)
    logp, old = logits.log_softmax(0), others.log_softmax(0)
    weighted = actions * old.exp() * gains

    def loss(forward: bool) -> Tensor:
        pair = (others, logits) if forward else (logits, others)
        divergence = kl.exact_kl(*pair).expand(actions, 1)
        return losses.trpo_penalty(rows(logp), rows(old), rows(weighted), divergence, mask, 0.7)[0]

    value = bridge.penalised_surrogate(logp.exp(), old.exp(), gains, 0.7)
    assert max(difference(value, loss(True), logits)) < CLOSE
    assert min(difference(value, loss(False), logits)) > APART / 10


@pytest.mark.parametrize("seed", SEEDS)
def test_products_with_the_fisher_matrix_are_the_checked_term(seed: int) -> None:
    logits, direction, *_ = one_state(seed, 5)
    product = trpo.fisher_vector_product(kl.exact_kl(logits.detach(), logits), [logits])
    value = bridge.fisher_form(lambda theta: theta.softmax(0), logits.detach(), direction)
    assert apart(direction @ product(direction), value) < CLOSE
    reverse = trpo.fisher_vector_product(2 * kl.exact_kl(logits.detach(), logits), [logits])
    assert apart(direction @ reverse(direction), value) > APART


# --- advantages, V --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("gamma", "lam"), [(0.9, 0.7), (1.0, 0.95), (0.5, 0.0), (0.8, 1.0)])
def test_gae_is_the_checked_term_at_each_step(seed: int, gamma: float, lam: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards, values, following = (torch.randn(1, 6, generator=generator) for _ in range(3))
    ends, never = torch.zeros(1, 6, dtype=torch.bool), torch.zeros(1, 6, dtype=torch.bool)
    ends[0, 3] = True
    values.requires_grad_()
    found = gae(rewards, values, following, ends, never, gamma, lam)[0]
    errors = (rewards + gamma * following * ~ends - values)[0]
    for step in range(6):
        last = 4 if step < 4 else 6
        expected = bridge.generalised_advantage(errors[step:last], gamma, lam)
        assert apart(found[step], expected) < CLOSE
        assert apart(gradient(found[step], values), gradient(expected, values)) < CLOSE
    if lam:
        assert apart(found[0], bridge.generalised_advantage(errors, gamma, lam)) > APART


def test_returns_are_the_checked_term() -> None:
    """The reward-to-go is the advantage estimate at V = 0 and λ = 1 (AD.17)."""
    rewards = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    found = discounted_returns(rewards, 0.9)[0]
    for step in range(5):
        assert apart(found[step], bridge.generalised_advantage(rewards[0, step:], 0.9, 1.0)) < CLOSE


# --- value, entropy, divergences, VIII.II and IX --------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("clip", [None, 0.3])
def test_the_value_loss_is_the_checked_term(seed: int, clip: float | None) -> None:
    generator = torch.Generator().manual_seed(seed)
    values, old, targets = (torch.randn(4, 5, generator=generator) for _ in range(3))
    mask = torch.arange(5) < torch.tensor([[5], [1], [3], [2]])
    values.requires_grad_()
    loss, _ = losses.value(values, old, targets, mask, clip)
    term = bridge.value_error(values[mask], old[mask], targets[mask], clip)
    assert max(difference(-term, loss, values)) < CLOSE
    other, _ = losses.value(values, old, targets, mask, None if clip else 0.3)
    assert min(difference(-term, other, values)) > APART / 10


@pytest.mark.parametrize("seed", SEEDS)
def test_the_entropy_is_the_checked_term(seed: int) -> None:
    logits, *_ = one_state(seed, 5)
    loss, _ = losses.entropy(logits.view(1, 1, 5), torch.ones(1, 1, dtype=torch.bool))
    value = bridge.entropy(logits.softmax(0))
    assert max(difference(value, loss, logits)) < CLOSE
    assert min(difference(value, -loss, logits)) > APART


@pytest.mark.parametrize("seed", SEEDS)
def test_the_exact_divergence_is_the_checked_term(seed: int) -> None:
    logits, others, *_ = one_state(seed, 5)
    value = bridge.divergence(logits.softmax(0), others.softmax(0))
    assert max(difference(value, -kl.exact_kl(logits, others), logits)) < CLOSE
    assert min(difference(value, -kl.exact_kl(others, logits), logits)) > APART


@pytest.mark.parametrize("seed", SEEDS)
def test_the_estimators_are_the_checked_terms(seed: int) -> None:
    logits, others, weights, _ = one_state(seed, 5)
    logp, logp_ref = logits.log_softmax(0), others.log_softmax(0)
    terms = bridge.kl_estimates(logp.exp(), logp_ref.exp())
    for checked, estimate in zip(terms, (kl.k1, kl.k2, kl.k3), strict=True):
        found = estimate(rows(logp), rows(logp_ref)).squeeze(-1)
        assert apart(checked, found) < CLOSE
        assert apart(gradient((checked * weights).sum(), logits), gradient((found * weights).sum(), logits)) < CLOSE
    inverted = kl.k3(rows(logp_ref), rows(logp)).squeeze(-1)
    assert apart(terms[2], inverted) > APART


@pytest.mark.parametrize("seed", SEEDS)
def test_the_losses_together_are_the_complete_one(seed: int) -> None:
    """KL.9: PPO's, the value's, the entropy's and the penalty's, each with its sign and its coefficient."""
    generator = torch.Generator().manual_seed(seed)
    logits, old, anchor = (torch.randn(3, 4, 5, generator=generator) * 1.5 for _ in range(3))
    values, targets, advantages = (torch.randn(3, 4, generator=generator) for _ in range(3))
    actions = torch.randint(5, (3, 4), generator=generator)
    mask = torch.arange(4) < torch.tensor([[4], [1], [2]])
    logits.requires_grad_(), values.requires_grad_()

    def taken(of: Tensor) -> Tensor:
        return of.log_softmax(-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    mean = {"aggregation": "token_mean"}
    parts = (
        losses.ppo_clip(taken(logits), taken(old), advantages, mask, EPSILON, **mean)[0],
        0.5 * losses.value(values, values, targets, mask, **mean)[0],
        0.3 * losses.entropy(logits, mask, **mean)[0],
        losses.kl_penalty(kl.exact_kl(logits, anchor), mask, 0.2, **mean)[0],
    )
    term = bridge.complete_loss(
        *(part[mask].softmax(-1) for part in (logits, old, anchor)),
        actions[mask],
        advantages[mask],
        values[mask],
        targets[mask],
        epsilon=EPSILON,
        value_coefficient=0.5,
        entropy_coefficient=0.3,
        beta=0.2,
    )
    whole = torch.stack(parts).sum()
    for at in (logits, values):
        assert max(difference(-term, whole, at)) < CLOSE
    for part in parts:
        assert apart(term, whole - 2 * part) > APART


# --- preferences, II and XI -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reward_model_is_the_checked_term(seed: int) -> None:
    logits, *_ = one_state(seed, 5)
    chosen, rejected = torch.tensor([0, 1, 4, 0]), torch.tensor([1, 2, 0, 1])
    scores = 3 * logits
    loss, _ = losses.reward_model(scores[chosen], scores[rejected])
    term = bridge.preference_loss(scores, chosen, rejected)
    assert max(difference(-term, loss, logits)) < CLOSE
    assert min(difference(-term, losses.reward_model(scores[rejected], scores[chosen])[0], logits)) > APART


@pytest.mark.parametrize("seed", SEEDS)
def test_dpo_is_the_checked_term(seed: int) -> None:
    logits, others, *_ = one_state(seed, 5)
    chosen, rejected = torch.tensor([0, 1, 4, 0]), torch.tensor([1, 2, 0, 1])
    logp, logp_ref = 2 * logits.log_softmax(0), others.log_softmax(0)

    def loss(beta: float) -> Tensor:
        return losses.dpo(logp[chosen], logp[rejected], logp_ref[chosen], logp_ref[rejected], beta)[0]

    term = bridge.direct_preference_loss(logp.exp(), logp_ref.exp(), chosen, rejected, 0.4)
    assert max(difference(-term, loss(0.4), logits)) < CLOSE
    assert min(difference(-term, loss(0.16), logits)) > APART  # β twice
    start = bridge.direct_preference_loss(logp_ref.exp(), logp_ref.exp(), chosen, rejected, 0.4)
    assert apart(start, torch.tensor(2.0).log()) < CLOSE


# --- the regret, OP.11 ----------------------------------------------------------------------------------------------


def by_hand(policy: Tensor, reference: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """β Σ π (log π − log softmax(log π_ref + r/β)), as one would code it."""
    best = (reference.log() + rewards / beta).log_softmax(0)
    return beta * (policy * (policy.log() - best)).sum()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("responses", [1, 2, 300])
def test_the_regret_is_both_sides_of_the_claim(seed: int, responses: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(responses, generator=generator, requires_grad=True)
    reference = torch.randn(responses, generator=generator).softmax(0)
    rewards, policy = torch.rand(responses, generator=generator), logits.softmax(0)
    expected = by_hand(policy, reference, rewards, 0.05)
    for found in (regret(policy, reference, rewards, 0.05), regret_gap(policy, reference, rewards, 0.05)):
        assert apart(found, expected) < CLOSE
        assert apart(gradient(found, logits), gradient(expected, logits)) < CLOSE
    if responses > 1:
        exchanged = regret(reference, policy, rewards, 0.05)
        assert apart(exchanged, expected) > APART
        assert apart(regret(policy, reference, -rewards, 0.05), expected) > APART
        assert apart(-expected, expected) > APART


def test_the_best_policy_has_no_regret() -> None:
    reference, rewards = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([1.0, -1.0, 0.5])
    best = (reference.log() + rewards / 0.3).softmax(0)
    assert abs(regret(best, reference, rewards, 0.3)) < 1e-12
    assert abs(regret_gap(best, reference, rewards, 0.3)) < 1e-12


def test_several_prompts_are_one_axis() -> None:
    generator = torch.Generator().manual_seed(7)
    policy, reference = (torch.randn(4, 3, generator=generator).softmax(0) for _ in range(2))
    rewards = torch.randn(4, 3, generator=generator)
    tables = {objects.policy: policy, objects.reference: reference, objects.reward: rewards, objects.beta: 0.3}
    found = bridge.REGRET(tables)
    each = [regret(policy[:, k], reference[:, k], rewards[:, k], 0.3) for k in range(3)]
    assert apart(found, torch.stack(each)) < CLOSE


def test_the_regret_evaluates_in_a_world_as_in_torch() -> None:
    tables: dict[Any, Any] = {
        objects.policy: [[half, 1], [half, 0], [0, 0]],
        objects.reference: [[third, half], [third, Fraction(1, 4)], [third, Fraction(1, 4)]],
        objects.reward: [[1, 0], [-1, 2], [half, third]],
        objects.beta: Fraction(1, 2),
    }
    where = world({objects.X: 2, objects.Y: 3}, tables, definitions=objects.OPTIMUM)
    for side in (bridge.REGRET, bridge.REGRET_GAP):
        assert apart(side(tensors(tables)), exactly(side.term, (objects.x,), where)) < CLOSE


def test_the_regret_of_the_tree_is_the_judged_one() -> None:
    """exact.regret sums divergences of tokens over 1555 prefixes; the judged term takes 7776 responses at once."""
    tree = exact.prefix_tree(SORTING)
    config = GPTConfig(SORTING.size, SORTING.horizon, width=8)
    with torch.no_grad():
        logp, logp_ref = (exact.tree_logp(GPT(config, seed).double(), tree) for seed in (0, 1))
    rewards = torch.tensor([SORTING.reward(*pair) for pair in tree.responses])
    columns = [exact.response_logp(tree, law).exp() for law in (logp, logp_ref)]
    found = exact.regret(tree, logp, exact.optimum(tree, logp_ref, SORTING.beta), SORTING.beta)
    for judged in (regret(*columns, rewards, SORTING.beta), regret_gap(*columns, rewards, SORTING.beta)):
        assert abs(judged - found) < CLOSE
    assert abs(regret(*reversed(columns), rewards, SORTING.beta) - found) > APART


# --- from the ledger, and only there --------------------------------------------------------------------------------


CLAIMS = {
    "AD.16": "right",
    "PPO.1.batch": "left",
    "TP.9.fixed": "left",
    "TP.6": "right",
    "PPO.12": "left",
    "PPO.12.clipped": "left",
    "PPO.13.nonnegative": "left",
    "KL.1": "right",
    "KL.2.k2.sign": "left",
    "KL.2.sign": "left",
}
TERMS_OF = {
    "AD.16": bridge.ADVANTAGE,
    "PPO.1.batch": bridge.CLIPPED,
    "TP.9.fixed": bridge.PENALISED,
    "TP.6": bridge.FISHER,
    "PPO.12": bridge.VALUE_ERROR,
    "PPO.12.clipped": bridge.VALUE_ERROR_CLIPPED,
    "PPO.13.nonnegative": bridge.ENTROPY,
    "KL.1": bridge.DIVERGENCE,
    "KL.2.k2.sign": bridge.K2,
    "KL.2.sign": bridge.K3,
}


def test_each_constant_is_a_side_of_a_statement_of_the_ledger() -> None:
    formal = {name: assertion.formal for name, assertion in Ledger().assertions.items()}
    for name, side in CLAIMS.items():
        assert TERMS_OF[name].term == getattr(formal[name], side), name
    assert bridge.SURROGATE.term == formal["PPO.1.batch"].right
    assert bridge.K1.term == formal["KL.1"].left.body  # type: ignore[union-attr]
    assert D(bridge.COMPLETE.term) == formal["KL.9.loss"].left
    assert D(bridge.PREFERENCE.term) == formal["RM.3.gradient"].right
    assert D(bridge.DIRECT_PREFERENCE.term) == formal["DPO.3"].left


def test_each_constant_is_a_side_of_a_judged_statement() -> None:
    ledger = Ledger()
    for identifier in ("PG.5.loss", "PPO.1.batch", "OP.11"):
        assert ledger.verdict(identifier).holds
    formal = {name: ledger.assertions[name].formal for name in ("PG.5.loss", "PPO.1.batch", "OP.11")}
    assert bridge.REINFORCE.term == formal["PG.5.loss"].left
    assert D(bridge.REINFORCE_OBJECTIVE.term) == formal["PG.5.loss"].right
    assert bridge.CLIPPED.term == formal["PPO.1.batch"].left == ppo.CLIPPED
    assert (bridge.REGRET_GAP.term, bridge.REGRET.term) == (formal["OP.11"].left, formal["OP.11"].right)


def test_an_unknown_claim_is_refused() -> None:
    refuses("claim 'OP.99' is not known", lambda: bridge.judged("OP.99"))
    refuses("OP.11: the right side is", lambda: bridge._under_the_gradient("OP.11"))
    refuses("OP.11: the left side is", lambda: bridge._averaged("OP.11"))
