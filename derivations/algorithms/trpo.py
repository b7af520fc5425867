"""The natural step of TRPO: Fisher-vector products, conjugate gradient, line search; and the adaptive penalty.

Vectors are [weights], the weights of the policy one after the other, as `flat` puts them.
How it differs from the paper (J. Schulman et al., "Trust Region Policy Optimization", 2015, appendix C):
1. Products with F are second derivatives of the divergence at θ_old (TP.6), by backpropagation twice, as in its C.1.
2. The line search also wants the surrogate to rise by a share of what its slope promises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan

import torch
from torch import Tensor

from derivations.algorithms.batches import check_finite, check_range
from toy_envs.errors import BadInput

Product = Callable[[Tensor], Tensor]
"""v ↦ Fv for a symmetric F, both [weights]."""


def flat(parts: Sequence[Tensor]) -> Tensor:
    """All numbers of some tensors, one after the other."""
    return torch.cat([part.reshape(-1) for part in parts])


def fisher_vector_product(kl: Tensor, parameters: Sequence[Tensor], damping: float = 0.0) -> Product:
    """Products with the Hessian of a divergence, which at θ_old is the Fisher matrix.

    Fv = ∇(∇D · v) + κv,  D(θ) = E_t[D(π_old(·∣s_t)‖π_θ(·∣s_t))] at θ = θ_old

    Parameters: `kl` a scalar that can be differentiated twice in the `parameters`, such as
    `aggregate(exact_kl(logits.detach(), logits), mask)`; `damping` κ, not negative: F of a softmax with all its logits is
    singular (TP.7). Returns the function v ↦ Fv, each a backward pass. Raises BadInput where `kl` is no scalar.
    Claim TP.6. Appendix C.1 of the paper.
    """
    if kl.dim():
        raise BadInput(f"kl is {list(kl.shape)}; expected a scalar")
    check_range("damping", damping, 0, float("inf"))
    weights = list(parameters)
    slope = flat(torch.autograd.grad(kl, weights, create_graph=True, materialize_grads=True))

    def product(vector: Tensor) -> Tensor:
        found = torch.autograd.grad(slope @ vector, weights, retain_graph=True, materialize_grads=True)
        return flat(found) + damping * vector

    return product


def conjugate_gradient(product: Product, target: Tensor, steps: int, tolerance: float = 1e-10) -> Tensor:
    """F⁻¹b for a positive definite F of which only products are known, in at most dim steps but for rounding.

    x_{k+1} = x_k + α_k p_k,  α_k = ‖r_k‖²/p_kᵀFp_k,  r_{k+1} = r_k − α_k Fp_k,  p_{k+1} = r_{k+1} + (‖r_{k+1}‖²/‖r_k‖²) p_k

    Parameters: `product` v ↦ Fv; `target` b [weights]; `steps` the most steps, at least 1; it stops when
    ‖r‖ ≤ `tolerance` · ‖b‖, or where pᵀFp is not positive, which a singular F and rounding can bring about: what was
    found until then is the answer. Raises BadInput where `steps` is less than 1, or a number of `target` or of a product
    is not finite. Claim TP.10. M. Hestenes and E. Stiefel (1952); appendix C of the paper.
    """
    if steps < 1:
        raise BadInput(f"steps is {steps}; expected at least 1")
    found = torch.zeros_like(check_finite("target", target))
    residual, direction = target.clone(), target.clone()
    square = residual @ residual
    enough = tolerance**2 * square
    for _ in range(steps):
        if square <= enough:
            break
        image = check_finite("product", product(direction))
        curvature = direction @ image
        if curvature <= 0:
            break
        length = square / curvature
        found = found + length * direction
        residual = residual - length * image
        before, square = square, residual @ residual
        direction = residual + (square / before) * direction
    return found


def natural_step(product: Product, gradient: Tensor, delta: float, steps: int = 10) -> Tensor:
    """The step that gains most to first order, where the divergence to second order is δ.

    d* = √(2δ / gᵀF⁻¹g) F⁻¹g, the maximiser of gᵀd subject to ½dᵀFd ≤ δ

    Parameters: `product` v ↦ Fv; `gradient` g [weights], to be ascended; `delta` δ positive, in nats; `steps` of the
    conjugate gradient. Returns d [weights], 0 where g is 0. Raises BadInput where `delta` is not positive, and as
    `conjugate_gradient`. Claims TP.7, TP.8. Source B, VII.I.
    """
    if not delta > 0:
        raise BadInput(f"delta is {delta}; expected a positive number")
    direction = conjugate_gradient(product, gradient, steps)
    # Also where it stopped early: what conjugate gradient finds is orthogonal to its residual, so that xᵀFx = gᵀx.
    curvature = gradient @ direction
    return direction * (2 * delta / curvature).sqrt() if curvature > 0 else torch.zeros_like(gradient)


def line_search(
    outcome: Callable[[Tensor], tuple[float, float]],
    step: Tensor,
    slope: float,
    delta: float,
    halvings: int = 10,
    share: float = 0.1,
) -> Tensor:
    """The first of d, d/2, d/4, … that keeps the constraint and gains enough; 0 where none does.

    D(θ_old + d) ≤ δ  and  L(θ_old + d) − L(θ_old) ≥ c gᵀd

    Parameters: `outcome` of a step [weights]: what the surrogate gains by it, and the divergence E_t[D(π_old‖π)] after it,
    in nats; `step` d; `slope` gᵀd; `delta` δ; `halvings` how often the step is halved at most; `share` c in [0, 1).
    A step with an outcome that is not finite is not taken. The step of `natural_step` needs it: it keeps the constraint
    to second order only (TP.11). Raises BadInput for another `share` or `delta`.
    Claims TP.4, TP.11. Appendix C of the paper.
    """
    if not 0 <= share < 1:
        raise BadInput(f"share is {share}; expected a number from 0 to 1, 1 excluded")
    if not delta > 0:
        raise BadInput(f"delta is {delta}; expected a positive number")
    for halving in range(halvings + 1):
        part = 0.5**halving
        gained, divergence = outcome(part * step)
        if isfinite(gained) and divergence <= delta and gained >= share * part * slope:
            return part * step
    return torch.zeros_like(step)


def adapted_beta(beta: float, kl: float, target: float) -> float:
    """The coefficient for the next batch: halved where the policy moved too little, doubled where too much.

    β/2 where D < d/1.5,  2β where D > 1.5 d,  else β

    Parameters: `beta` positive; `kl` D(π_old‖π) after the batch and `target` d, in nats per token. Raises BadInput where
    `beta` or `target` is not positive, or `kl` is not a number.
    Claim TP.9. J. Schulman et al., "Proximal Policy Optimization Algorithms" (2017), section 4.
    """
    for name, number in (("beta", beta), ("target", target)):
        if not 0 < number < float("inf"):
            raise BadInput(f"{name} is {number}; expected a positive number")
    if isnan(kl):
        raise BadInput("kl is nan; expected a number")
    if kl > 1.5 * target:
        return 2 * beta
    return beta / 2 if kl < target / 1.5 else beta
