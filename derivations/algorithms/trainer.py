"""The one training loop; an algorithm is a choice of loss and of how often a batch is used.

How it differs from the papers:
1. The KL penalty is in the reward, by the estimator k1 at each token (IX.I); its gradient is right for γ = 1 (KL.7).
2. REINFORCE weights each score by the whole return of its response, as IV.V does, with no baseline.
3. PPO's policy and value share a trunk, so that the value loss moves the policy too (PPO.16).
4. Advantages are not rescaled by their deviation: Adam undoes a common factor anyway.
5. The step size falls linearly to zero: at a constant one PPO stays at a distance from π*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import isfinite
from statistics import fmean

import torch
from torch import Tensor

from derivations.algorithms import exact, losses
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import k1
from derivations.algorithms.returns import gae
from derivations.algorithms.rollout import Responses, Scores, final_scores, sample, score
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP


class Diverged(ArithmeticError):
    """A number of the run is no longer finite; the message names the step."""


@dataclass(frozen=True)
class Settings:
    """What a run is made of.

    `algorithm` is a key of ALGORITHMS; `seed` fixes all that is drawn; `updates` batches of `episodes` responses are
    drawn, each used for `epochs` passes in `minibatches` parts; `learning_rate` is the first step size of Adam;
    `clip_range` is ε of VIII.I; `gamma` and `lam` are those of GAE; `value_coefficient` is c₁ of VIII.II;
    `most_gradient_norm` bounds the norm of each gradient. Raises BadInput where one is out of its range.
    """

    algorithm: str
    seed: int = 0
    updates: int = 100
    episodes: int = 256
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 3e-3
    clip_range: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    value_coefficient: float = 0.5
    most_gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise BadInput(f"algorithm is {self.algorithm!r}; expected one of {', '.join(ALGORITHMS)}")
        for name in ("updates", "episodes", "epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.minibatches > self.episodes:
            raise BadInput(f"minibatches is {self.minibatches}; expected at most episodes, which is {self.episodes}")
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"seed is {self.seed}; expected a number from 0 to 2^63 − 1")
        for name, least, most in (
            ("learning_rate", 0.0, float("inf")),
            ("gamma", 0.0, 1.0),
            ("lam", 0.0, 1.0),
            ("value_coefficient", 0.0, float("inf")),
            ("most_gradient_norm", 0.0, float("inf")),
        ):
            if not least <= getattr(self, name) <= most:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a number from {least:g} to {most:g}")
        if not 0 < self.clip_range < 1:
            raise BadInput(f"clip_range is {self.clip_range}; expected a number between 0 and 1")


@dataclass(frozen=True)
class Batch:
    """Responses and what is known of each of their tokens, [batch, time], all of it free of θ.

    `logp_old` and `values` of the policy that drew them; `rewards` with the penalty; `returns` the whole return of the
    response at each of its tokens; `advantages` by GAE, `targets` what the value head should say.
    """

    responses: Responses
    logp_old: Tensor
    values: Tensor
    rewards: Tensor
    returns: Tensor
    advantages: Tensor
    targets: Tensor

    def rows(self, index: Tensor) -> Batch:
        """The responses of the rows `index`."""
        return Batch(
            self.responses.rows(index),
            *(getattr(self, field.name)[index] for field in fields(self) if field.name != "responses"),
        )


# --- an algorithm is a loss -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Algorithm:
    """A loss of (scores of the batch, batch, settings), and the settings that it wants where the user gives none."""

    loss: Callable[[Scores, Batch, Settings], losses.Loss]
    defaults: dict[str, float]


def _reinforce(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    return losses.reinforce(scores.logp, batch.returns, batch.responses.mask)


def _ppo(scores: Scores, batch: Batch, settings: Settings) -> losses.Loss:
    mask = batch.responses.mask
    policy_loss, told = losses.ppo_clip(scores.logp, batch.logp_old, batch.advantages, mask, settings.clip_range)
    value_loss, told_too = losses.value(scores.values, batch.values, batch.targets, mask)
    return policy_loss + settings.value_coefficient * value_loss, {**told, **told_too}


ALGORITHMS = {
    "reinforce": Algorithm(_reinforce, {"epochs": 1, "minibatches": 1}),
    "ppo": Algorithm(_ppo, {}),
}


def settings_for(algorithm: str, **given: float) -> Settings:
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
        self.updates_done = 0
        self.generator = torch.Generator(device).manual_seed(settings.seed)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=settings.learning_rate)
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
        batch, told = self.collect()
        steps = []
        for epoch in range(self.settings.epochs):
            order = torch.randperm(len(batch.responses), generator=self.generator, device=self.generator.device)
            for part, index in enumerate(order.chunk(self.settings.minibatches)):
                where = f"update {self.updates_done}, epoch {epoch + 1}, minibatch {part + 1}"
                steps.append(self._step(batch.rows(index), where))
        self.schedule.step()
        return {"update": self.updates_done, **self.exact_metrics(), **told, **_together(steps)}

    @torch.no_grad()
    def collect(self) -> tuple[Batch, dict[str, float]]:
        """Draws a batch from the policy and works out what its losses need."""
        settings = self.settings
        responses, _ = sample(self.policy, self.mdp, settings.episodes, self.generator)
        # The same pass that the losses make, so that the first ratio is 1 and not 1 up to rounding (IS.4).
        scores = score(self.policy, responses)
        mask = responses.mask
        earned = final_scores(self.mdp, responses)  # [batch]
        penalty = self.mdp.beta * k1(scores.logp, score(self.reference, responses).logp)  # [batch, time]
        last = mask & ~torch.cat((mask[:, 1:], torch.zeros_like(mask[:, :1])), 1)  # [batch, time]
        rewards = last * earned.unsqueeze(-1) - penalty  # [batch, time]
        following = torch.cat((scores.values[:, 1:], torch.zeros_like(scores.values[:, :1])), 1)  # [batch, time]
        advantages = gae(
            rewards, scores.values, following, last, torch.zeros_like(last), settings.gamma, settings.lam, mask
        )
        returns = rewards.sum(-1, keepdim=True).expand_as(rewards)
        batch = Batch(responses, scores.logp, scores.values, rewards, returns, advantages, advantages + scores.values)
        return batch, {"sampled_score": earned.double().mean().item()}

    def _step(self, batch: Batch, where: str) -> dict[str, float]:
        scores = score(self.policy, batch.responses)
        if not (scores.logp.isfinite().all() and scores.values.isfinite().all()):
            raise Diverged(f"{where}: the policy's probabilities or values are not finite")
        loss, told = ALGORITHMS[self.settings.algorithm].loss(scores, batch, self.settings)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.settings.most_gradient_norm)
        told |= {"loss": loss.item(), "gradient_norm": norm.item()}
        for name in ("loss", "gradient_norm"):
            if not isfinite(told[name]):
                raise Diverged(f"{where}: {name} is {told[name]}")
        self.optimizer.step()
        return told

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


def _together(steps: list[dict[str, float]]) -> dict[str, float]:
    """The metrics of several minibatches: least and most of what is named so, the mean of the rest."""
    told = {}
    for name in steps[0]:
        found = [step[name] for step in steps]
        together = min if name.endswith("_least") else max if name.endswith("_most") else fmean
        told[name] = together(found)
    return told
