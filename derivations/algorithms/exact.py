"""The exact world: every number of a token MDP, by one pass over its tree of prefixes.

A prefix is a prompt with the tokens so far; one from which the response can still go on is open. A policy is asked once
for each open prefix, its cache handed on from the parent, so that the cost grows with the number of prefixes, not of
responses. What stands on a level of the tree is a tensor [open prefixes, vocabulary] (per action) or [open prefixes].

With h an open prefix and a the next token, as in OP.14,
    Q(h,a) = r(h·a) if the response ends there, else V(h·a)
    V(h)   = Σ_a π(a∣h) (Q(h,a) − β log(π(a∣h)/π_ref(a∣h)))
    A(h,a) = Q(h,a) − β log(π(a∣h)/π_ref(a∣h)) − V(h)
    J(π)   = Σ_x P(x) V(x) = E_π[r] − β D(π‖π_ref)
β = 0 gives the plain ones. Claims OP.1, OP.8, OP.11, OP.14. Source A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, as_responses, check_world
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

LIMIT = 200_000  # open prefixes; their tables and the gradient's graph then take about a gigabyte

Levels = tuple[Tensor, ...]
"""One tensor a level of the tree: [open prefixes, vocabulary] for what depends on the action, else [open prefixes]."""


class TooManyPrefixes(BadInput):
    """The tree of prefixes is too large to be enumerated."""


@dataclass(frozen=True)
class Level:
    """The open prefixes of one length.

    `prefixes` are their prompts and tokens, `last` [prefixes] the token read last, `parent` [prefixes] the place of the
    prefix without it one level up; `ends` [prefixes, vocabulary] says which actions end the response, `scores`
    [prefixes, vocabulary] the reward there, 0 elsewhere. The children that do not end are, in the order of prefix and
    token, the next level.
    """

    prefixes: tuple[tuple[Tokens, Tokens], ...]
    last: Tensor
    parent: Tensor
    ends: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Tree:
    """All open prefixes of a token MDP, level by level; the first level are the prompts, with probabilities `prompts`."""

    mdp: TokenMDP
    prompts: Tensor
    levels: tuple[Level, ...]

    @property
    def prefixes(self) -> int:
        """The number of open prefixes: how often a policy is asked."""
        return sum(len(level.prefixes) for level in self.levels)

    @property
    def responses(self) -> list[tuple[Tokens, Tokens]]:
        """Every (prompt, response), in the order of `response_logp`."""
        return [
            (prompt, (*tokens, action))
            for level in self.levels
            for (prompt, tokens), ends in zip(level.prefixes, level.ends.tolist(), strict=True)
            for action, over in enumerate(ends)
            if over
        ]


def prefix_tree(mdp: TokenMDP, limit: int = LIMIT, device: torch.device | str = "cpu") -> Tree:
    """Enumerates the open prefixes. Raises TooManyPrefixes, before it begins, where they are more than `limit`."""
    count = mdp.prefixes()
    if count > limit:
        raise TooManyPrefixes(
            f"horizon: {mdp.horizon} tokens over a vocabulary of {mdp.size} from {len(mdp.prompts)} prompt(s) make {count} "
            f"prefixes; the limit is {limit}. Choose a shorter horizon or raise the limit"
        )
    levels: list[Level] = []
    prefixes: tuple[tuple[Tokens, Tokens], ...] = tuple((prompt, ()) for prompt in mdp.prompts)
    parent, last = [0] * len(prefixes), [0] * len(prefixes)
    while prefixes:
        ends, scores, following, parents, lasts = [], [], [], [], []
        for place, ((prompt, tokens), action) in enumerate(product(prefixes, range(mdp.size))):
            longer = (*tokens, action)
            over = mdp.is_over(longer)
            ends.append(over)
            scores.append(float(mdp.reward(prompt, longer)) if over else 0.0)
            if not over:
                following.append((prompt, longer))
                parents.append(place // mdp.size)
                lasts.append(action)
        shape = (len(prefixes), mdp.size)
        levels.append(
            Level(
                prefixes,
                torch.tensor(last, device=device),
                torch.tensor(parent, device=device),
                torch.tensor(ends, device=device).view(shape),
                torch.tensor(scores, dtype=torch.float64, device=device).view(shape),
            )
        )
        prefixes, parent, last = tuple(following), parents, lasts
    return Tree(mdp, torch.tensor(mdp.prompt_law, dtype=torch.float64, device=device), tuple(levels))


# --- a policy on the tree -------------------------------------------------------------------------------------------


def tree_logp(policy: GPT, tree: Tree) -> Levels:
    """log π(a∣h) at each open prefix h and action a (nats), differentiable in the weights; each prefix is run once.

    Raises BadInput where the policy has another vocabulary than the tree, or the longest response does not fit into its
    context.
    """
    check_world(policy, tree.mdp)
    first = tree.levels[0]
    start = first.last.new_full((len(first.prefixes), 1), policy.start)
    prompts = first.last.new_tensor([prompt for prompt, _ in first.prefixes]).view(len(first.prefixes), -1)
    logits, _, cache = policy(torch.cat((start, prompts.long()), 1))
    found = [logits[:, -1].log_softmax(-1)]  # [prompts, vocabulary]
    for level in tree.levels[1:]:
        logits, _, cache = policy(level.last.unsqueeze(-1), cache.rows(level.parent))
        found.append(logits[:, -1].log_softmax(-1))  # [prefixes, vocabulary]
    return tuple(found)


def reach(tree: Tree, logp: Levels) -> Levels:
    """The probability [prefixes] with which each open prefix is reached, the prompt's own included."""
    found = [tree.prompts.to(logp[0].dtype)]
    for level, actions in zip(tree.levels[:-1], logp[:-1], strict=True):
        found.append((found[-1].unsqueeze(-1) * actions.exp())[~level.ends])
    return tuple(found)


def response_logp(tree: Tree, logp: Levels) -> Tensor:
    """log P(x) + log π(y∣x) of every response [responses], in the order of `tree.responses`. Claim TR.2."""
    so_far = tree.prompts.to(logp[0].dtype).log()
    found = []
    for level, actions in zip(tree.levels, logp, strict=True):
        longer = so_far.unsqueeze(-1) + actions
        found.append(longer[level.ends])
        so_far = longer[~level.ends]
    return torch.cat(found)


def expected_score(tree: Tree, logp: Levels, score: Callable[[Tokens, Tokens], float]) -> Tensor:
    """The expectation of any score of prompt and response, such as the true reward of a world with a proxy; a scalar.

    E[f] = Σ_{x,y} P(x) π(y∣x) f(x,y), differentiable in `logp`.
    """
    chances = response_logp(tree, logp).exp()
    return (chances * chances.new_tensor([score(*pair) for pair in tree.responses])).sum()


# --- values, objective, gradient ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Values:
    """Q(h,a), V(h) and A(h,a) at every open prefix, and the objective J, as defined above."""

    q: Levels
    v: Levels
    advantages: Levels
    objective: Tensor


def evaluate(tree: Tree, logp: Levels, logp_ref: Levels, beta: float) -> Values:
    """Q, V, A and J of the policy log π, by the backward recursion; differentiable in `logp`."""
    costs = [beta * (own - ref) for own, ref in zip(logp, logp_ref, strict=True)]
    q, v = _backward(tree, lambda t, following: (logp[t].exp() * (following - costs[t])).sum(-1), logp[0].dtype)
    advantages = tuple(action - cost - state.unsqueeze(-1) for action, cost, state in zip(q, costs, v, strict=True))
    return Values(q, v, advantages, (tree.prompts.to(v[0].dtype) * v[0]).sum())


@dataclass(frozen=True)
class Optimum:
    """The optimal policy π*(a∣h) = π_ref(a∣h) exp((Q*(h,a) − V*(h))/β), its values, log z(x), and J(π*).

    `logp`, `q` have [prefixes, vocabulary] a level, `v` [prefixes]; `log_z` [prompts], log z(x) = V*(x)/β.
    """

    logp: Levels
    q: Levels
    v: Levels
    log_z: Tensor
    objective: Tensor


def optimum(tree: Tree, logp_ref: Levels, beta: float) -> Optimum:
    """π*, Q*, V*, z and J(π*) by the soft Bellman recursion V*(h) = β log Σ_a π_ref(a∣h) exp(Q*(h,a)/β). Claim OP.14.

    Raises BadInput unless `beta` is positive: without a penalty the best policy need not be unique.
    """
    if not beta > 0:
        raise BadInput(f"beta is {beta}; expected a positive number")
    q, v = _backward(
        tree, lambda t, following: beta * (logp_ref[t] + following / beta).logsumexp(-1), logp_ref[0].dtype
    )
    logp = tuple(ref + (action - state.unsqueeze(-1)) / beta for ref, action, state in zip(logp_ref, q, v, strict=True))
    return Optimum(logp, q, v, v[0] / beta, (tree.prompts.to(v[0].dtype) * v[0]).sum())


def best_score(tree: Tree) -> float:
    """max_π E_π[r] = Σ_x P(x) max_y r(x, y): what a policy reaches at best without a penalty, β = 0."""
    _, v = _backward(tree, lambda _, following: following.max(-1).values, torch.float64)
    return (tree.prompts * v[0]).sum().item()


def _backward(tree: Tree, value: Callable[[int, Tensor], Tensor], dtype: torch.dtype) -> tuple[Levels, Levels]:
    """Q and V of every level, from the last to the first: Q is the score where the response ends, else the next V.

    `value` makes V [prefixes] of a level's number and its Q [prefixes, vocabulary].
    """
    last = len(tree.levels) - 1
    q = [tree.levels[last].scores.to(dtype)]
    v = [value(last, q[0])]
    for t in reversed(range(last)):
        level = tree.levels[t]
        q.append(level.scores.to(dtype).masked_scatter(~level.ends, v[-1]))
        v.append(value(t, q[-1]))
    return tuple(reversed(q)), tuple(reversed(v))


def token_kl(logp: Levels, logp_other: Levels) -> Levels:
    """The divergence of the next token at each open prefix [prefixes], in nats.

    D(π(·∣h)‖π'(·∣h)) = Σ_a π(a∣h) log(π(a∣h)/π'(a∣h))
    """
    return tuple((own.exp() * (own - other)).sum(-1) for own, other in zip(logp, logp_other, strict=True))


def kl_by_place(tree: Tree, logp: Levels, logp_other: Levels) -> Tensor:
    """The expected divergence of the token at each place of the response [horizon], in nats.

    D_t = Σ_h P_π(h) D(π(·∣h)‖π'(·∣h)) over the open prefixes h with t tokens: a response that is over adds nothing.
    """
    each = zip(reach(tree, logp), token_kl(logp, logp_other), strict=True)
    return torch.stack([(reached * divergence).sum() for reached, divergence in each])


def kl(tree: Tree, logp: Levels, logp_other: Levels) -> Tensor:
    """D(π‖π') of whole responses, in nats: the sum of the expected divergences of the tokens (chain rule, KL.3)."""
    return kl_by_place(tree, logp, logp_other).sum()


def regret(tree: Tree, logp: Levels, best: Optimum, beta: float) -> Tensor:
    """J(π*) − J(π) = β D(π‖π*) ≥ 0, in units of reward. Claim OP.11."""
    return beta * kl(tree, logp, best.logp)


def gradient(policy: GPT, tree: Tree, logp_ref: Levels, beta: float) -> tuple[Tensor, ...]:
    """∇J in the policy's weights, through the backward recursion; zeros for weights that J does not depend on."""
    weights = list(policy.parameters())
    objective = evaluate(tree, tree_logp(policy, tree), logp_ref, beta).objective
    return torch.autograd.grad(objective, weights, materialize_grads=True)


# --- estimators of the gradient -------------------------------------------------------------------------------------

Estimator = Callable[[Responses], Tensor]
"""The estimate that each response alone gives, a row each: [responses, weights]."""

TOLERANCE = 1e-4  # of a sum of probabilities, which may come from a policy in float32
MOST_WEIGHTS = 4096  # of a whole covariance matrix, which then takes 128 MiB


@dataclass(frozen=True)
class Moments:
    """The exact mean E[ĝ] [weights] of an estimate from one response, and its covariance.

    `covariance` is [weights, weights], or [weights] where only the diagonal was asked for. The mean of N independent
    responses has the same mean and 1/N of the covariance.
    """

    mean: Tensor
    covariance: Tensor

    @property
    def variance(self) -> Tensor:
        """E‖ĝ − E[ĝ]‖², the trace of the covariance."""
        return self.covariance.sum() if self.covariance.dim() == 1 else self.covariance.trace()


def all_responses(tree: Tree) -> Responses:
    """Every response of the tree as one batch, in the order of `response_logp`, on the device of the tree."""
    batch = as_responses(tree.responses)
    device = tree.prompts.device
    return Responses(batch.prompts.to(device), batch.tokens.to(device), batch.mask.to(device))


def estimator_moments(
    tree: Tree, logp: Levels, estimator: Estimator, diagonal: bool = False, chunk: int = 1024
) -> Moments:
    """The exact mean and covariance of any estimate made of a single response drawn from π.

    E[ĝ] = Σ_{x,y} P(x) π(y∣x) ĝ(x,y),  Cov[ĝ] = Σ_{x,y} P(x) π(y∣x) (ĝ(x,y) − E[ĝ])(ĝ(x,y) − E[ĝ])ᵀ

    Parameters: `tree`; `logp` log π of the policy that draws the responses, whatever ĝ is an estimate for; `estimator`,
    asked for at most `chunk` responses at once; `diagonal`: the variance of each weight alone. All sums are in float64,
    chunk by chunk about the mean so far. An estimate may be of anything: a projection of the gradient, or a value as a
    row of one number. Raises BadInput where `chunk` is not positive, the probabilities do not sum to one, the rows are not
    those of the responses, or a whole covariance has more than MOST_WEIGHTS weights.
    Claims PG.5, PG.6, AD.3, AD.5, AD.9. Source B, IV.V and V.
    """
    if chunk < 1:
        raise BadInput(f"chunk is {chunk}; expected at least 1")
    responses, chances = all_responses(tree), response_logp(tree, logp).detach().double().exp()
    found: Moments | None = None
    seen = 0.0
    for index in torch.arange(len(responses), device=chances.device).split(chunk):
        rows, weights = estimator(responses.rows(index)).detach().double(), chances[index]
        _check_rows(rows, len(index), diagonal)
        part, share = _moments(rows, weights, diagonal), weights.sum().item()
        found, seen = (part, share) if found is None else (_joined(found, seen, part, share), seen + share)
    if found is None or abs(seen - 1) > TOLERANCE:
        raise BadInput(f"logp: the probabilities of the responses sum to {seen:g}; expected 1")
    return found


def _check_rows(rows: Tensor, count: int, diagonal: bool) -> None:
    if rows.dim() != 2 or len(rows) != count:
        raise BadInput(f"estimator gives {list(rows.shape)} for {count} responses; expected [{count}, weights]")
    if not diagonal and rows.shape[1] > MOST_WEIGHTS:
        raise BadInput(
            f"estimator gives {rows.shape[1]} weights; expected at most {MOST_WEIGHTS} for a whole covariance: "
            "ask for the diagonal, or project the estimate"
        )


def _moments(rows: Tensor, weights: Tensor, diagonal: bool) -> Moments:
    """Of the rows alone, each with its share of the weights."""
    shares = weights / weights.sum()
    mean = shares @ rows
    apart = rows - mean
    return Moments(mean, shares @ apart**2 if diagonal else (apart * shares.unsqueeze(-1)).T @ apart)


def _joined(one: Moments, mass: float, other: Moments, other_mass: float) -> Moments:
    """Of two parts with these probabilities together: within them, and between their means."""
    share = other_mass / (mass + other_mass)
    step = other.mean - one.mean
    between = step**2 if one.covariance.dim() == 1 else torch.outer(step, step)
    within = (1 - share) * one.covariance + share * other.covariance
    return Moments(one.mean + share * step, within + share * (1 - share) * between)
