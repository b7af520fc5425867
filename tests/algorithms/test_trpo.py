"""The natural step: the Fisher matrix written out, closed forms, singular matrices, and what the line search keeps."""

from __future__ import annotations

from math import inf, nan, sqrt

import pytest
import torch
from small_worlds import ENDING, policy_for
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from derivations.algorithms import exact, losses, trpo
from derivations.algorithms.kl import exact_kl
from derivations.algorithms.rollout import score
from toy_envs.errors import BadInput

GENERATOR = torch.Generator().manual_seed(0)
THETA = torch.tensor([0.4, -0.9, 0.2], dtype=torch.float64)


def fisher(theta: Tensor) -> Tensor:
    """E[∇log π ∇log πᵀ] of a softmax: diag(p) − ppᵀ."""
    p = theta.softmax(-1)
    return torch.diag(p) - torch.outer(p, p)


def some_matrix(size: int) -> Tensor:
    root = torch.randn(size, size, dtype=torch.float64, generator=GENERATOR)
    return root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)


def test_the_hessian_of_the_divergence_is_the_fisher_matrix() -> None:
    """TP.6, and not the Hessian of anything else: the products with all unit vectors are diag(p) − ppᵀ."""
    theta = THETA.clone().requires_grad_()
    product = trpo.fisher_vector_product(exact_kl(theta.detach(), theta), [theta])
    found = torch.stack([product(unit) for unit in torch.eye(3, dtype=torch.float64)])
    assert torch.allclose(found, fisher(THETA), atol=1e-12)
    damped = trpo.fisher_vector_product(exact_kl(theta.detach(), theta), [theta], damping=0.5)
    assert torch.allclose(damped(THETA), fisher(THETA) @ THETA + 0.5 * THETA, atol=1e-12)


def test_the_fisher_matrix_of_a_gpt_is_that_of_its_scores() -> None:
    """Over every response of a small world, F = Σ_t E[∇log π_t ∇log π_tᵀ], by another route: sums of squared scores."""
    policy, tree = policy_for(ENDING, 3), exact.prefix_tree(ENDING)
    weights = [policy.policy.weight]
    batch = exact.all_responses(tree)
    vector = torch.randn(weights[0].numel(), dtype=torch.float64, generator=GENERATOR)
    with sdpa_kernel(SDPBackend.MATH):
        logits = score(policy, batch).logits
        kl = losses.aggregate(exact_kl(logits.detach(), logits, batch.mask), batch.mask)
        found = trpo.fisher_vector_product(kl, weights)(vector)
    expected = torch.zeros_like(vector)
    laws = logits.log_softmax(-1)
    for row, time in batch.mask.nonzero().tolist():
        for action in range(ENDING.size):
            (own,) = torch.autograd.grad(laws[row, time, action], weights, retain_graph=True)
            expected += laws[row, time, action].exp().detach() * own.flatten() * (own.flatten() @ vector)
    assert torch.allclose(found, expected / len(batch), atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_conjugate_gradient_solves_in_as_many_steps_as_there_are_dimensions(size: int) -> None:
    """TP.10."""
    matrix, target = some_matrix(size), torch.randn(size, dtype=torch.float64, generator=GENERATOR)
    found = trpo.conjugate_gradient(lambda v: matrix @ v, target, size + 2)
    assert torch.allclose(found, torch.linalg.solve(matrix, target), rtol=1e-6, atol=1e-8)
    if size > 2:
        early = trpo.conjugate_gradient(lambda v: matrix @ v, target, 1)
        assert not torch.allclose(early, found, rtol=1e-2)


def test_a_singular_matrix_gives_the_solution_in_its_range() -> None:
    """TP.7: a gradient of a softmax lies in the range of its F, and F⁺g is what conjugate gradient finds."""
    gradient = torch.tensor([1.0, -0.5, -0.5], dtype=torch.float64)
    found = trpo.conjugate_gradient(lambda v: fisher(THETA) @ v, gradient, 10)
    assert torch.allclose(found, torch.linalg.pinv(fisher(THETA)) @ gradient, atol=1e-8)


def test_a_direction_that_costs_nothing_ends_it() -> None:
    assert not trpo.conjugate_gradient(lambda v: 0 * v, THETA, 5).any()
    assert not trpo.conjugate_gradient(lambda v: v, 0 * THETA, 5).any()
    assert not trpo.natural_step(lambda v: 0 * v, THETA, 0.1).any()


def test_the_natural_step_is_the_best_of_its_divergence() -> None:
    """TP.7: it reaches ½dᵀFd = δ, is √(2δ/gᵀF⁻¹g) F⁻¹g, and no other step of that length gains more."""
    matrix, gradient, delta = some_matrix(5), torch.randn(5, dtype=torch.float64, generator=GENERATOR), 0.03
    found = trpo.natural_step(lambda v: matrix @ v, gradient, delta)
    inverse = torch.linalg.solve(matrix, gradient)
    assert torch.allclose(found, sqrt(2 * delta / (gradient @ inverse).item()) * inverse, atol=1e-8)
    assert (found @ matrix @ found / 2).item() == pytest.approx(delta)
    for _ in range(50):
        other = torch.randn(5, dtype=torch.float64, generator=GENERATOR)
        other = other * (2 * delta / (other @ matrix @ other)).sqrt()
        assert gradient @ other < gradient @ found


def test_the_natural_step_keeps_its_length_where_conjugate_gradient_stops_early() -> None:
    matrix, gradient = some_matrix(8), torch.randn(8, dtype=torch.float64, generator=GENERATOR)
    found = trpo.natural_step(lambda v: matrix @ v, gradient, 0.1, steps=2)
    assert (found @ matrix @ found / 2).item() == pytest.approx(0.1)


def divergence(p: Tensor, moved: Tensor) -> float:
    return (p * (p / moved).log() + (1 - p) * ((1 - p) / (1 - moved)).log()).item()


def test_the_step_breaks_the_constraint_and_the_line_search_mends_it() -> None:
    """TP.11 in the logit: two arms, π_old = 1/10 on the better one, δ = 1/100: the divergence is .01134."""
    p = torch.tensor([0.1], dtype=torch.float64)
    logit = (p / (1 - p)).log()
    slope = p * (1 - p)
    step = trpo.natural_step(lambda v: slope * v, slope, 0.01)
    assert divergence(p, (logit + step).sigmoid()) == pytest.approx(0.01134, abs=5e-6)

    def outcome(part: Tensor) -> tuple[float, float]:
        moved = (logit + part).sigmoid()
        return (moved - p).item(), divergence(p, moved)

    taken = trpo.line_search(outcome, step, (slope * step).item(), 0.01)
    assert torch.equal(taken, step / 2)
    assert divergence(p, (logit + taken).sigmoid()) <= 0.01


@pytest.mark.parametrize(
    ("gained", "reached", "expected"),
    [
        ((1.0, 1.0), (0.5, 0.5), 1.0),
        ((1.0, 0.5), (2.0, 0.5), 0.5),
        ((-1.0, 0.5), (0.5, 0.5), 0.5),
        ((0.01, 0.5), (0.5, 0.5), 0.5),
        ((nan, 0.5), (0.5, 0.5), 0.5),
        ((inf, 0.5), (0.5, 0.5), 0.5),
        ((1.0, 0.5), (nan, 0.5), 0.5),
        ((-1.0, -1.0), (0.5, 0.5), 0.0),
    ],
)
def test_the_line_search_takes_the_first_part_that_will_do(
    gained: tuple[float, float], reached: tuple[float, float], expected: float
) -> None:
    outcomes = iter(zip(gained, reached, strict=True))
    taken = trpo.line_search(lambda part: next(outcomes), torch.ones(3), 1.0, 1.0, halvings=1)
    assert torch.equal(taken, torch.full((3,), expected))


def test_the_coefficient_is_adapted_by_a_factor_of_two() -> None:
    assert [trpo.adapted_beta(1.0, kl, 0.01) for kl in (0.0, 0.0066, 0.0067, 0.0149, 0.0151, inf)] == [
        0.5,
        0.5,
        1.0,
        1.0,
        2.0,
        2.0,
    ]


def test_what_is_out_of_range_is_refused() -> None:
    theta = THETA.clone().requires_grad_()
    for call, message in (
        (lambda: trpo.fisher_vector_product(theta, [theta]), r"kl is \[3\]; expected a scalar"),
        (lambda: trpo.fisher_vector_product(theta.sum(), [theta], -1.0), "damping is -1.0"),
        (lambda: trpo.conjugate_gradient(lambda v: v, THETA, 0), "steps is 0; expected at least 1"),
        (lambda: trpo.conjugate_gradient(lambda v: v * nan, THETA, 2), r"product\[0\] is nan"),
        (lambda: trpo.conjugate_gradient(lambda v: v, THETA * inf, 2), r"target\[0\] is inf"),
        (lambda: trpo.natural_step(lambda v: v, THETA, 0.0), "delta is 0.0; expected a positive number"),
        (lambda: trpo.line_search(lambda v: (1.0, 0.0), THETA, 1.0, nan), "delta is nan"),
        (lambda: trpo.line_search(lambda v: (1.0, 0.0), THETA, 1.0, 1.0, share=1.0), "share is 1.0"),
        (lambda: trpo.adapted_beta(0.0, 1.0, 1.0), "beta is 0.0; expected a positive number"),
        (lambda: trpo.adapted_beta(1.0, nan, 1.0), "kl is nan; expected a number"),
    ):
        with pytest.raises(BadInput, match=message):
            call()
