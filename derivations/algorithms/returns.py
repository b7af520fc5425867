"""Returns and advantages of batches of episodes, tensors [batch, time]; the general recursion stands once.

`mask` [batch, time] is True where a step was taken (default: everywhere). What lies outside counts nothing and gets 0,
and nothing is carried over it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.batches import check_range, everywhere, inside
from toy_envs.errors import BadInput


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
    reached, also where the episode was cut off there; `terminated` and `truncated` [batch, time], boolean, True at the
    step that ends an episode for good or cuts it off (for good where both are); `gamma`, `lam` in [0, 1]; `mask` as
    above. Returns the advantages [batch, time]. Raises BadInput where shapes differ, a number inside the mask is not
    finite (but for V behind an end, which is not read), or `gamma` or `lam` is out of range.
    Claims AD.16, AD.17, AD.18, AD.20. Source B, section V.
    """
    mask = everywhere(rewards) if mask is None else mask
    for name, ends in (("terminated", terminated), ("truncated", truncated)):
        if ends.dtype != torch.bool or ends.shape != rewards.shape:
            raise BadInput(
                f"{name} is {ends.dtype} {list(ends.shape)}; expected torch.bool {list(rewards.shape)}, "
                "the shape of the rewards"
            )
    check_range("gamma", gamma, 0, 1)
    check_range("lam", lam, 0, 1)
    # V behind an end may be anything: many vectorised worlds have begun the next episode there already.
    next_values = next_values.masked_fill(terminated, 0.0) if next_values.shape == rewards.shape else next_values
    rewards, values, following = inside(mask, rewards=rewards, values=values, next_values=next_values)
    errors = rewards + gamma * following - values
    carried = torch.full_like(errors, gamma * lam).masked_fill(terminated | truncated | ~mask, 0.0)
    return _backward(errors, carried)


def lambda_returns(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    mask: Tensor | None = None,
) -> Tensor:
    """The λ-returns: what a value function is regressed on.

    G_t = r_t + γ ((1 − λ) V(s_{t+1}) + λ G_{t+1}) = Â_t + V(s_t), with r_t + γ V(s_{t+1}) at a cut and r_t at an end

    Parameters, errors and claims as in `gae`; the two forms agree where `next_values` are the next entries of `values`
    inside each episode. λ = 0 is the one-step target, λ = 1 the return, bootstrapped where the episode was cut off.
    R. Sutton and A. Barto, "Reinforcement Learning" (2018), eq. 12.2.
    """
    mask = everywhere(rewards) if mask is None else mask
    advantages = gae(rewards, values, next_values, terminated, truncated, gamma, lam, mask)
    (values,) = inside(mask, values=values)
    return advantages + values


def discounted_returns(rewards: Tensor, gamma: float, mask: Tensor | None = None) -> Tensor:
    """The reward-to-go of each step.

    R̂_t = r_t + γ R̂_{t+1} = Σ_{k≥t} γ^{k−t} r_k

    Parameters: `rewards` [batch, time], a row an episode; `gamma` the discount in [0, 1]; `mask` as above.
    Returns [batch, time]. Raises BadInput where shapes differ, a reward is not finite, or `gamma` is out of range.
    Claims TR.3, AD.11. Source B, III.II and V.I; its V.V prints γ^k for γ^{k−t}, which is another quantity (AD.12).
    """
    zeros, never = torch.zeros_like(rewards), torch.zeros_like(rewards, dtype=torch.bool)
    return gae(rewards, zeros, zeros, never, never, gamma, 1.0, mask)  # AD.17, at V = 0


def _backward(terms: Tensor, carried: Tensor) -> Tensor:
    """x_t = terms_t + carried_t x_{t+1}, from the last step to the first."""
    sums = [torch.zeros_like(terms[:, 0])] if terms.shape[1] else []
    for t in reversed(range(terms.shape[1])):
        sums.append(terms[:, t] + carried[:, t] * sums[-1])
    return torch.stack(sums[:0:-1], 1) if sums else terms
