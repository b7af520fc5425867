"""Sampling responses, and scoring responses that are there already: one policy, two ways to read it.

Parameters common to all: `policy` the GPT, `mdp` the token MDP, prompts [batch, prompt length], tokens [batch, time].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from derivations.algorithms.gpt import GPT
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens


@dataclass(frozen=True)
class Responses:
    """Responses to prompts, one a row; behind its end token a row holds 0s that the mask leaves out.

    `prompts` [batch, prompt length], `tokens` [batch, time], `mask` [batch, time], True up to the end of the response,
    its end token included.
    """

    prompts: Tensor
    tokens: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def rows(self, index: Tensor | slice) -> Responses:
        """The responses of the rows `index`."""
        return Responses(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, device: torch.device | str) -> Responses:
        """The same responses on a device."""
        return Responses(*(getattr(self, field.name).to(device) for field in fields(self)))


def as_responses(pairs: Sequence[tuple[Tokens, Tokens]]) -> Responses:
    """(prompt, response) pairs as one batch; shorter responses are padded."""
    longest = max(len(response) for _, response in pairs)
    padded = [[*response, *[0] * (longest - len(response))] for _, response in pairs]
    lengths = torch.tensor([len(response) for _, response in pairs])
    prompts = torch.tensor([prompt for prompt, _ in pairs], dtype=torch.long).view(len(pairs), -1)
    return Responses(prompts, torch.tensor(padded), torch.arange(longest) < lengths.unsqueeze(-1))


def inverse_cdf(logits: Tensor, uniforms: Tensor) -> Tensor:
    """The token whose stretch of the unit interval each uniform number [batch] falls into; logits [batch, vocabulary].

    The sum is taken in float64, and the uniform is scaled by it: rounding can never leave the last token behind.
    """
    steps = logits.double().softmax(-1).cumsum(-1)  # [batch, vocabulary]
    reached = uniforms.double().unsqueeze(-1) * steps[:, -1:]  # [batch, 1]
    return (steps[:, :-1] <= reached).sum(-1)  # [batch]


@torch.no_grad()
def sample(
    policy: GPT, mdp: TokenMDP, episodes: int, generator: torch.Generator, rows: slice = slice(None)
) -> tuple[Responses, Tensor]:
    """Draws a prompt and a response `episodes` times, token by token through the cache.

    Returns the responses and logp [batch, time], the log-probability with which each token was drawn (nats, 0 behind
    the end); where only some `rows` of the batch are wanted, those that are drawn there for the whole batch. Claims
    TR.2, IS.4: temperature 1, nothing cut off. Raises BadInput where the policy cannot read or write what this token MDP
    has.
    """
    check_world(policy, mdp)
    device = generator.device
    prompts = _drawn_prompts(mdp, episodes, generator)[rows]  # [batch, prompt length]
    uniforms = torch.rand(mdp.horizon, episodes, generator=generator, device=device)[:, rows]  # [horizon, batch]
    logits, _, cache = policy(with_start(policy, prompts))
    logits = logits[:, -1]  # [batch, vocabulary]
    open_rows = torch.ones(len(prompts), dtype=torch.bool, device=device)  # [batch]
    tokens, masks, logps = [], [], []
    for t in range(mdp.horizon):
        token = inverse_cdf(logits, uniforms[t])  # [batch]
        logp = logits.log_softmax(-1).gather(-1, token.unsqueeze(-1)).squeeze(-1)  # [batch]
        tokens.append(token.masked_fill(~open_rows, 0))
        logps.append(logp.masked_fill(~open_rows, 0.0))
        masks.append(open_rows)
        if mdp.end is not None:
            open_rows = open_rows & (token != mdp.end)
        if t + 1 == mdp.horizon or not open_rows.any():
            break
        output = policy(tokens[-1].unsqueeze(-1), cache)
        logits, cache = output.logits[:, -1], output.cache  # [batch, vocabulary]
    return Responses(prompts, torch.stack(tokens, 1), torch.stack(masks, 1)), torch.stack(logps, 1)


@dataclass(frozen=True)
class Scores:
    """What a policy says of responses: `logp` [batch, time] of each token (nats), `logits` [batch, time, vocabulary]
    before it, and `values` [batch, time] of the prefix before it."""

    logp: Tensor
    logits: Tensor
    values: Tensor


def score(policy: GPT, responses: Responses) -> Scores:
    """Reads whole responses at once; differentiable in the policy's weights. Behind the end logp and values are 0.

    Raises BadInput where prompt and response do not fit into the policy's context, or one of their tokens is none of its
    vocabulary.
    """
    check_fits(policy, responses.prompts.shape[1], responses.tokens.shape[1])
    _check_tokens(policy, responses)
    return _read(policy, responses)


def weighted_scores(policy: GPT, responses: Responses, weights: Tensor) -> Tensor:
    """The estimate of the policy gradient that each response gives alone, [responses, weights of the policy].

    ĝ(x,y) = Σ_t ψ_t ∇ log π(y_t∣x, y_<t)

    Parameters: `weights` ψ [responses, time], taken as free of θ: the whole return at each token for REINFORCE, the
    reward-to-go, either of them less a baseline, or an advantage. The columns are `policy.parameters()`, flattened, one
    after the other. Raises BadInput as `score` does. Claims PG.4, PG.5, AD.3, AD.5. Source B, IV.V and V.
    """
    check_fits(policy, responses.prompts.shape[1], responses.tokens.shape[1])
    _check_tokens(policy, responses)
    reader = _Reader(policy)
    values = {name: value.detach() for name, value in reader.named_parameters()}

    def total(values: dict[str, Tensor], prompt: Tensor, tokens: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        row = prompt.unsqueeze(0), tokens.unsqueeze(0), mask.unsqueeze(0)
        logp: Tensor = functional_call(reader, values, row)  # [1, time]
        return (logp.squeeze(0) * weight).sum()

    rows = vmap(grad(total), in_dims=(None, 0, 0, 0, 0))
    with sdpa_kernel(SDPBackend.MATH):  # the only one that is known to vmap
        found = rows(values, responses.prompts, responses.tokens, responses.mask, weights.detach())
    return torch.cat([found[name].flatten(1) for name in values], 1)


class _Reader(nn.Module):
    """`_read` as a module, so that it can be called with other weights."""

    def __init__(self, policy: GPT) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, prompts: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        return _read(self.policy, Responses(prompts, tokens, mask)).logp


def _read(policy: GPT, responses: Responses) -> Scores:
    before = responses.tokens[:, :-1]  # [batch, time - 1]
    read = torch.cat((with_start(policy, responses.prompts), before), 1)  # [batch, 1 + prompt length + time - 1]
    output = policy(read)
    skipped = responses.prompts.shape[1]
    logits = output.logits[:, skipped:]  # [batch, time, vocabulary]
    logp = logits.log_softmax(-1).gather(-1, responses.tokens.unsqueeze(-1)).squeeze(-1)  # [batch, time]
    values = output.values[:, skipped:]  # [batch, time]
    outside = ~responses.mask
    return Scores(logp.masked_fill(outside, 0.0), logits, values.masked_fill(outside, 0.0))


def check_world(policy: GPT, mdp: TokenMDP) -> None:
    """Raises BadInput where a token MDP has another vocabulary than the policy, or does not fit into its context."""
    if mdp.size != policy.config.vocabulary:
        raise BadInput(
            f"mdp: {mdp.name} has a vocabulary of {mdp.size}; expected that of the policy, {policy.config.vocabulary}"
        )
    check_fits(policy, mdp.prompt_length, mdp.horizon)


def check_fits(policy: GPT, prompt_length: int, horizon: int) -> None:
    """Raises BadInput where a prompt with its response does not fit into the policy's context.

    The start token, the prompt and all tokens of the response but the last are read.
    """
    if prompt_length + horizon > policy.config.context:
        raise BadInput(
            f"prompts: {prompt_length} tokens, with {horizon} of the response, make a policy read "
            f"{prompt_length + horizon}; expected at most its context, {policy.config.context}"
        )


def _check_tokens(policy: GPT, responses: Responses) -> None:
    """The number of the start token is one too many: it is read as a token by the embedding, without a word."""
    for name, tokens in (("prompts", responses.prompts), ("tokens", responses.tokens)):
        wrong = (tokens < 0) | (tokens >= policy.config.vocabulary)
        if wrong.any():
            row, place = wrong.nonzero()[0].tolist()
            raise BadInput(
                f"{name}[{row}, {place}] is {tokens[row, place].item()}; "
                f"expected a token, 0 to {policy.config.vocabulary - 1}"
            )


def with_start(policy: GPT, prompts: Tensor) -> Tensor:
    """The prompts behind the start token [batch, 1 + prompt length]."""
    start = prompts.new_full((prompts.shape[0], 1), policy.start)
    return torch.cat((start, prompts), 1)


def _drawn_prompts(mdp: TokenMDP, episodes: int, generator: torch.Generator) -> Tensor:
    device = generator.device
    prompts = torch.tensor(mdp.prompts, dtype=torch.long, device=device).reshape(len(mdp.prompts), mdp.prompt_length)
    if len(mdp.prompts) == 1:
        return prompts.expand(episodes, -1)
    weights = torch.tensor(mdp.prompt_law, dtype=torch.float64, device=device)
    uniforms = torch.rand(episodes, generator=generator, device=device)
    return prompts[inverse_cdf(weights.log().expand(episodes, -1), uniforms)]


@runtime_checkable
class ScoresMany(Protocol):
    """A reward function that is quicker with many responses at once."""

    def scores(self, responses: Responses) -> Tensor:
        """The score of each response [batch]."""


def final_scores(mdp: TokenMDP, responses: Responses) -> Tensor:
    """The reward function's score of each response [batch], float32, on the device of the tokens."""
    reward: object = mdp.reward
    if isinstance(reward, ScoresMany):
        return reward.scores(responses)
    lengths = responses.mask.sum(-1).tolist()
    rows = zip(responses.prompts.tolist(), responses.tokens.tolist(), lengths, strict=True)
    scores = [mdp.reward(tuple(prompt), tuple(tokens[:length])) for prompt, tokens, length in rows]
    return torch.tensor(scores, dtype=torch.float32, device=responses.tokens.device)
