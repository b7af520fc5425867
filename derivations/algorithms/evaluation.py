"""How a policy does: exactly where its world can be enumerated, and else on fresh responses."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np
import torch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import exact_kl
from derivations.algorithms.preferences import true_scores
from derivations.algorithms.rollout import Responses, final_scores, sample, score
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Diverged, Metrics
from toy_envs.token_mdp import TokenMDP


class Exact:
    """Every number of a policy, by enumeration of a world.

    Parameters: `mdp`, `reference` the policy π_ref, `beta` the KL coefficient; with 0 the best response is the optimum.
    Raises exact.TooManyPrefixes where the world is too large.
    """

    def __init__(self, mdp: TokenMDP, reference: GPT, beta: float) -> None:
        self.mdp, self.beta = mdp, beta
        self.tree = exact.prefix_tree(mdp, device=next(reference.parameters()).device)
        self.logp_ref = self.tree_logp(reference)
        self.best = exact.optimum(self.tree, self.logp_ref, beta) if beta else None
        self.objective_best = exact.best_score(self.tree) if self.best is None else self.best.objective.item()
        self.gap = self._regret(self.logp_ref)

    def __call__(self, policy: GPT, update: int) -> Metrics:
        """Regret, objective, score and KL after an update.

        `regret` = J(π*) − J(π) in units of reward, `regret_share` its share of J(π*) − J(π_ref), `objective` J(π),
        `score` E_π[r], `true_score` E_π of the true reward where there is one, `kl` D(π‖π_ref) in nats. Raises Diverged
        where the regret is not finite. Claims OP.1, OP.11.
        """
        logp = self.tree_logp(policy)
        regret = self._regret(logp)
        if not isfinite(regret):
            raise Diverged(f"update {update}: regret is {regret}")
        divergence = exact.kl(self.tree, logp, self.logp_ref).item()
        objective = self.objective_best - regret
        told = {
            "regret": regret,
            "regret_share": regret / self.gap,
            "objective": objective,
            "score": objective + self.beta * divergence,
            "kl": divergence,
        }
        if self.mdp.true_reward is not None:
            told["true_score"] = exact.expected_score(self.tree, logp, self.mdp.true_reward).item()
        return told

    def tree_logp(self, policy: GPT) -> exact.Levels:
        """log π at each open prefix, in float64, so that sums over thousands of prefixes lose nothing."""
        with torch.no_grad():
            return tuple(level.double() for level in exact.tree_logp(policy, self.tree))

    def _regret(self, logp: exact.Levels) -> float:
        if self.best is None:
            return self.objective_best - exact.expected_score(self.tree, logp, self.mdp.reward).item()
        return exact.regret(self.tree, logp, self.best, self.beta).item()


class Sampled:
    """What fresh responses show of a policy in a world that cannot be enumerated.

    Parameters: `mdp`, `reference` π_ref, `beta`, and `settings`, whose `seed` and `fresh` say which responses are drawn
    and how many: others after each update, whatever was drawn for learning.
    """

    def __init__(self, mdp: TokenMDP, reference: GPT, beta: float, settings: Settings) -> None:
        self.mdp, self.reference, self.beta, self.settings = mdp, reference, beta, settings

    def __call__(self, policy: GPT, update: int) -> Metrics:
        """Estimates after an update, in float64: objective, score, KL and true score, each with what it may be off by.

        `score` estimates E_π[r] and `score_error` is its standard error; likewise `true_score`, where there is a true
        reward, and `kl`, D(π‖π_ref) in nats by the exact divergence of the next token along each response, of which
        the expectation is that of whole responses (KL.3); `objective` = score − β kl. Raises Diverged where one is not
        finite.
        """
        told: Metrics = {}
        for name, found in self._seen(policy, update).items():
            told[name] = found.mean().item()
            told[f"{name}_error"] = found.std().item() / sqrt(len(found))
            if not isfinite(told[name]):
                raise Diverged(f"update {update}: {name} is {told[name]}")
        return {"objective": told["score"] - self.beta * told["kl"], **told}

    @torch.no_grad()
    def _seen(self, policy: GPT, update: int) -> dict[str, Tensor]:
        """For each fresh response [fresh] what the metrics are means of."""
        responses = fresh_responses(policy, self.mdp, self.settings.fresh, self.settings.seed, update)
        mask = responses.mask
        own, anchor = score(policy, responses).logits, score(self.reference, responses).logits
        found = {
            "score": final_scores(self.mdp, responses),
            "kl": exact_kl(own.double(), anchor.double(), mask).sum(-1),
        }
        if self.mdp.true_reward is not None:
            found["true_score"] = true_scores(self.mdp, responses)
        return {name: part.double() for name, part in found.items()}


def fresh_responses(policy: GPT, mdp: TokenMDP, count: int, seed: int, update: int) -> Responses:
    """So many responses that are drawn to be looked at; what is drawn for learning is not touched."""
    (word,) = np.random.SeedSequence([seed, update]).generate_state(1, np.uint64)
    generator = torch.Generator(next(policy.parameters()).device).manual_seed(int(word) % 2**63)
    return sample(policy, mdp, count, generator)[0]


Evaluation = Exact | Sampled


def evaluation_for(mdp: TokenMDP, reference: GPT, beta: float, settings: Settings) -> Evaluation:
    """The exact one where the world can be enumerated."""
    if mdp.prefixes() <= exact.LIMIT:
        return Exact(mdp, reference, beta)
    return Sampled(mdp, reference, beta, settings)
