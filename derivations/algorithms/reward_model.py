"""A reward model: the tiny GPT with a scalar head read at the last token, fitted to pairs of which one was preferred."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from derivations.algorithms import losses
from derivations.algorithms.gpt import GPT
from derivations.algorithms.preferences import responses_of, true_scores
from derivations.algorithms.rollout import Responses, as_responses, with_start
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Metrics, Stage
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens


class RewardModel(nn.Module):
    """r_φ(x, y), the value head's number after the last token of the response.

    Parameters: `model` a GPT whose context holds the start token, a prompt and a whole response. Source B, II.II.
    """

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, responses: Responses) -> Tensor:
        """The score of each response [batch], differentiable in the weights."""
        read = torch.cat((with_start(self.model, responses.prompts), responses.tokens), 1)
        values = self.model(read).values  # [batch, 1 + prompt length + time]
        last = responses.prompts.shape[1] + responses.mask.sum(-1)  # [batch]
        return values.gather(-1, last.unsqueeze(-1)).squeeze(-1)


def reader_from(policy: GPT) -> GPT:
    """A GPT with the weights, device and dtype of a policy that reads one token more: a policy never reads the last."""
    model = GPT(replace(policy.config, context=policy.config.context + 1)).to(next(policy.parameters()))
    weights = dict(policy.state_dict())
    place = weights["place.weight"]  # [context, width]
    weights["place.weight"] = torch.cat((place, torch.zeros_like(place[:1])))
    model.load_state_dict(weights)
    return model


@dataclass(frozen=True)
class LearnedReward:
    """A reward model as the reward function of a world; nothing is learnt through it."""

    model: GPT

    def __call__(self, prompt: Tokens, response: Tokens) -> float:
        """The score of one response."""
        return self.scores(as_responses([(prompt, response)]).to(next(self.model.parameters()).device)).item()

    @torch.no_grad()
    def scores(self, responses: Responses) -> Tensor:
        """The score of each response [batch]."""
        return RewardModel(self.model)(responses)


class RewardFitting(Stage):
    """Fits a reward model to a world's pairs, from the weights of its reference policy.

    minimises −(1/N) Σ_i log σ(r_φ(x_i, y_w,i) − r_φ(x_i, y_l,i)) over N = `episodes` fresh pairs at each update. Only
    differences of rewards can be seen in pairs (RM.5); at the end the head is shifted so that the mean over
    demonstrations is zero. Claims RM.1 to RM.5. Source B, II.II. Raises BadInput where the world has no pairs.
    """

    def __init__(self, mdp: TokenMDP, reference: GPT, settings: Settings) -> None:
        if mdp.pairs is None:
            raise BadInput(f"env: {mdp.name} has no pairs of which one was preferred; expected a world with some")
        super().__init__(mdp, reader_from(reference), settings)
        self.reward_model = RewardModel(self.model)

    def measure(self) -> Metrics:
        """Nothing: each update is measured on its own pairs, which were not seen before."""
        return {}

    def learn(self) -> Metrics:
        """One step on fresh pairs; `loss_of_truth` is what the true reward itself would have lost on them."""
        assert self.mdp.pairs is not None
        told: Metrics = {}
        with self.watched("pairs"):
            responses = responses_of(self.mdp.pairs(self.draws, self.settings.episodes)).to(self.device)
            own = self.reward_model(responses.rows(self.group.share(len(responses))))
            chosen, rejected = self.group.gathered(own, len(responses)).chunk(2)
            told = self.descend(*losses.reward_model(chosen, rejected))
            truth, _ = losses.reward_model(*true_scores(self.mdp, responses).chunk(2))
        if self.updates_done == self.settings.updates:
            self._centre()
        return {**told, "loss_of_truth": truth.item()}

    @torch.no_grad()
    def _centre(self) -> None:
        if self.mdp.demonstrations is not None:
            shown = as_responses(self.mdp.demonstrations(self.draws, 16 * self.settings.episodes)).to(self.device)
            self.model.value.bias.sub_(self.reward_model(shown).mean())
