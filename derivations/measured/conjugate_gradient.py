"""TP.10: conjugate gradient on the tiny GPT, where F is singular and arithmetic is rounded.

F and the gradient g of L_CPI at θ_old = π_ref are those of TRPO on one batch of 256 responses to Sorting-v0: F from every
second response, g from all. Fx = g is solved in float32, with the damping of the trainer and without any, and in float64
with it; a residual is ‖g − Fx‖/‖g‖ with a product of its own, not the one that the recursion carries on.

The rule. F is singular: a step that moves all logits alike is taken to 0, up to 10⁻⁶. With the damping the residual falls
below a quarter in the 10 steps that TRPO takes, further in 100, and to 10⁻³ in less than a hundredth of dim steps, which is
what "at most dim steps" leaves open. Rounding costs steps: float32 needs more of them than float64. Without the damping a
hundredth of dim steps leaves more than 1 %: what makes few steps enough is the damping.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from derivations.algorithms import losses, trpo
from derivations.algorithms.assembly import leave_one_out
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import exact_kl
from derivations.algorithms.rollout import Responses, final_scores, sample, score
from derivations.algorithms.trainer import DAMPING, FISHER_STRIDE
from derivations.measured.exact_policy import reference
from derivations.measured.experiment import Experiment
from derivations.measured.rule import Condition, Numbers
from toy_envs.sorting import SORTING

EPISODES, ENOUGH = 256, 1e-3
STEPS = (1, 10, 100)
SHARE = 0.01  # of dim


def measure(seed: int, episodes: int = EPISODES) -> Numbers:
    """Residuals after some steps, and how many steps are enough, as shares of dim."""
    policy = reference()
    responses, _ = sample(policy, SORTING, episodes, torch.Generator().manual_seed(seed))
    damped, gradient = system(policy, responses, DAMPING)
    plain, _ = system(policy, responses, 0.0)
    shift = _shift_of_all_logits(policy)
    most = int(SHARE * len(gradient))
    return {
        "dim": float(len(gradient)),
        "image_of_the_shift": (plain(shift).norm() / shift.norm()).item(),
        **{f"residual_{steps}": _residual(damped, gradient, steps) for steps in STEPS},
        "residual_without_damping": _residual(plain, gradient, most),
        "share_of_dim": _steps_needed(damped, gradient) / len(gradient),
        # Last, since it makes the policy one of float64.
        "share_of_dim_float64": _steps_needed(*system(policy.double(), responses, DAMPING)) / len(gradient),
    }


def system(policy: GPT, responses: Responses, damping: float) -> tuple[trpo.Product, Tensor]:
    """v ↦ (F + κ)v and g, as the trainer has them for TRPO."""
    weights, mask = list(policy.parameters()), responses.mask
    kind = weights[0].dtype
    advantages = leave_one_out(final_scores(SORTING, responses).to(kind)).unsqueeze(-1).expand(mask.shape)
    with sdpa_kernel(SDPBackend.MATH):  # the only one that is differentiated twice
        logp = score(policy, responses).logp
        loss, _ = losses.cpi(logp, logp.detach(), advantages, mask)
        gradient = -trpo.flat(torch.autograd.grad(loss, weights, materialize_grads=True)).detach()
        some = responses.rows(torch.arange(0, len(responses), FISHER_STRIDE))
        logits = score(policy, some).logits
        divergence = losses.aggregate(exact_kl(logits.detach(), logits, some.mask), some.mask, "token_mean")
        return trpo.fisher_vector_product(divergence, weights, damping), gradient


def _shift_of_all_logits(policy: GPT) -> Tensor:
    """The direction in which the bias of every logit grows alike, which changes no probability."""
    bias = policy.policy.bias
    return trpo.flat([torch.full_like(weight, float(weight is bias)) for weight in policy.parameters()])


def _residual(product: trpo.Product, target: Tensor, steps: int) -> float:
    found = trpo.conjugate_gradient(product, target, steps)
    return ((target - product(found)).norm() / target.norm()).item()


def _steps_needed(product: trpo.Product, target: Tensor) -> float:
    """How many steps it takes until ‖r‖ ≤ ENOUGH · ‖g‖, each a product; dim at most."""
    count = 0

    def counted(vector: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return product(vector)

    trpo.conjugate_gradient(counted, target, len(target), ENOUGH)
    return float(count)


EXPERIMENT = Experiment(
    {"env": SORTING.name, "episodes": EPISODES, "damping": DAMPING, "stride": FISHER_STRIDE, "enough": ENOUGH},
    measure,
    (
        Condition("‖Fv‖/‖v‖ for the shift of all logits", lambda n: n["image_of_the_shift"], below=1e-6),
        Condition("residual after 10 steps", lambda n: n["residual_10"], below=0.25),
        Condition("fall of the residual from 1 step to 10", lambda n: n["residual_1"] - n["residual_10"], above=0.0),
        Condition(
            "fall of the residual from 10 steps to 100", lambda n: n["residual_10"] - n["residual_100"], above=0.0
        ),
        Condition("steps to a residual of 10⁻³, as a share of dim", lambda n: n["share_of_dim"], below=SHARE),
        Condition(
            "steps that float32 needs more than float64, as a share of dim",
            lambda n: n["share_of_dim"] - n["share_of_dim_float64"],
            above=0.0,
        ),
        Condition(
            "without damping: residual after a hundredth of dim steps",
            lambda n: n["residual_without_damping"],
            above=0.01,
        ),
    ),
)
