"""Where the checked formulas meet the code: the terms that were judged, as torch functions.

Each constant is a side of a statement of the ledger, so that a change in the section changes what the losses are compared
with. The functions below hand them a batch as the losses hold it, in log-probabilities; everything here is to be
maximised, as in the sources, where a loss is minimised, unless the table says so.

| constant | claim | term |
|---|---|---|
| REINFORCE | PG.5.loss, IV.V | ĝ = (1/N) Σ_i (Σ_t ∇log π(i, t)) R(i) |
| REINFORCE_OBJECTIVE | PG.5.loss | (1/N) Σ_i (Σ_t log π(i, t)) R(i), whose gradient ĝ is |
| ADVANTAGE | AD.16 | Σ_n λⁿ γⁿδ_{t+n} |
| SURROGATE | PPO.1.batch, VI.III | (1/∣T∣) Σ_t rÂ, r = π/π_old |
| PENALISED | TP.9.fixed, VII.II | E_old[r·kA] − β D(π_old‖π) at one state |
| FISHER | TP.6 | E_old[(∇log π)²], along a direction of θ |
| CLIPPED | PPO.1.batch, VIII.I | (1/∣T∣) Σ_t min(rÂ, clip(r, 1 − ε, 1 + ε)Â) |
| VALUE_ERROR, VALUE_ERROR_CLIPPED | PPO.12, PPO.12.clipped | E[(V − target)²], and with clipping |
| ENTROPY | PPO.13.nonnegative | E_π[−log π] |
| DIVERGENCE | KL.1 | D(π‖π_ref) = E_π[log π − log π_ref] |
| K1, K2, K3 | KL.1, KL.2.k2.sign, KL.2.sign | log π − log π_ref, ½(log ρ)², ρ − 1 − log ρ, ρ = π_ref/π |
| COMPLETE | KL.9.loss, IX.II | −L_CLIP + c₁L_VF − c₂H + βD, to be minimised |
| PREFERENCE | RM.3.gradient | −E_D[log σ(r_w − r_l)], to be minimised |
| DIRECT_PREFERENCE | DPO.3 | the same of r = β log(π/π_ref), to be minimised |
| REGRET | OP.11 | β D(π‖π*) |
| REGRET_GAP | OP.11 | J(π*) − J(π) |
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from derivations.checker.errors import BadInput
from derivations.checker.statement import Statement
from derivations.checker.terms import Derivative, Expectation, Term
from derivations.ledger import Ledger
from derivations.sections import advantage, kl_penalty, objects, policy_gradient, ppo, reward_model, trpo
from derivations.tensors import TorchFunction, sides, torch_function

_LEDGER = Ledger()


def judged(identifier: str) -> Statement:
    """The statement of a claim, of a part or of a correction. Raises BadInput where none is called so."""
    if identifier not in _LEDGER.assertions:
        raise BadInput(f"claim {identifier!r} is not known; expected one that `derivations verify` lists")
    return _LEDGER.assertions[identifier].formal


def _under_the_gradient(identifier: str, side: str = "right") -> TorchFunction:
    """F, where a side of a statement is ∇F."""
    given = _side(identifier, side)
    if not isinstance(given, Derivative):
        raise BadInput(f"{identifier}: the {side} side is {given!r}; expected a gradient")
    return torch_function(given.body)


def _side(identifier: str, name: str) -> Term:
    given = getattr(judged(identifier), name)
    if not isinstance(given, Term):
        raise BadInput(f"{identifier}: the {name} side is {given!r}; expected a term")
    return given


def _left(identifier: str) -> TorchFunction:
    """The left side alone."""
    return torch_function(_side(identifier, "left"))


def _averaged(identifier: str) -> TorchFunction:
    """f, where the left side of a statement is E[f]."""
    given = _side(identifier, "left")
    if not isinstance(given, Expectation):
        raise BadInput(f"{identifier}: the left side is {given!r}; expected an expectation")
    return torch_function(given.body)


REINFORCE, _ = sides(judged("PG.5.loss"))
REINFORCE_OBJECTIVE = _under_the_gradient("PG.5.loss")
ADVANTAGE = torch_function(_side("AD.16", "right"), finite=[advantage.Naturals])
CLIPPED, SURROGATE = sides(judged("PPO.1.batch"))
PENALISED, _ = sides(judged("TP.9.fixed"))
_, FISHER = sides(judged("TP.6"))
VALUE_ERROR, VALUE_ERROR_CLIPPED = _left("PPO.12"), _left("PPO.12.clipped")
ENTROPY = _left("PPO.13.nonnegative")
_, DIVERGENCE = sides(judged("KL.1"))
K1, K2, K3 = _averaged("KL.1"), _left("KL.2.k2.sign"), _left("KL.2.sign")
COMPLETE = _under_the_gradient("KL.9.loss", "left")
PREFERENCE = _under_the_gradient("RM.3.gradient")
DIRECT_PREFERENCE = _under_the_gradient("DPO.3", "left")
REGRET_GAP, REGRET = sides(judged("OP.11"))


def reinforce_objective(logp: Tensor, returns: Tensor) -> Tensor:
    """The function whose gradient is the REINFORCE estimate, minus the loss; a scalar.

    (1/N) Σ_i (Σ_t log π(i, t)) R(i)

    Parameters: `logp` [batch, time], log π_θ(a_t∣s_t), with 0 where an episode is over (log 1: nothing is chosen there);
    `returns` [batch], R(i), free of θ. Raises BadInput where the shapes do not fit. Claim PG.5.loss. Source B, IV.V.
    """
    return REINFORCE_OBJECTIVE({policy_gradient.taken: logp.exp(), policy_gradient.gained: returns})


def reinforce_estimate(logp: Tensor, returns: Tensor) -> Tensor:
    """ĝ, [batch, time]: its component for each log-probability, ∇ worked out in the term itself.

    ĝ = (1/N) Σ_i (Σ_t ∇log π(i, t)) R(i), with θ = (log π(i, t))_{i,t}

    Parameters: `logp` [batch, time], log π_θ(a_t∣s_t); `returns` [batch], R(i), free of θ. Raises BadInput where the
    shapes do not fit. Claims PG.5, PG.5.loss. Source B, IV.V.
    """
    return REINFORCE.components(
        lambda theta: {policy_gradient.taken: theta.exp(), policy_gradient.gained: returns}, logp
    )


def generalised_advantage(errors: Tensor, gamma: float, lam: float) -> Tensor:
    """The generalised advantage estimate of the first of the steps that are left; a scalar.

    Â = Σ_n λⁿ γⁿ δ_{t+n}, with δ = 0 behind the last step

    Parameters: `errors` [steps], δ of the steps from t on; `gamma`, `lam` in [0, 1]. Claims AD.16, AD.17. Source B, V.
    """
    powers = torch.arange(len(errors), dtype=errors.dtype)
    return ADVANTAGE(
        {advantage.lambda_power: lam**powers, advantage.discounted_error: gamma**powers * errors},
    )


def surrogate(logp: Tensor, logp_old: Tensor, advantages: Tensor) -> Tensor:
    """The surrogate of CPI over the steps of a batch, minus the loss with aggregation="token_mean"; a scalar.

    (1/∣T∣) Σ_t r(t)Â(t), r(t) = π(t)/π_old(t)

    Parameters: as in `clipped_surrogate`. Raises BadInput where the shapes do not fit. Claim PPO.1. Source B, VI.III.
    """
    return SURROGATE(_steps(logp, logp_old, advantages))


def penalised_surrogate(policy: Tensor, policy_old: Tensor, advantages: Tensor, beta: float | Tensor) -> Tensor:
    """The penalty form of TRPO at one state, over all of its actions; a scalar.

    E_{a∼π_old}[(π(a)/π_old(a)) A(a)] − β D(π_old‖π)

    Parameters: `policy`, `policy_old` [actions], positive; `advantages` [actions]; `beta` positive. Raises BadInput where
    the shapes do not fit. Claim TP.9. Source B, VII.II.
    """
    laws = {trpo.new_arm: policy, trpo.old_arm: policy_old, trpo.arm_advantage: advantages}
    return PENALISED({**laws, trpo.factor: 1.0, trpo.trpo: beta})


def fisher_form(policy: Callable[[Tensor], Tensor], theta: Tensor, direction: Tensor) -> Tensor:
    """The Fisher matrix of a policy at one state, as a quadratic form; a scalar.

    dᵀFd = E_{a∼π_θ}[(∇log π_θ(a) · d)²]

    Parameters: `policy` makes π_θ [actions] of θ; `theta`, `direction` d, of one shape. Raises BadInput where they differ.
    Claim TP.6.
    """
    frozen = policy(theta).detach()
    return FISHER.along(lambda at: {trpo.theta_policy: policy(at), trpo.frozen: frozen}, theta, direction)


def clipped_surrogate(logp: Tensor, logp_old: Tensor, advantages: Tensor, epsilon: float | Tensor) -> Tensor:
    """The clipped surrogate over the steps of a batch, minus the loss with aggregation="token_mean"; a scalar.

    (1/∣T∣) Σ_t min(r(t)Â(t), clip(r(t), 1 − ε, 1 + ε)Â(t)), r(t) = π(t)/π_old(t)

    Parameters: `logp`, `logp_old` [steps], log π_θ(a_t∣s_t) and log π_old(a_t∣s_t) of the unmasked steps; `advantages`
    [steps], Â; `epsilon` in (0, 1). Raises BadInput where the shapes do not fit. Claim PPO.1. Source B, VIII.I.
    """
    return CLIPPED({**_steps(logp, logp_old, advantages), ppo.epsilon: epsilon})


def _steps(logp: Tensor, logp_old: Tensor, advantages: Tensor) -> dict[object, object]:
    return {ppo.probability: logp.exp(), ppo.probability_old: logp_old.exp(), ppo.advantages: advantages}


def value_error(values: Tensor, values_old: Tensor, targets: Tensor, clip: float | Tensor | None = None) -> Tensor:
    """The value loss over the steps of a batch, each a state of its own with one target; a scalar, to be minimised.

    E[(V − target)²], or E[max((V − target)², (clip(V, V_old − c, V_old + c) − target)²)]

    Parameters: `values`, `values_old`, `targets` [steps]; `clip` c, positive, or None. Raises BadInput where the shapes do
    not fit. Claim PPO.12. Source B, VIII.II.
    """
    count = len(values)
    given: dict[object, object] = {
        ppo.visits: torch.full((count,), 1 / count, dtype=values.dtype),
        ppo.draws: torch.ones(1, count, dtype=values.dtype),
        ppo.guess: values,
        ppo.target: targets.unsqueeze(-1),
    }
    if clip is None:
        return VALUE_ERROR(given)
    return VALUE_ERROR_CLIPPED({**given, ppo.guess_old: values_old, ppo.allowed: clip})


def entropy(policy: Tensor) -> Tensor:
    """The entropy of a policy at one state, in nats; a scalar.

    H(π) = E_π[−log π]

    Parameters: `policy` [actions]. Claim PPO.13. Source B, VIII.II.
    """
    return ENTROPY({ppo.new: policy})


def divergence(policy: Tensor, reference: Tensor) -> Tensor:
    """D(π‖π_ref) at one state, in nats; a scalar.

    E_{a∼π}[log π(a) − log π_ref(a)]

    Parameters: `policy`, `reference` [actions], positive. Raises BadInput where the shapes differ. Claim KL.1.
    """
    return DIVERGENCE({kl_penalty.still: policy, kl_penalty.anchor: reference})


def kl_estimates(policy: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """k1, k2 and k3 of every action, [actions] each.

    log π − log π_ref, ½(log ρ)², ρ − 1 − log ρ, with ρ = π_ref/π

    Parameters: `policy`, `reference` [actions], positive. Raises BadInput where the shapes differ. Claims KL.1, KL.2.
    """
    laws = {kl_penalty.still: policy, kl_penalty.anchor: reference}
    return K1(laws), K2(laws), K3(laws)


def complete_loss(
    policy: Tensor,
    policy_old: Tensor,
    reference: Tensor,
    actions: Tensor,
    advantages: Tensor,
    values: Tensor,
    targets: Tensor,
    *,
    epsilon: float,
    value_coefficient: float,
    entropy_coefficient: float,
    beta: float,
) -> Tensor:
    """The complete loss of PPO with a penalty, over the steps of a batch; a scalar, to be minimised.

    −L_CLIP + c₁ L_VF − c₂ H + β D(π‖π_ref)

    Parameters: `policy`, `policy_old`, `reference` [steps, actions], positive; `actions` [steps], those taken; `advantages`,
    `values`, `targets` [steps]. Raises BadInput where the shapes do not fit. Claim KL.9. Source B, IX.II.
    """
    count, vocabulary = policy.shape
    taken = torch.nn.functional.one_hot(actions, vocabulary).to(policy.dtype)
    return COMPLETE(
        {
            kl_penalty.batch: torch.full((count,), 1 / count, dtype=policy.dtype),
            kl_penalty.behaviour: taken.T,
            kl_penalty.batch_policy: policy.T,
            kl_penalty.batch_old: policy_old.T,
            kl_penalty.batch_anchor: reference.T,
            kl_penalty.estimate: (taken * advantages.unsqueeze(-1)).T,
            kl_penalty.critic: values,
            kl_penalty.target: targets,
            kl_penalty.epsilon: epsilon,
            kl_penalty.c1: value_coefficient,
            kl_penalty.c2: entropy_coefficient,
            objects.beta: beta,
        }
    )


def preference_loss(rewards: Tensor, chosen: Tensor, rejected: Tensor) -> Tensor:
    """The loss of a reward model over pairs of responses to one prompt; a scalar, to be minimised.

    −E_D[log σ(r(y_w) − r(y_l))]

    Parameters: `rewards` [responses]; `chosen`, `rejected` [pairs], numbers of responses. Claims RM.2, RM.3. Source B, II.II.
    """
    return PREFERENCE(
        {
            reward_model.comparisons: _pairs(rewards, chosen, rejected),
            reward_model.model: rewards.unsqueeze(-1),
        }
    )


def direct_preference_loss(
    policy: Tensor, reference: Tensor, chosen: Tensor, rejected: Tensor, beta: float | Tensor
) -> Tensor:
    """The loss of DPO over pairs of responses to one prompt; a scalar, to be minimised.

    −E_D[log σ(β log(π(y_w)/π_ref(y_w)) − β log(π(y_l)/π_ref(y_l)))]

    Parameters: `policy`, `reference` [responses], positive; `chosen`, `rejected` [pairs], numbers of responses; `beta`
    positive. Claim DPO.3.
    """
    return DIRECT_PREFERENCE(
        {
            reward_model.comparisons: _pairs(policy, chosen, rejected),
            reward_model.respond: policy.unsqueeze(-1),
            objects.reference: reference.unsqueeze(-1),
            objects.beta: beta,
        }
    )


def _pairs(like: Tensor, chosen: Tensor, rejected: Tensor) -> Tensor:
    """The law of the comparisons [one prompt, responses, responses]."""
    each = torch.full((len(chosen),), 1 / len(chosen), dtype=like.dtype)
    empty = torch.zeros(1, len(like), len(like), dtype=like.dtype)
    return empty.index_put((torch.zeros_like(chosen), chosen, rejected), each, accumulate=True)


def regret(policy: Tensor, reference: Tensor, rewards: Tensor, beta: float | Tensor) -> Tensor:
    """How far a policy is from the best one, as a divergence; a scalar.

    β D(π‖π*), π* = π_ref exp(r/β) / z

    Parameters: `policy`, `reference` [responses], π(y∣x) and π_ref(y∣x) > 0 of all responses to one prompt; `rewards`
    [responses], r(y, x); `beta` positive. Raises BadInput where the shapes do not fit. Claim OP.11. Source A.
    """
    return REGRET(_at_one_prompt(policy, reference, rewards, beta))[0]


def regret_gap(policy: Tensor, reference: Tensor, rewards: Tensor, beta: float | Tensor) -> Tensor:
    """How far a policy is from the best one, as a difference of objectives; a scalar.

    J(π*) − J(π), J(π) = E_π[r − β log π + β log π_ref]

    Parameters: `policy`, `reference` [responses], π(y∣x) and π_ref(y∣x) > 0 of all responses to one prompt; `rewards`
    [responses], r(y, x); `beta` positive. Raises BadInput where the shapes do not fit. Claim OP.11. Source A.
    """
    return REGRET_GAP(_at_one_prompt(policy, reference, rewards, beta))[0]


def _at_one_prompt(policy: Tensor, reference: Tensor, rewards: Tensor, beta: float | Tensor) -> dict[object, object]:
    columns = {objects.policy: policy, objects.reference: reference, objects.reward: rewards}
    return {objects.beta: beta, **{symbol: column.unsqueeze(-1) for symbol, column in columns.items()}}


__all__ = [
    "ADVANTAGE",
    "CLIPPED",
    "COMPLETE",
    "DIRECT_PREFERENCE",
    "DIVERGENCE",
    "ENTROPY",
    "FISHER",
    "K1",
    "K2",
    "K3",
    "PENALISED",
    "PREFERENCE",
    "REGRET",
    "REGRET_GAP",
    "REINFORCE",
    "REINFORCE_OBJECTIVE",
    "SURROGATE",
    "VALUE_ERROR",
    "VALUE_ERROR_CLIPPED",
    "clipped_surrogate",
    "complete_loss",
    "direct_preference_loss",
    "divergence",
    "entropy",
    "fisher_form",
    "generalised_advantage",
    "judged",
    "kl_estimates",
    "penalised_surrogate",
    "preference_loss",
    "regret",
    "regret_gap",
    "reinforce_estimate",
    "reinforce_objective",
    "sides",
    "surrogate",
    "torch_function",
    "value_error",
]
