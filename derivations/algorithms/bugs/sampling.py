"""Mistakes between the policy that samples and the policy that is scored: temperature, dropout, a shift by one token."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from derivations.algorithms.assembly import token_logp
from derivations.algorithms.bugs.entry import Bug, Example, Function, numbers
from derivations.algorithms.gpt import GPT, Output
from derivations.algorithms.rollout import Responses, Scores, sample, score
from toy_envs.token_mdp import TokenMDP

TEMPERATURE = 1 / 2


def score_at_a_temperature(policy: GPT, responses: Responses) -> Scores:
    """The logits are divided by a temperature of ½ before they are scored."""
    found = score(policy, responses)
    return _scored(found, found.logits / TEMPERATURE, responses)


def score_at_two(policy: GPT, responses: Responses) -> Scores:
    """The logits are divided by a temperature of 2."""
    found = score(policy, responses)
    return _scored(found, found.logits / 2, responses)


def sample_at_a_temperature(
    policy: GPT, mdp: TokenMDP, episodes: int, generator: torch.Generator
) -> tuple[Responses, Tensor]:
    """Draws at a temperature of ½ and returns the log-probabilities at 1."""
    responses, _ = sample(_tempered(policy), mdp, episodes, generator)
    with torch.no_grad():
        return responses, score(policy, responses).logp


def score_with_dropout(policy: GPT, responses: Responses) -> Scores:
    """Half of the logits are set to 0 at random, the others doubled."""
    found = score(policy, responses)
    return _scored(found, F.dropout(found.logits, 0.5), responses)


def score_shifted(policy: GPT, responses: Responses) -> Scores:
    """Each token is scored by what the policy says after it; the last one by what it says at the start."""
    found = score(policy, responses)
    return _scored(found, found.logits.roll(-1, 1), responses)


def score_shifted_back(policy: GPT, responses: Responses) -> Scores:
    """Each token is scored by what the policy said one token earlier."""
    found = score(policy, responses)
    return _scored(found, found.logits.roll(1, 1), responses)


def logp_at_a_temperature(logits: Tensor, tokens: Tensor) -> Tensor:
    """The logits are divided by a temperature of ½."""
    return token_logp(logits / TEMPERATURE, tokens)


def logp_at_two(logits: Tensor, tokens: Tensor) -> Tensor:
    """The logits are divided by a temperature of 2."""
    return token_logp(logits / 2, tokens)


def logp_shifted(logits: Tensor, tokens: Tensor) -> Tensor:
    """Each token is read from the logits after it; the last one from those at the start."""
    return token_logp(logits.roll(-1, 1), tokens)


def logp_shifted_back(logits: Tensor, tokens: Tensor) -> Tensor:
    """Each token is read from the logits one token earlier."""
    return token_logp(logits.roll(1, 1), tokens)


def logp_with_dropout(logits: Tensor, tokens: Tensor) -> Tensor:
    """Half of the logits are set to 0 at random, the others doubled."""
    return token_logp(F.dropout(logits, 0.5), tokens)


def _scored(found: Scores, logits: Tensor, responses: Responses) -> Scores:
    logp = token_logp(logits, responses.tokens)  # [batch, time]
    return Scores(logp.masked_fill(~responses.mask, 0.0), logits, found.values)


class _Tempered(nn.Module):
    """A policy whose logits are divided by a temperature."""

    def __init__(self, policy: GPT) -> None:
        super().__init__()
        self.inner, self.config, self.start = policy, policy.config, policy.start

    def forward(self, *given: Any) -> Output:
        output = self.inner(*given)
        return Output(output.logits / TEMPERATURE, output.values, output.cache)


def _tempered(policy: GPT) -> GPT:
    return cast(GPT, _Tempered(policy))


# --- the examples ---------------------------------------------------------------------------------------------------


class ByPlace(nn.Module):
    """A policy with logits [time, vocabulary] that depend on the place alone."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)
        self.config = SimpleNamespace(vocabulary=logits.shape[1], context=logits.shape[0])
        self.start = logits.shape[1]

    def forward(self, tokens: Tensor, cache: int | None = None) -> Output:
        """The logits of the places read, as a tiny GPT would give them; the cache is how many were read before."""
        batch, time = tokens.shape
        first = cache or 0
        logits = self.logits[first : first + time].expand(batch, -1, -1)
        return Output(logits, logits.new_zeros(batch, time), cast(Any, first + time))


def by_place(*logits: list[float]) -> GPT:
    """A policy whose logits depend on the place alone."""
    return cast(GPT, ByPlace(numbers(*logits)))


LN3 = float(numbers(3.0).log()[0])


def _one(*tokens: int) -> Responses:
    read = torch.tensor([tokens])
    return Responses(read[:, :0], read, torch.ones_like(read, dtype=torch.bool))


def _score_gradient(function: Function) -> Tensor:
    """E_{a∼π₁}[∇log π(a)] in the second logit, a drawn at temperature 1 from logits (0, ln 3)."""
    policy = by_place([0.0, LN3])
    (weights,) = policy.parameters()
    total = torch.zeros((), dtype=torch.float64)
    for token, chance in enumerate((1 / 4, 3 / 4)):
        (found,) = torch.autograd.grad(function(policy, _one(token)).logp.sum(), weights)
        total = total + chance * found[0, 1]
    return total


def _sampled_gradient(function: Function) -> Tensor:
    """The mean of ∇log π₁(a) in the second logit, which is a − ¾, over 40,000 draws: their deviation is .002."""
    mdp = TokenMDP("coin", ("0", "1"), 1, lambda prompt, response: 0.0, beta=1.0)
    responses, _ = function(by_place([0.0, LN3]), mdp, 40_000, torch.Generator().manual_seed(0))
    share: Tensor = responses.tokens.double().mean()
    return share - 3 / 4


def _two_places(function: Function) -> Tensor:
    """The probabilities of the tokens (1, 0) under logits (0, ln 3), then (0, 0)."""
    found: Tensor = function(by_place([0.0, LN3], [0.0, 0.0]), _one(1, 0)).logp.exp()
    return found.squeeze(0)


def _first_ratios(function: Function) -> Tensor:
    """The ratios to the sampler's probability ¾ before the first step that occur in 200 scorings, least to greatest."""
    policy = by_place([0.0, LN3])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = [function(policy, _one(1)).logp.exp().item() / 0.75 for _ in range(200)]
    return numbers(*sorted({round(ratio, 9) for ratio in found}))


BUGS = (
    Bug(
        "sample_at_a_temperature",
        "sampling at one temperature, scoring at another",
        "sample",
        sample_at_a_temperature,
        "Draws at temperature ½ and returns log-probabilities at 1: the scores have no mean of 0.",
        Example("logits (0, ln 3): E[∇log π₁] in the second logit", "0", "3/20", _sampled_gradient, tolerance=0.01),
        ("IS.4", "KL.1"),
    ),
    Bug(
        "score_at_a_temperature",
        "sampling at one temperature, scoring at another",
        "score",
        score_at_a_temperature,
        "Scores at temperature ½ what was drawn at 1: the scores have no mean of 0.",
        Example("logits (0, ln 3): E[∇log π_½] in the second logit, a ∼ π₁", "0", "−3/10", _score_gradient),
        ("IS.4", "KL.1"),
        (("score", score_at_two), ("token_logp", logp_at_a_temperature), ("token_logp", logp_at_two)),
    ),
    Bug(
        "score_with_dropout",
        "dropout on while scoring",
        "score",
        score_with_dropout,
        "Leaves dropout on: two scorings differ, and the ratio is not 1 before the first step.",
        Example(
            "logits (0, ln 3), dropout ½ on them, the second token: the first ratios", "1", "⅔, 6/5", _first_ratios
        ),
        ("IS.4",),
        (("token_logp", logp_with_dropout),),
    ),
    Bug(
        "score_shifted",
        "log-probabilities shifted by one token",
        "score",
        score_shifted,
        "Scores each token by the logits that come after it.",
        Example("logits (0, ln 3), then (0, 0), tokens 1, 0: their probabilities", "¾, ½", "½, ¼", _two_places),
        ("TR.2",),
        (("score", score_shifted_back), ("token_logp", logp_shifted), ("token_logp", logp_shifted_back)),
    ),
)
