"""The losses, as pure functions of tensors [batch, time]; each is minimised and returns itself with its metrics.

Parameters common to all: `mask` [batch, time] is True where a token was drawn; what lies outside counts nothing,
whatever it holds. `aggregation` says how the steps are put together, see `aggregate`. `logp` [batch, time] is
log π_θ(a_t∣s_t) in nats, `logp_old` the same of the policy that drew the batch. All but the first argument is taken as
free of θ, unless said. Numbers of less than 32 bits are first made float32.

Each raises BadInput, naming the argument, where a shape or a dtype does not fit, a number inside the mask is not
finite, or a sequence has no step.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from derivations.algorithms.batches import check_finite, check_range, everywhere, inside, log_laws
from toy_envs.errors import BadInput

Loss = tuple[Tensor, dict[str, float]]
AGGREGATIONS = ("token_mean", "sequence_mean", "sequence_sum")
INFINITY = float("inf")


def aggregate(terms: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Tensor:
    """The terms [batch, time] inside the mask as one number.

    "sequence_sum":  (1/N) Σ_i Σ_t x_{i,t}
    "token_mean":    Σ_i Σ_t x_{i,t} / Σ_i T_i
    "sequence_mean": (1/N) Σ_i (1/T_i) Σ_t x_{i,t}

    The default is the sum over the steps of a sequence, averaged over the N sequences: the objective is an expectation
    over whole sequences, its gradient a sum over their steps (IV.V, VI.IV), and so is the divergence of sequences
    (KL.3). The mean over steps (E_t of VI.III and VIII.I) has the same maximiser only where all lengths T_i are alike;
    where they differ it follows another vector, not parallel to the gradient, and the mean of means can point the other
    way (IS.9). Only with the default, too, is the loss of a batch the mean of the losses of its sequences, so that
    gradients may be accumulated over parts of equal size.

    Raises BadInput where the mask is not boolean or has another shape, a sequence has no step, the result is not
    finite, or `aggregation` is another one. Claims IS.9, PG.5, KL.3. Source B, VI.III and VI.IV.
    """
    if mask.dtype != torch.bool or mask.shape != terms.shape:
        raise BadInput(
            f"mask is {mask.dtype} {list(mask.shape)}; expected torch.bool {list(terms.shape)}, the shape of the terms"
        )
    if not (len(mask) and mask.any(-1).all()):
        raise BadInput(f"mask {list(mask.shape)}: a sequence without a step; expected at least one True in each row")
    kept = terms.masked_fill(~mask, 0.0)
    if aggregation == "token_mean":
        return check_finite("the loss", kept.sum() / mask.sum())
    if aggregation == "sequence_mean":
        return check_finite("the loss", (kept.sum(-1) / mask.sum(-1)).mean())
    if aggregation == "sequence_sum":
        return check_finite("the loss", kept.sum(-1).mean())
    raise BadInput(f"aggregation is {aggregation!r}; expected one of {', '.join(AGGREGATIONS)}")


# --- a reward model, II, and DPO ------------------------------------------------------------------------------------


def reward_model(chosen: Tensor, rejected: Tensor) -> Loss:
    """The negative log-likelihood of preferences, under Bradley–Terry.

    L(φ) = −(1/N) Σ_i log σ(r_φ(x_i, y_w,i) − r_φ(x_i, y_l,i))

    Parameters: `chosen`, `rejected` [pairs], the scores of the response that was preferred and of the other one, both
    differentiated. Metrics: `accuracy`, the share of pairs whose preferred response has the higher score, `margin`, the
    mean difference. Claims RM.1 to RM.5. Source B, II.II.
    """
    _check_pairs(chosen=chosen, rejected=rejected)
    chosen, rejected = inside(everywhere(chosen), chosen=chosen, rejected=rejected)
    margin = chosen - rejected
    told = {
        "accuracy": (margin > 0).double().mean().item(),
        "margin": margin.detach().double().mean().item(),
    }
    return F.softplus(-margin).mean(), told  # −log σ(u) = log(1 + exp(−u)), without overflow


def dpo(
    logp_chosen: Tensor, logp_rejected: Tensor, logp_ref_chosen: Tensor, logp_ref_rejected: Tensor, beta: float
) -> Loss:
    """The loss of direct preference optimisation: a reward model's at the implicit rewards of the policy.

    L(θ) = −(1/N) Σ_i log σ(r̂(x_i, y_w,i) − r̂(x_i, y_l,i)),  r̂(x, y) = β log(π_θ(y∣x)/π_ref(y∣x))

    Parameters: `logp_chosen`, `logp_rejected` [pairs], log π_θ(y∣x) of whole responses: sums over their tokens, not
    means; `logp_ref_chosen`, `logp_ref_rejected` [pairs], the same of π_ref, free of θ; `beta` positive, in units of
    reward per nat. Metrics: those of `reward_model`, of the implicit rewards. It is log 2 at π_θ = π_ref.
    Claims DPO.1 to DPO.4. R. Rafailov et al., "Direct Preference Optimization" (2023), eq. 7.
    """
    _check_positive("beta", beta)
    given = {"logp_chosen": logp_chosen, "logp_rejected": logp_rejected}
    given |= {"logp_ref_chosen": logp_ref_chosen.detach(), "logp_ref_rejected": logp_ref_rejected.detach()}
    _check_pairs(**given)
    chosen, rejected, ref_chosen, ref_rejected = inside(everywhere(logp_chosen), **given)
    return reward_model(beta * (chosen - ref_chosen), beta * (rejected - ref_rejected))


# --- policies, IV to VIII -------------------------------------------------------------------------------------------


def reinforce(logp: Tensor, returns: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """The loss whose gradient is minus the REINFORCE estimate.

    L(θ) = −(1/N) Σ_i Σ_t log π_θ(a_{i,t}∣s_{i,t}) R_{i,t}

    Parameters: `logp`, of actions drawn from π_θ; `returns` [batch, time], the weight of each step: R(τ_i) at each of its
    steps for IV.V, the reward-to-go for V.I, either less a baseline, or an advantage. No metrics: its value says nothing.
    Claims PG.4, PG.5, AD.3, AD.5. Source B, IV.V (there as a gradient to ascend).
    """
    logp, returns = inside(mask, logp=logp, returns=returns.detach())
    return aggregate(-logp * returns, mask, aggregation), {}


def cpi(logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """Minus the surrogate of conservative policy iteration, the advantages weighted by the ratio.

    L(θ) = −E_t[r_t Â_t],  r_t = π_θ(a_t∣s_t)/π_old(a_t∣s_t)

    Parameters: `logp`, `logp_old`; `advantages` [batch, time], Â. Metrics: `ratio_least`, `ratio_most`, and `kl_old`,
    the mean over steps of r − 1 − log r, an estimate of D(π_old‖π_θ) in nats. Raises BadInput also where a ratio
    overflows. Claims IS.3, IS.5, IS.9. Source B, VI.III (`aggregation="token_mean"`) and VI.IV ("sequence_sum").
    """
    logp, logp_old, advantages = inside(mask, logp=logp, logp_old=logp_old.detach(), advantages=advantages.detach())
    log_ratio = logp - logp_old
    return aggregate(-_ratio(log_ratio) * advantages, mask, aggregation), _ratio_metrics(log_ratio, mask)


def trpo_penalty(
    logp: Tensor,
    logp_old: Tensor,
    advantages: Tensor,
    kl: Tensor,
    mask: Tensor,
    beta: float,
    aggregation: str = "sequence_sum",
) -> Loss:
    """Minus the surrogate, with a penalty on the distance from the policy that drew the batch.

    L(θ) = −E_t[r_t Â_t − β D(π_old(·∣s_t)‖π_θ(·∣s_t))]

    Parameters: `logp`, `logp_old`, `advantages` as in `cpi`; `kl` [batch, time], D(π_old‖π_θ) per token in nats,
    differentiated, as `exact_kl(logits_old, logits)` gives it (π_old first: the other way round from the penalty of IX);
    `beta` not negative, fixed, or adapted between batches by `trpo.adapted_beta`; 0 gives `cpi`. Metrics: those of
    `cpi`, with `kl_old` the mean of `kl`. Claims TP.2, TP.6, TP.8, TP.9. Source B, VII.II.
    """
    surrogate, told = cpi(logp, logp_old, advantages, mask, aggregation)
    penalty, told_too = kl_penalty(kl, mask, beta, aggregation)
    return surrogate + penalty, {**told, "kl_old": told_too["kl_loss"]}


def ppo_clip(
    logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, epsilon: float, aggregation: str = "sequence_sum"
) -> Loss:
    """Minus the clipped surrogate.

    L(θ) = −E_t[min(r_t Â_t, clip(r_t, 1 − ε, 1 + ε) Â_t)],  r_t = π_θ(a_t∣s_t)/π_old(a_t∣s_t)

    Parameters: `logp`, `logp_old`, `advantages` as in `cpi`; `epsilon` positive; from 1 on nothing is clipped from below,
    and inf gives `cpi`. Metrics: those of `cpi`, and `clip_fraction`, the share of steps at which the clipped term is the
    smaller and the gradient therefore zero. Raises BadInput also for another epsilon, and where a ratio overflows.
    Claims PPO.1 to PPO.7. Source B, VIII.I, where E_t is the mean over steps (`aggregation="token_mean"`).
    """
    _check_positive("epsilon", epsilon)
    logp, logp_old, advantages = inside(mask, logp=logp, logp_old=logp_old.detach(), advantages=advantages.detach())
    log_ratio = logp - logp_old
    ratio = _ratio(log_ratio)
    free = ratio * advantages
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon) * advantages
    loss = aggregate(-torch.minimum(free, clipped), mask, aggregation)
    share = (clipped < free)[mask].double().mean().item()
    return loss, {"clip_fraction": share, **_ratio_metrics(log_ratio, mask)}


# --- what is added to them, VIII.II and IX --------------------------------------------------------------------------


def value(
    values: Tensor,
    values_old: Tensor,
    targets: Tensor,
    mask: Tensor,
    clip: float | None = None,
    aggregation: str = "token_mean",
) -> Loss:
    """The squared error of the value head.

    L_VF(φ) = E_t[(V_t − target_t)²], or with a clip range c
    L_VF(φ) = E_t[max((V_t − target_t)², (V_old,t + clip(V_t − V_old,t, −c, c) − target_t)²)]

    Parameters: `values` [batch, time], V_φ; `values_old` [batch, time], what the value head said when the batch was drawn,
    not read where `clip` is None; `targets` [batch, time]; `clip` positive, in units of reward: it is not free of scale,
    and moves the minimiser (PPO.12). By default the mean over steps: it is a regression, with each visited state an
    observation. Metrics: `explained_variance`, 1 − Var(target − V)/Var(target), 0 where the targets are all alike up
    to rounding.
    Claim PPO.12. Source B, VIII.II, without a factor ½.
    """
    values, targets = inside(mask, values=values, targets=targets.detach())
    errors = (values - targets) ** 2
    if clip is not None:
        _check_positive("clip", clip)
        (values_old,) = inside(mask, values_old=values_old.detach())
        near = values_old + (values - values_old).clamp(-clip, clip)
        errors = torch.maximum(errors, (near - targets) ** 2)
    loss = aggregate(errors, mask, aggregation)
    found, left = targets[mask].double(), (targets - values.detach())[mask].double()
    spread, rounding = found.std(correction=0), 8 * torch.finfo(targets.dtype).eps * found.abs().max()
    explained = (1 - left.var(correction=0) / spread**2).item() if spread > rounding else 0.0
    return loss, {"explained_variance": explained}


def entropy(logits: Tensor, mask: Tensor, aggregation: str = "sequence_sum") -> Loss:
    """Minus the entropy of the next token: minimising it spreads the policy.

    L(θ) = −E_t[S_t],  S_t = −Σ_a π_θ(a∣s_t) log π_θ(a∣s_t)

    Parameters: `logits` [batch, time, vocabulary], −inf for an impossible token. To be added to another loss with a
    positive coefficient c₂. Metrics: `entropy`, the mean over steps, in nats, from 0 to log of the vocabulary.
    Claims PPO.13, PPO.14, PPO.15, KL.11. Source B, VIII.II (there the bonus, with a plus).
    """
    (laws,) = log_laws(mask, logits=logits)
    each = -(laws.exp() * laws.masked_fill(laws == -INFINITY, 0.0)).sum(-1)
    return aggregate(-each, mask, aggregation), {"entropy": _mean(each, mask)}


def kl_penalty(kl: Tensor, mask: Tensor, beta: float, aggregation: str = "sequence_sum") -> Loss:
    """A divergence of each token, in the loss.

    L(θ) = β E_t[D_t]

    Parameters: `kl` [batch, time], differentiated: `k2`, `k3` or `exact_kl` of π_θ against π_ref; `k1` there has no
    gradient on average. For a sequence of tokens none is right: they hold the states fixed and miss
    E[Σ_t ∇log π(a_t∣s_t) Σ_{k>t} D_k], which k1 in the reward has. `beta` not negative, in units of reward per nat.
    Metrics: `kl_loss`, the mean of `kl` over steps. Claims KL.6, KL.7, KL.9, KL.16. Source B, IX.II.
    """
    check_range("beta", beta, 0, INFINITY)
    (kl,) = inside(mask, kl=kl)
    return beta * aggregate(kl, mask, aggregation), {"kl_loss": _mean(kl, mask)}


def _ratio(log_ratio: Tensor) -> Tensor:
    """π_θ/π_old of each step; one that overflows would be clipped in the value, and be 0 · inf in the gradient."""
    return check_finite("exp(logp − logp_old)", log_ratio.exp())


def _ratio_metrics(log_ratio: Tensor, mask: Tensor) -> dict[str, float]:
    taken = log_ratio.detach()[mask].double()
    return {
        "ratio_least": taken.min().exp().item(),
        "ratio_most": taken.max().exp().item(),
        "kl_old": (torch.expm1(taken) - taken).mean().item(),
    }


def _mean(terms: Tensor, mask: Tensor) -> float:
    return terms.detach()[mask].double().mean().item()


def _check_positive(name: str, number: float) -> None:
    if not number > 0:
        raise BadInput(f"{name} is {number}; expected a positive number")


def _check_pairs(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if tensor.dim() != 1 or not len(tensor):
            raise BadInput(f"{name} is {list(tensor.shape)}; expected [pairs], at least one")
