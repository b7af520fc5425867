"""What a training loop puts around the formulas: the penalty in the reward or in the loss, baselines, whitening, γᵗ.

Each is a pure function of tensors [batch, time] with a boolean `mask`, as in losses.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.batches import inside
from derivations.algorithms.kl import k1, k2
from derivations.algorithms.losses import Loss, kl_penalty, reinforce
from derivations.algorithms.returns import discounted_returns
from toy_envs.errors import BadInput


def token_logp(logits: Tensor, tokens: Tensor) -> Tensor:
    """The log-probability of each token that was drawn.

    log π(y_t∣x, y_<t) = ℓ_t(y_t) − log Σ_a exp ℓ_t(a),  ℓ_t the logits before y_t

    Parameters: `logits` [batch, time, vocabulary], what the policy says before each token: of a model that gives logits
    after each token that it reads, those of the place before; at temperature 1. `tokens` [batch, time], drawn from π.
    Returns [batch, time], in nats. Raises BadInput where the shapes do not fit. Claims TR.2, IS.4.
    """
    if logits.dim() != 3 or logits.shape[:2] != tokens.shape:
        raise BadInput(
            f"logits is {list(logits.shape)}; expected the shape of the tokens {list(tokens.shape)} and one axis"
        )
    return logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def penalised_rewards(scores: Tensor, logp: Tensor, logp_ref: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The rewards of a response: the penalty on each of its tokens, the score on its last one.

    r_t = −β k1_t + [t is the last token] r(x, y),  k1_t = log π(y_t) − log π_ref(y_t)

    Parameters: `scores` [batch], r(x, y); `logp`, `logp_ref` [batch, time] of the tokens drawn, in nats; `mask`; `beta`
    in units of reward per nat. Returns [batch, time], free of θ, 0 outside the mask. Raises BadInput as `inside` does,
    and where a row has no token to be scored. Claims KL.4, KL.5, KL.7, KL.8. Source B, IX.I.
    """
    if not mask.any(-1).all():
        raise BadInput("mask: a sequence without a step; expected at least one True in each row")
    earned = torch.where(last_step(mask), scores.unsqueeze(-1), 0.0)
    return -beta * k1(logp.detach(), logp_ref, mask) + earned


def last_step(mask: Tensor) -> Tensor:
    """True at the last step of each row that the mask has [batch, time]."""
    following = mask.flip(-1).long().cumsum(-1).flip(-1)  # how many steps are left, this one included
    return mask & (following == 1)


def kl_loss(logp: Tensor, logp_ref: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The divergence from the reference policy, as a loss: k2 of each token.

    L(θ) = E_t[½ (log π_θ(a_t∣s_t) − log π_ref(a_t∣s_t))²]

    Parameters: `logp`, `logp_ref` of actions drawn from π_θ; `mask`, `aggregation` as in losses.py: the divergence of a
    sequence is the sum of those of its tokens (KL.3). Its expected gradient is ∇D(π_θ‖π_ref), the states held fixed; its
    value is biased. Raises BadInput as losses.py does. Claims KL.2, KL.3, KL.7, KL.16. Source B, IX.II.
    """
    loss, _ = kl_penalty(k2(logp, logp_ref.detach(), mask), mask, 1.0, aggregation)
    return loss, {}


def leave_one_out(returns: Tensor) -> Tensor:
    """Returns less the mean of the others: a baseline that its own sample does not enter.

    A_i = R_i − (1/(N − 1)) Σ_{j≠i} R_j

    Parameters: `returns` [batch], of one prompt's responses, at least two. Returns [batch]. Raises BadInput for fewer.
    Claim AD.6.
    """
    if returns.dim() != 1 or len(returns) < 2:
        raise BadInput(f"returns is {list(returns.shape)}; expected [batch], at least two")
    return returns - (returns.sum() - returns) / (len(returns) - 1)


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """Advantages with mean 0 and variance 1 over all steps of the batch.

    (Â_t − μ)/σ,  μ and σ² the mean and the variance (divided by the number of steps) of all Â inside the mask

    Parameters: `advantages` [batch, time]; `mask`. Returns [batch, time], 0 outside the mask. Raises BadInput where all
    advantages are alike: they have no scale. It changes the objective: not only its scale, but by the mean (AD.5, AD.6).
    """
    (given,) = inside(mask, advantages=advantages)
    taken = given[mask]
    deviation = taken.std(correction=0) if len(taken) else torch.zeros(())
    if not deviation > 0:
        raise BadInput("advantages are all alike; expected at least two different ones")
    return ((given - taken.mean()) / deviation).masked_fill(~mask, 0.0)


def discounted_reinforce(logp: Tensor, rewards: Tensor, gamma: float, mask: Tensor) -> Loss:
    """REINFORCE with reward-to-go for the discounted objective.

    L(θ) = −(1/N) Σ_i Σ_t γᵗ log π_θ(a_{i,t}∣s_{i,t}) R̂_{i,t},  R̂_t = Σ_{k≥t} γ^{k−t} r_k

    Parameters: `logp`, `rewards` [batch, time], a row an episode from its first step on; `gamma` in [0, 1]; `mask`.
    Raises BadInput as losses.py does. Claims AD.3, AD.12, AD.13. Source B, V.I.
    """
    weights = gamma ** torch.arange(rewards.shape[1], device=rewards.device, dtype=rewards.dtype)
    return reinforce(logp, weights * discounted_returns(rewards, gamma, mask), mask)


def regularised_objective(logits: Tensor, rewards: Tensor, logits_ref: Tensor, beta: float) -> Loss:
    """Minus the exact KL-regularised objective of one step, whose only minimiser is π*.

    L(θ) = −(1/N) Σ_x (Σ_a π_θ(a∣x) r(x,a) − β D(π_θ(·∣x)‖π_ref(·∣x))),  π* ∝ π_ref exp(r/β)

    Parameters: `logits`, `rewards`, `logits_ref` [prompts, actions], the last free of θ; `beta` in units of reward per
    nat. Claims OP.1, OP.8, KL.11. Source A.
    """
    laws, reference = logits.log_softmax(-1), logits_ref.detach().log_softmax(-1)
    return -(laws.exp() * (rewards.detach() - beta * (laws - reference))).sum(-1).mean(), {}
