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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from math import isfinite, nan
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from derivations.algorithms import exact, losses, trpo
from derivations.algorithms.assembly import last_step, leave_one_out, penalised_rewards
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import exact_kl, k2, k3
from derivations.algorithms.preferences import Preferences, preferences
from derivations.algorithms.returns import gae
from derivations.algorithms.rollout import Responses, Scores, final_scores, sample, score
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP


class Diverged(ArithmeticError):
    """A number of the run is no longer finite; the message names the step."""


DAMPING = 1e-3  # of TRPO's Fisher matrix, which is singular (TP.7)
FISHER_STRIDE = 2  # of the responses, one in so many is enough for it; from one in four the step is mostly too long
KL_PLACEMENTS = ("reward", "loss_k2", "loss_k3", "loss_exact")
BASELINES = ("none", "leave_one_out")


@dataclass(frozen=True)
class Settings:
    """What a run is made of.

    `algorithm` is a key of ALGORITHMS; `seed` fixes all that is drawn; `updates` batches of `episodes` responses are
    drawn, each used for `epochs` passes in `minibatches` parts; `learning_rate` is the first step size of Adam;
    `kl` says where the penalty against π_ref stands, one of KL_PLACEMENTS: "reward" is k1 in the reward, the others are
    in the loss, for each token; `gamma` and `lam` are those of GAE; `baseline` what REINFORCE subtracts from a return:
    "leave_one_out" is the mean of the others of the batch, which leaves the estimate unbiased;
    `clip_range` is ε of VIII.I; `value_coefficient` is c₁ of VIII.II; `trust_coefficient` is β of VII.II, to begin
    with, and `target_divergence` the D(π_old‖π) per token, in nats, to which it is adapted, 0 for never; `delta` is δ
    of VII.I; both fall with the square of the step size; `comparisons` of each response are made for DPO;
    `most_gradient_norm` bounds the norm of each gradient. Raises BadInput where one is out of its range.
    """

    algorithm: str
    seed: int = 0
    updates: int = 100
    episodes: int = 256
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 3e-3
    kl: str = "reward"
    gamma: float = 1.0
    lam: float = 0.95
    baseline: str = "none"
    clip_range: float = 0.2
    value_coefficient: float = 0.5
    trust_coefficient: float = 1.0
    target_divergence: float = 0.0
    delta: float = 0.02
    comparisons: int = 16
    most_gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("algorithm", tuple(ALGORITHMS)), ("kl", KL_PLACEMENTS), ("baseline", BASELINES)):
            if getattr(self, name) not in known:
                raise BadInput(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        for name in ("updates", "episodes", "epochs", "minibatches", "comparisons"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.minibatches > self.episodes:
            raise BadInput(f"minibatches is {self.minibatches}; expected at most episodes, which is {self.episodes}")
        if self.baseline == "leave_one_out" and self.episodes < 2:
            raise BadInput(f"episodes is {self.episodes}; expected at least 2, for a baseline of the others")
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"seed is {self.seed}; expected a number from 0 to 2^63 − 1")
        for name, least, most in (
            ("learning_rate", 0.0, float("inf")),
            ("gamma", 0.0, 1.0),
            ("lam", 0.0, 1.0),
            ("value_coefficient", 0.0, float("inf")),
            ("target_divergence", 0.0, float("inf")),
            ("most_gradient_norm", 0.0, float("inf")),
        ):
            if not least <= getattr(self, name) <= most:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a number from {least:g} to {most:g}")
        for name in ("trust_coefficient", "delta"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a positive number")
        if not 0 < self.clip_range < 1:
            raise BadInput(f"clip_range is {self.clip_range}; expected a number between 0 and 1")


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
    """A loss of (scores of the batch, batch, settings), and the settings that it wants where the user gives none.

    `natural`: its loss is of the policy alone, and descended by the natural step; `from_preferences`: its batch is
    Preferences, not Batch.
    """

    loss: Loss
    defaults: dict[str, float]
    natural: bool = False
    from_preferences: bool = False


def _sum(*parts: losses.Loss) -> losses.Loss:
    """Losses added up, with the metrics of all."""
    told: dict[str, float] = {}
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
    "reinforce": Algorithm(_reinforce, {"epochs": 1, "minibatches": 1}),
    "cpi": Algorithm(_cpi, {}),
    "trpo_penalty": Algorithm(_trpo_penalty, {}),
    "trpo": Algorithm(_surrogate, {"minibatches": 2, "learning_rate": 0.03}, natural=True),
    "ppo": Algorithm(_ppo, {}),
    "dpo": Algorithm(
        _dpo, {"epochs": 1, "minibatches": 1, "learning_rate": 0.01, "comparisons": 256}, from_preferences=True
    ),
}


def settings_for(algorithm: str, **given: float | str) -> Settings:
    """The settings of an algorithm: those given, else those that it wants, else the general ones."""
    defaults = ALGORITHMS[algorithm].defaults if algorithm in ALGORITHMS else {}
    return Settings(algorithm, **{**defaults, **given})  # type: ignore[arg-type]


# --- the loop -------------------------------------------------------------------------------------------------------


class Trainer:
    """Trains a policy on a token MDP, from its reference policy.

    Parameters: `mdp`; `reference` the policy π_ref, which also is the first π; `settings`. Tensors live where
    `reference` lives. Raises exact.TooManyPrefixes where the world cannot be enumerated.
    """

    def __init__(self, mdp: TokenMDP, reference: GPT, settings: Settings) -> None:
        self.mdp, self.settings = mdp, settings
        device = next(reference.parameters()).device
        self.tree = exact.prefix_tree(mdp, device=device)
        self.reference = reference.requires_grad_(False)
        self.policy = GPT(reference.config).to(device)
        self.policy.load_state_dict(reference.state_dict())
        self.logp_ref = self._tree_logp(self.reference)
        self.best = exact.optimum(self.tree, self.logp_ref, mdp.beta)
        self.algorithm = ALGORITHMS[settings.algorithm]
        self.trust_coefficient = settings.trust_coefficient
        self.updates_done = 0
        self.generator = torch.Generator(device).manual_seed(settings.seed)
        self.trained = list((self.policy.value if self.algorithm.natural else self.policy).parameters())
        self.optimizer = torch.optim.Adam(self.trained, lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.0, settings.updates)

    def run(self) -> Iterator[dict[str, float]]:
        """The metrics before the first update, then after each."""
        yield {"update": 0, **self.exact_metrics()}
        while self.updates_done < self.settings.updates:
            yield self.update()

    def update(self) -> dict[str, float]:
        """One update: draw, score, estimate advantages, then the epochs of minibatches. Returns its metrics.

        Raises Diverged where a loss, a gradient or the regret is not finite.
        """
        self.updates_done += 1
        if self.algorithm.from_preferences:
            pairs, told = self.collect_preferences()
            told |= self._epochs(pairs, self.algorithm.loss)
        else:
            with self._watched("drawing"):
                batch, told = self.collect()
            if self.algorithm.natural:
                with self._watched("natural step"):
                    told |= _finite(self._natural_step(batch))
                told = {**self._epochs(batch, _critic), **told}
            else:
                told |= self._epochs(batch, self.algorithm.loss)
                told |= self._adapted(told)
        self.schedule.step()
        return {"update": self.updates_done, **self.exact_metrics(), **told}

    @torch.no_grad()
    def collect(self) -> tuple[Batch, dict[str, float]]:
        """Draws a batch from the policy and works out what its losses need."""
        settings = self.settings
        responses, _ = sample(self.policy, self.mdp, settings.episodes, self.generator)
        # The same pass that the losses make, so that the first ratio is 1 and not 1 up to rounding (IS.4).
        scores, anchor = score(self.policy, responses), score(self.reference, responses)
        mask = responses.mask
        earned = final_scores(self.mdp, responses)  # [batch]
        last = last_step(mask)  # [batch, time]
        charged = self.mdp.beta if settings.kl == "reward" else 0.0
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
            self.mdp.beta,
            self.trust_coefficient,
        )
        return batch, {"sampled_score": earned.double().mean().item()}

    @torch.no_grad()
    def collect_preferences(self) -> tuple[Preferences, dict[str, float]]:
        """Draws responses from the policy, and labels of pairs of them by the true reward."""
        responses, _ = sample(self.policy, self.mdp, self.settings.episodes, self.generator)
        logp_ref = score(self.reference, responses).logp.sum(-1)  # [batch]
        batch = preferences(self.mdp, responses, logp_ref, self.settings.comparisons, self.generator)
        return batch, {"sampled_score": final_scores(self.mdp, responses).double().mean().item()}

    def _epochs(self, batch: Batch | Preferences, loss: Loss) -> dict[str, float]:
        steps = []
        for epoch in range(self.settings.epochs):
            order = torch.randperm(len(batch), generator=self.generator, device=self.generator.device)
            for part, index in enumerate(order.chunk(self.settings.minibatches)):
                with self._watched(f"epoch {epoch + 1}, minibatch {part + 1}"):
                    steps.append(_finite(self._step(batch.rows(index), loss)))
        return _together(steps)

    @contextmanager
    def _watched(self, where: str) -> Iterator[None]:
        """The settings were right: what a step refuses is a policy that has gone too far, and the message names it."""
        try:
            yield
        except (BadInput, Diverged) as error:
            raise Diverged(f"update {self.updates_done}, {where}: {error}") from error

    def _step(self, batch: Batch | Preferences, loss_of: Loss) -> dict[str, float]:
        loss, told = loss_of(score(self.policy, batch.responses), batch, self.settings)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.settings.most_gradient_norm)
        if norm.isfinite():  # else what is left would be lost
            self.optimizer.step()
        return {**told, "loss": loss.item(), "gradient_norm": norm.item()}

    def _natural_step(self, batch: Batch) -> dict[str, float]:
        """TRPO's step: along F⁻¹g as far as the divergence allows, and back until the surrogate has gained."""
        mask, weights = batch.responses.mask, list(self.policy.parameters())
        with sdpa_kernel(SDPBackend.MATH):  # the only one that is differentiated twice
            loss, told = self.algorithm.loss(score(self.policy, batch.responses), batch, self.settings)
            some = batch.responses.rows(torch.arange(0, len(batch), FISHER_STRIDE, device=mask.device))
            logits = score(self.policy, some).logits
            divergence = losses.aggregate(exact_kl(logits.detach(), logits, some.mask), some.mask, "token_mean")
            product = trpo.fisher_vector_product(divergence, weights, DAMPING)
        gradient = -trpo.flat(torch.autograd.grad(loss, weights, materialize_grads=True))
        delta = self._shrunk(self.settings.delta)
        step = trpo.natural_step(product, gradient, delta)
        before = trpo.flat([weight.detach() for weight in weights])
        reached: dict[str, float] = {}

        @torch.no_grad()
        def outcome(part: Tensor) -> tuple[float, float]:
            torch.nn.utils.vector_to_parameters(before + part, weights)
            scores = score(self.policy, batch.responses)
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

    def _adapted(self, told: dict[str, float]) -> dict[str, float]:
        """Adapts the coefficient of VII.II to what the batch did; its value for this batch, where there is a target."""
        target = self._shrunk(self.settings.target_divergence)
        if not target:
            return {}
        used = self.trust_coefficient
        self.trust_coefficient = trpo.adapted_beta(used, told["kl_old"], target)
        return {"trust_coefficient": used}

    def _shrunk(self, divergence: float) -> float:
        """A divergence, less by the square of what the step size has lost: it is of second order in the step."""
        return divergence * (1 - (self.updates_done - 1) / self.settings.updates) ** 2

    @torch.no_grad()
    def exact_metrics(self) -> dict[str, float]:
        """Regret, objective, score and KL of the policy, exact by enumeration.

        `regret` = J(π*) − J(π) in units of reward, `regret_share` its share of J(π*) − J(π_ref), `objective` J(π),
        `score` E_π[r], `kl` D(π‖π_ref) in nats. Claims OP.1, OP.11.
        """
        logp, beta = self._tree_logp(self.policy), self.mdp.beta
        regret = exact.regret(self.tree, logp, self.best, beta).item()
        if not isfinite(regret):
            raise Diverged(f"update {self.updates_done}: regret is {regret}")
        divergence = exact.kl(self.tree, logp, self.logp_ref).item()
        objective = self.best.objective.item() - regret
        first = exact.regret(self.tree, self.logp_ref, self.best, beta).item()
        return {
            "regret": regret,
            "regret_share": regret / first,
            "objective": objective,
            "score": objective + beta * divergence,
            "kl": divergence,
        }

    def _tree_logp(self, policy: GPT) -> exact.Levels:
        """In float64, so that sums over thousands of prefixes lose nothing."""
        with torch.no_grad():
            return tuple(level.double() for level in exact.tree_logp(policy, self.tree))


def _finite(told: dict[str, float]) -> dict[str, float]:
    """The metrics of a step. Raises Diverged where its loss or its gradient is not finite."""
    for name in ("loss", "gradient_norm"):
        if not isfinite(told[name]):
            raise Diverged(f"{name} is {told[name]}")
    return told


def _together(steps: list[dict[str, float]]) -> dict[str, float]:
    """The metrics of several minibatches: least and most of what is named so, the mean of the rest."""
    told = {}
    for name in steps[0]:
        found = [step[name] for step in steps]
        together = min if name.endswith("_least") else max if name.endswith("_most") else fmean
        told[name] = together(found)
    return told
