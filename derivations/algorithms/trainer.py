"""The one training loop; an algorithm is a choice of loss, of what it is worked out on, and of how often a batch is used.

How it differs from the papers:
1. The KL penalty is in the reward, by the estimator k1 at each token (IX.I), unless `kl` says otherwise: for a sequence
   it is the only choice with the gradient of the divergence, for γ = 1. Each in the loss, k2, k3 or exact, holds the
   states fixed, and misses that a token leads to others (KL.6, KL.7, KL.16).
2. REINFORCE weights each score by the whole return of its response, as IV.V does.
3. Policy and value share a trunk, so that the value loss moves the policy too (PPO.16). TRPO fits the last layer of the
   value alone, since its step has to keep the constraint.
4. Advantages are not rescaled by their deviation: Adam undoes a common factor anyway.
5. The step size falls linearly to zero: at a constant one PPO stays at a distance from π*.
6. DPO draws new pairs from the policy for each update, in place of a fixed set of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import nan
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from derivations.algorithms import losses, trpo
from derivations.algorithms.assembly import last_step, leave_one_out, penalised_rewards
from derivations.algorithms.evaluation import evaluation_for
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import exact_kl, k2, k3
from derivations.algorithms.preferences import Preferences, labelled, preferences
from derivations.algorithms.returns import gae
from derivations.algorithms.rollout import Responses, Scores, final_scores
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Metrics, Stage, State, finite, together
from toy_envs.token_mdp import TokenMDP

DAMPING = 1e-3  # of TRPO's Fisher matrix, which is singular (TP.7)
FISHER_STRIDE = 2  # of the responses, one in so many is enough for it; from one in four the step is mostly too long


@dataclass(frozen=True)
class Batch:
    """Responses and what is known of each of their tokens, [batch, time], all of it free of θ.

    `logp_old`, `logits_old` [batch, time, vocabulary] and `values` of the policy that drew them, `logp_ref` and
    `logits_ref` of π_ref; `rewards` with the penalty that stands there; `returns` the whole return of the response, less
    its baseline, at each of its tokens; `advantages` by GAE, `targets` what the value head should say; `beta` the KL
    coefficient of the world, `trust_coefficient` that of VII.II for this batch.
    """

    responses: Responses
    logp_old: Tensor
    logits_old: Tensor
    values: Tensor
    logp_ref: Tensor
    logits_ref: Tensor
    rewards: Tensor
    returns: Tensor
    advantages: Tensor
    targets: Tensor
    beta: float
    trust_coefficient: float

    def __len__(self) -> int:
        return len(self.responses)

    def rows(self, index: Tensor) -> Batch:
        """The responses of the rows `index`."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        cut: dict[str, Any] = {name: part[index] for name, part in found.items() if isinstance(part, Tensor)}
        return replace(self, responses=self.responses.rows(index), **cut)


# --- an algorithm is a loss -----------------------------------------------------------------------------------------


Loss = Callable[[Scores, Any, Settings], losses.Loss]


@dataclass(frozen=True)
class Algorithm:
    """A loss of (scores of the batch, batch, settings).

    `natural`: its loss is of the policy alone, and descended by the natural step; `from_preferences`: its batch is
    Preferences, not Batch.
    """

    loss: Loss
    natural: bool = False
    from_preferences: bool = False


def _sum(*parts: losses.Loss) -> losses.Loss:
    """Losses added up, with the metrics of all."""
    told: Metrics = {}
    for _, more in parts:
        told |= more
    return torch.stack([loss for loss, _ in parts]).sum(), told


def _anchor(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    """The penalty against π_ref where it stands in the loss, else nothing."""
    mask, given = batch.responses.mask, (scores.logp, batch.logp_ref)
    if settings.kl == "loss_k2":
        return losses.kl_penalty(k2(*given, mask), mask, batch.beta)
    if settings.kl == "loss_k3":
        return losses.kl_penalty(k3(*given, mask), mask, batch.beta)
    if settings.kl == "loss_exact":
        return losses.kl_penalty(exact_kl(scores.logits, batch.logits_ref, mask), mask, batch.beta)
    return scores.logp.new_zeros(()), {}


def _critic(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    loss, told = losses.value(scores.values, batch.values, batch.targets, batch.responses.mask)
    return settings.value_coefficient * loss, told


def _reinforce(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    policy = losses.reinforce(scores.logp, batch.returns, batch.responses.mask)
    return _sum(policy, _anchor(scores, batch, settings))


def _surrogate(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    policy = losses.cpi(scores.logp, batch.logp_old, batch.advantages, batch.responses.mask)
    return _sum(policy, _anchor(scores, batch, settings))


def _cpi(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    return _sum(_surrogate(scores, batch, settings), _critic(scores, batch, settings))


def _trpo_penalty(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    mask = batch.responses.mask
    divergence = exact_kl(batch.logits_old, scores.logits, mask)
    policy = losses.trpo_penalty(
        scores.logp, batch.logp_old, batch.advantages, divergence, mask, batch.trust_coefficient
    )
    return _sum(policy, _anchor(scores, batch, settings), _critic(scores, batch, settings))


def _ppo(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    mask = batch.responses.mask
    policy = losses.ppo_clip(scores.logp, batch.logp_old, batch.advantages, mask, settings.clip_range)
    return _sum(policy, _anchor(scores, batch, settings), _critic(scores, batch, settings))


def _dpo(scores: Scores, batch: Preferences, settings: Settings) -> losses.Loss:
    logp = scores.logp.sum(-1)  # [batch]
    chosen, rejected = batch.chosen, batch.rejected
    return losses.dpo(logp[chosen], logp[rejected], batch.logp_ref[chosen], batch.logp_ref[rejected], batch.beta)


ALGORITHMS = {
    "reinforce": Algorithm(_reinforce),
    "cpi": Algorithm(_cpi),
    "trpo_penalty": Algorithm(_trpo_penalty),
    "trpo": Algorithm(_surrogate, natural=True),
    "ppo": Algorithm(_ppo),
    "dpo": Algorithm(_dpo, from_preferences=True),
}


# --- the loop -------------------------------------------------------------------------------------------------------


class Trainer(Stage):
    """Trains a policy on a token MDP, from its reference policy.

    Parameters: `mdp`; `reference` the policy π_ref, which also is the first π; `settings`. Tensors live where
    `reference` lives, in its dtype.
    """

    def __init__(self, mdp: TokenMDP, reference: GPT, settings: Settings) -> None:
        self.reference = reference.requires_grad_(False)
        self.policy = GPT(reference.config).to(next(reference.parameters()))  # its device, its dtype
        self.policy.load_state_dict(reference.state_dict())
        self.algorithm = ALGORITHMS[settings.algorithm]
        self.trust_coefficient = settings.trust_coefficient
        self.beta = mdp.beta if settings.beta is None else settings.beta
        self.evaluation = evaluation_for(mdp, self.reference, self.beta, settings)
        trained = self.policy.value if self.algorithm.natural else self.policy
        super().__init__(mdp, self.policy, settings, trained.parameters())

    def measure(self) -> Metrics:
        """What evaluation.py says of the policy. Raises Diverged where that is not finite."""
        return self.evaluation(self.policy, self.updates_done)

    def learn(self) -> Metrics:
        """One update: draw, score, estimate advantages, then the epochs of minibatches. Returns its metrics.

        Raises Diverged where a loss or a gradient is not finite.
        """
        if self.algorithm.from_preferences:
            pairs, told = self.collect_preferences()
            return {**told, **self._epochs(pairs, self.algorithm.loss)}
        with self.watched("drawing"):
            batch, told = self.collect()
        if self.algorithm.natural:
            with self.watched("natural step"):
                told |= finite(self._natural_step(batch))
            return {**self._epochs(batch, _critic), **told}
        told |= self._epochs(batch, self.algorithm.loss)
        return {**told, **self._adapted(told)}

    def state(self) -> State:
        """Where the run stands, the coefficient of the trust region included."""
        found = super().state()
        return replace(found, facts={**found.facts, "trust_coefficient": self.trust_coefficient})

    def restore(self, state: State) -> None:
        """Takes the run up where `state` says that it stood."""
        super().restore(state)
        self.trust_coefficient = state.facts["trust_coefficient"]

    @torch.no_grad()
    def collect(self) -> tuple[Batch, Metrics]:
        """Draws a batch from the policy and works out what its losses need."""
        settings = self.settings
        responses = self.group.sample(self.policy, self.mdp, settings.episodes, self.generator)
        # The same pass that the losses make, so that the first ratio is 1 and not 1 up to rounding (IS.4).
        scores, anchor = self.group.score(self.policy, responses), self.group.score(self.reference, responses)
        mask = responses.mask
        earned = final_scores(self.mdp, responses)  # [batch]
        last = last_step(mask)  # [batch, time]
        charged = self.beta if settings.kl == "reward" else 0.0
        rewards = penalised_rewards(earned, scores.logp, anchor.logp, mask, charged)  # [batch, time]
        following = torch.cat((scores.values[:, 1:], torch.zeros_like(scores.values[:, :1])), 1)  # [batch, time]
        advantages = gae(
            rewards, scores.values, following, last, torch.zeros_like(last), settings.gamma, settings.lam, mask
        )
        returns = rewards.sum(-1)  # [batch]
        if settings.baseline == "leave_one_out":
            returns = leave_one_out(returns)
        batch = Batch(
            responses,
            scores.logp,
            scores.logits,
            scores.values,
            anchor.logp,
            anchor.logits,
            rewards,
            returns.unsqueeze(-1).expand_as(rewards),
            advantages,
            advantages + scores.values,
            self.beta,
            self.trust_coefficient,
        )
        return batch, {"sampled_score": earned.double().mean().item()}

    @torch.no_grad()
    def collect_preferences(self) -> tuple[Preferences, Metrics]:
        """Pairs with their labels: the world's own, else of responses drawn from the policy, by the true reward."""
        if self.mdp.pairs is not None:
            batch = labelled(self.mdp.pairs(self.draws, self.settings.episodes), self.reference, self.beta)
            return batch, {}
        responses = self.group.sample(self.policy, self.mdp, self.settings.episodes, self.generator)
        logp_ref = self.group.score(self.reference, responses).logp.sum(-1)  # [batch]
        batch = preferences(self.mdp, responses, logp_ref, self.beta, self.settings.comparisons, self.generator)
        return batch, {"sampled_score": final_scores(self.mdp, responses).double().mean().item()}

    def _epochs(self, batch: Batch | Preferences, loss_of: Loss) -> Metrics:
        steps = []
        for epoch in range(self.settings.epochs):
            order = torch.randperm(len(batch), generator=self.generator, device=self.device)
            for number, index in enumerate(order.chunk(self.settings.minibatches)):
                with self.watched(f"epoch {epoch + 1}, minibatch {number + 1}"):
                    part = batch.rows(index)
                    scores = self.group.score(self.policy, part.responses)
                    steps.append(self.descend(*loss_of(scores, part, self.settings)))
        return together(steps)

    def _natural_step(self, batch: Batch) -> Metrics:
        """TRPO's step: along F⁻¹g as far as the divergence allows, and back until the surrogate has gained."""
        mask, weights = batch.responses.mask, list(self.policy.parameters())
        with sdpa_kernel(SDPBackend.MATH):  # the only one that is differentiated twice
            loss, told = self.algorithm.loss(self.group.score(self.policy, batch.responses), batch, self.settings)
            some = batch.responses.rows(torch.arange(0, len(batch), FISHER_STRIDE, device=mask.device))
            logits = self.group.score(self.policy, some).logits
            divergence = losses.aggregate(exact_kl(logits.detach(), logits, some.mask), some.mask, "token_mean")
            undamped = trpo.fisher_vector_product(divergence, weights)
        gradient = -self.group.summed(trpo.flat(torch.autograd.grad(loss, weights, materialize_grads=True)))

        def product(vector: Tensor) -> Tensor:
            return self.group.summed(undamped(vector)) + DAMPING * vector

        delta = self._shrunk(self.settings.delta)
        step = trpo.natural_step(product, gradient, delta)
        before = trpo.flat([weight.detach() for weight in weights])
        reached: Metrics = {}

        @torch.no_grad()
        def outcome(part: Tensor) -> tuple[float, float]:
            torch.nn.utils.vector_to_parameters(before + part, weights)
            scores = self.group.score(self.policy, batch.responses)
            if not scores.logits.isfinite().all():
                return nan, nan
            after, told_after = self.algorithm.loss(scores, batch, self.settings)
            apart = losses.aggregate(exact_kl(batch.logits_old, scores.logits, mask), mask, "token_mean").item()
            reached.update({**told_after, "kl_old": apart})
            return loss.item() - after.item(), apart

        taken = trpo.line_search(outcome, step, (gradient @ step).item(), delta)
        torch.nn.utils.vector_to_parameters(before + taken, weights)
        share = (taken.norm() / step.norm()).item() if step.any() else 0.0
        told |= reached if share else {}
        return {**told, "loss": loss.item(), "gradient_norm": gradient.norm().item(), "step_share": share}

    def _adapted(self, told: Metrics) -> Metrics:
        """Adapts the coefficient of VII.II to what the batch did; its value for this batch, where there is a target.

        An algorithm without a D(π_old‖π) has nothing to adapt.
        """
        target = self._shrunk(self.settings.target_divergence)
        if not target or "kl_old" not in told:
            return {}
        used = self.trust_coefficient
        self.trust_coefficient = trpo.adapted_beta(used, told["kl_old"], target)
        return {"trust_coefficient": used}

    def _shrunk(self, divergence: float) -> float:
        """A divergence, less by the square of what the step size has lost: it is of second order in the step."""
        return divergence * (1 - (self.updates_done - 1) / self.settings.updates) ** 2
