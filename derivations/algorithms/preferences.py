"""Preferences between responses, as people would give them whose rewards are those of the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, as_responses, score
from toy_envs.errors import BadInput
from toy_envs.token_mdp import Pair, TokenMDP


@dataclass(frozen=True)
class Preferences:
    """Responses, and which of two was preferred.

    `logp_ref` [batch], log π_ref(y∣x) of each whole response; `chosen`, `rejected` [pairs], the rows of the response that
    was preferred and of the other one, both to the same prompt; `beta` the KL coefficient of the world.
    """

    responses: Responses
    logp_ref: Tensor
    chosen: Tensor
    rejected: Tensor
    beta: float

    def __len__(self) -> int:
        return len(self.responses)

    def rows(self, index: Tensor) -> Preferences:
        """The responses of the rows `index`, and the pairs of which both are among them."""
        place = torch.full((len(self),), -1, device=index.device).scatter(0, index, torch.arange(len(index)).to(index))
        chosen, rejected = place[self.chosen], place[self.rejected]
        both = (chosen >= 0) & (rejected >= 0)
        return Preferences(self.responses.rows(index), self.logp_ref[index], chosen[both], rejected[both], self.beta)


def true_scores(mdp: TokenMDP, responses: Responses) -> Tensor:
    """What each response [batch] is really worth: the true reward where the world has one, else its reward."""
    wanted = mdp.true_reward or mdp.reward
    lengths = responses.mask.sum(-1).tolist()
    rows = zip(responses.prompts.tolist(), responses.tokens.tolist(), lengths, strict=True)
    found = [wanted(tuple(prompt), tuple(tokens[:length])) for prompt, tokens, length in rows]
    return torch.tensor(found, dtype=torch.float32, device=responses.tokens.device)


def compared(prompts: Tensor, comparisons: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each row with `comparisons` others of the same prompt, drawn with replacement: two tensors [pairs] of rows.

    A row whose prompt no other has is left out. Raises BadInput where that leaves none.
    """
    same = (prompts.unsqueeze(0) == prompts.unsqueeze(1)).all(-1).fill_diagonal_(False)  # [batch, batch]
    first = same.any(-1).nonzero().squeeze(-1)
    if not len(first):
        raise BadInput(f"episodes is {len(prompts)}: no two responses to one prompt; expected more")
    second = torch.multinomial(same[first].float(), comparisons, replacement=True, generator=generator)
    return first.repeat_interleave(comparisons), second.flatten()


def preferences(
    mdp: TokenMDP,
    responses: Responses,
    logp_ref: Tensor,
    beta: float,
    comparisons: int,
    generator: torch.Generator,
) -> Preferences:
    """Pairs of responses to one prompt, each labelled by Bradley–Terry with the true rewards.

    P(y_w ≻ y_l ∣ x) = σ(r(x, y_w) − r(x, y_l))

    Parameters: `responses` from any policy; `logp_ref` [batch], log π_ref(y∣x); `beta` the KL coefficient; `comparisons` as
    in `compared`. Claims RM.1, DPO.2, DPO.4: the policy whose population loss is least is π*, whatever the pairs are
    drawn from, as long as they connect all responses. Source B, II.I.
    """
    first, second = compared(responses.prompts, comparisons, generator)
    worth = true_scores(mdp, responses)
    likely = (worth[first] - worth[second]).sigmoid()
    wins = torch.rand(len(likely), generator=generator, device=likely.device) < likely
    return Preferences(responses, logp_ref, first.where(wins, second), second.where(wins, first), beta)


def labelled(pairs: Sequence[Pair], reference: GPT, beta: float) -> Preferences:
    """Pairs (prompt, chosen, rejected) that came with their labels, scored by the reference policy."""
    responses = responses_of(pairs).to(next(reference.parameters()).device)
    with torch.no_grad():
        logp_ref = score(reference, responses).logp.sum(-1)  # [batch]
    rows = torch.arange(len(pairs), device=logp_ref.device)
    return Preferences(responses, logp_ref, rows, rows + len(pairs), beta)


def responses_of(pairs: Sequence[Pair]) -> Responses:
    """The chosen responses of all pairs, and after them the rejected ones."""
    chosen = [(prompt, chosen) for prompt, chosen, _ in pairs]
    return as_responses([*chosen, *((prompt, rejected) for prompt, _, rejected in pairs)])
