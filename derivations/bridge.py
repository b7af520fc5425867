"""Where the checked formulas meet the code: the terms that were judged, as torch functions.

Each constant is a side of a statement of the ledger, so that a change in the section changes what the losses are compared
with. The functions below hand them a batch as the losses hold it, in log-probabilities; everything here is to be
maximised, as in the sources, where a loss is minimised.

| constant | claim | term |
|---|---|---|
| REINFORCE | PG.5.loss, IV.V | ĝ = (1/N) Σ_i (Σ_t ∇log π(i, t)) R(i) |
| REINFORCE_OBJECTIVE | PG.5.loss | (1/N) Σ_i (Σ_t log π(i, t)) R(i), whose gradient ĝ is |
| CLIPPED | PPO.1.batch, VIII.I | (1/∣T∣) Σ_t min(rÂ, clip(r, 1 − ε, 1 + ε)Â), r = π/π_old |
| REGRET | OP.11 | β D(π‖π*) |
| REGRET_GAP | OP.11 | J(π*) − J(π) |
"""

from __future__ import annotations

from torch import Tensor

from derivations.checker.errors import BadInput
from derivations.checker.statement import Statement
from derivations.checker.terms import Derivative
from derivations.ledger import Ledger
from derivations.sections import objects, policy_gradient, ppo
from derivations.tensors import TorchFunction, sides, torch_function

_LEDGER = Ledger()


def judged(identifier: str) -> Statement:
    """The statement of a claim, of a part or of a correction. Raises BadInput where none is called so."""
    if identifier not in _LEDGER.assertions:
        raise BadInput(f"claim {identifier!r} is not known; expected one that `derivations verify` lists")
    return _LEDGER.assertions[identifier].formal


def _under_the_gradient(identifier: str) -> TorchFunction:
    """F, where the right side of a statement is ∇F."""
    given = judged(identifier).right
    if not isinstance(given, Derivative):
        raise BadInput(f"{identifier}: the right side is {given!r}; expected a gradient")
    return torch_function(given.body)


REINFORCE, _ = sides(judged("PG.5.loss"))
REINFORCE_OBJECTIVE = _under_the_gradient("PG.5.loss")
CLIPPED, _ = sides(judged("PPO.1.batch"))
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


def clipped_surrogate(logp: Tensor, logp_old: Tensor, advantages: Tensor, epsilon: float | Tensor) -> Tensor:
    """The clipped surrogate over the steps of a batch, minus the loss with aggregation="token_mean"; a scalar.

    (1/∣T∣) Σ_t min(r(t)Â(t), clip(r(t), 1 − ε, 1 + ε)Â(t)), r(t) = π(t)/π_old(t)

    Parameters: `logp`, `logp_old` [steps], log π_θ(a_t∣s_t) and log π_old(a_t∣s_t) of the unmasked steps; `advantages`
    [steps], Â; `epsilon` in (0, 1). Raises BadInput where the shapes do not fit. Claim PPO.1. Source B, VIII.I.
    """
    return CLIPPED(
        {
            ppo.probability: logp.exp(),
            ppo.probability_old: logp_old.exp(),
            ppo.advantages: advantages,
            ppo.epsilon: epsilon,
        }
    )


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
    "CLIPPED",
    "REGRET",
    "REGRET_GAP",
    "REINFORCE",
    "REINFORCE_OBJECTIVE",
    "clipped_surrogate",
    "judged",
    "regret",
    "regret_gap",
    "reinforce_estimate",
    "reinforce_objective",
    "sides",
    "torch_function",
]
