"""Returns and advantages of batches of episodes, tensors [batch, time]; the general recursion stands once."""

from __future__ import annotations

import torch
from torch import Tensor


def discounted_returns(rewards: Tensor, gamma: float, mask: Tensor | None = None) -> Tensor:
    """The reward-to-go of each step.

    R̂_t = r_t + γ R̂_{t+1} = Σ_{k≥t} γ^{k−t} r_k

    Parameters: `rewards` [batch, time]; `gamma` the discount in [0, 1]; `mask` [batch, time], True where a step was
    taken (default: everywhere); what lies outside counts nothing and gets 0. Returns [batch, time].
    Claims TR.3, AD.11. Source B, III.II and V.I; its V.V prints γ^k for γ^{k−t}, which is another quantity (AD.12).
    """
    return _backward(_inside(rewards, mask), torch.full_like(rewards, gamma))


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """Generalised advantage estimates.

    δ_t = r_t + γ (1 − terminated_t) V(s_{t+1}) − V(s_t),  Â_t = δ_t + γλ Â_{t+1}, begun anew at every end of an episode

    Parameters: `rewards`, `values` V(s_t), `next_values` V(s_{t+1}), all [batch, time], the last of the state that was
    reached, also where the episode was cut off there; `terminated` and `truncated` [batch, time], True at the step that
    ends an episode for good or cuts it off; `gamma`, `lam` in [0, 1]; `mask` as in `discounted_returns`.
    Returns the advantages [batch, time]. Claims AD.16, AD.17, AD.20. Source B, section V.
    """
    following = next_values.masked_fill(terminated, 0.0)
    errors = rewards + gamma * following - values
    carried = torch.full_like(rewards, gamma * lam).masked_fill(terminated | truncated, 0.0)
    return _backward(_inside(errors, mask), carried)


def _inside(terms: Tensor, mask: Tensor | None) -> Tensor:
    return terms if mask is None else terms.masked_fill(~mask, 0.0)


def _backward(terms: Tensor, carried: Tensor) -> Tensor:
    """x_t = terms_t + carried_t x_{t+1}, from the last step to the first."""
    sums = torch.zeros_like(terms)
    total = torch.zeros_like(terms[:, 0])
    for t in reversed(range(terms.shape[1])):
        total = terms[:, t] + carried[:, t] * total
        sums[:, t] = total
    return sums
