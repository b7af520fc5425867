"""The losses, as pure functions of tensors [batch, time]; each is minimised and returns itself with its metrics.

`mask` [batch, time] is True where a token was drawn. `aggregation` says how the steps are put together, which changes
the objective where lengths differ (IS.9): "sequence_sum", the mean over sequences of the sum over their steps, is what
the policy gradient says (IV.V) and is the default; "token_mean" is the mean over all steps of the batch (E_t of VI.III
and VIII.I); "sequence_mean" is the mean over sequences of the mean over their steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from toy_envs.errors import BadInput

Loss = tuple[Tensor, dict[str, float]]
AGGREGATIONS = ("token_mean", "sequence_mean", "sequence_sum")


def reinforce(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The loss whose gradient is minus the REINFORCE estimate.

    L(θ) = −(1/N) Σ_i Σ_t log π_θ(a_{i,t}∣s_{i,t}) R_{i,t}

    Parameters: `logp` [batch, time], of the actions drawn from π_θ, in nats; `returns` [batch, time], the weight of each
    step, free of θ: R(τ_i) at each of its steps for IV.V, or the reward-to-go for V.I; `mask`, `aggregation` as above.
    Claims PG.4, PG.5. Source B, IV.V (there as a gradient to ascend).
    """
    return _aggregate(-logp * returns.detach(), mask, aggregation), {}


def ppo_clip(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """Minus the clipped surrogate.

    L(θ) = −E_t[min(r_t Â_t, clip(r_t, 1 − ε, 1 + ε) Â_t)],  r_t = π_θ(a_t∣s_t)/π_old(a_t∣s_t)

    Parameters: `logp`, `logp_old`, `advantages` [batch, time], the last two free of θ; `epsilon` in (0, 1);
    `mask`, `aggregation` as above. Metrics: `clip_fraction`, the share of steps at which the clipped term is the smaller
    and the gradient therefore zero; `ratio_least`, `ratio_most`. Raises BadInput for another epsilon.
    Claims PPO.1 to PPO.7. Source B, VIII.I, where E_t is the mean over steps (`aggregation="token_mean"`).
    """
    if not 0 < epsilon < 1:
        raise BadInput(f"epsilon is {epsilon}; expected a number between 0 and 1")
    # Padding has no old probability: its ratio is set to 1 before exp, not after, where inf · 0 would be NaN.
    ratio = (logp - logp_old.detach()).masked_fill(~mask, 0.0).exp()
    weights = advantages.detach().masked_fill(~mask, 0.0)
    free = ratio * weights
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon) * weights
    taken = ratio.detach()[mask]
    metrics = {
        "clip_fraction": (clipped < free)[mask].double().mean().item(),
        "ratio_least": taken.min().item(),
        "ratio_most": taken.max().item(),
    }
    return _aggregate(-torch.minimum(free, clipped), mask, aggregation), metrics


def value(values: Tensor, targets: Tensor, mask: Tensor, aggregation: str = "token_mean") -> Loss:
    """The squared error of the value head.

    L_VF(φ) = E_t[(V_φ(s_t) − target_t)²]

    Parameters: `values` [batch, time], V_φ; `targets` [batch, time], free of φ; `mask`, `aggregation` as above, here by
    default the mean over steps: it is a regression, with each visited state an observation. Metrics:
    `explained_variance`, 1 − Var(target − V)/Var(target), 0 where the targets are all alike.
    Claim PPO.12. Source B, VIII.II.
    """
    targets = targets.detach()
    spread = targets[mask].var(correction=0)
    left = (targets - values.detach())[mask].var(correction=0)
    explained = (1 - left / spread).item() if spread > 0 else 0.0
    return _aggregate((values - targets) ** 2, mask, aggregation), {"explained_variance": explained}


def _aggregate(terms: Tensor, mask: Tensor, aggregation: str) -> Tensor:
    if mask.dtype != torch.bool or mask.shape != terms.shape:
        raise BadInput(
            f"mask is {mask.dtype} {list(mask.shape)}; expected torch.bool {list(terms.shape)}, the shape of the terms"
        )
    if not mask.any(-1).all():
        raise BadInput("mask: a sequence without a step; expected at least one True in each row")
    inside = terms.masked_fill(~mask, 0.0)
    if aggregation == "token_mean":
        return inside.sum() / mask.sum()
    if aggregation == "sequence_mean":
        return (inside.sum(-1) / mask.sum(-1)).mean()
    if aggregation == "sequence_sum":
        return inside.sum(-1).mean()
    raise BadInput(f"aggregation is {aggregation!r}; expected one of {', '.join(AGGREGATIONS)}")
