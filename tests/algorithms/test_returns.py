"""Returns and GAE: sums written out, the identities at λ = 0 and λ = 1, ends of episodes, padding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from derivations.algorithms.returns import discounted_returns, gae

GAMMA = 0.9
GENERATOR = torch.Generator().manual_seed(0)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR)


REWARDS, VALUES, NEXT_VALUES = random(3, 4, 6).unbind(0)
NEVER = torch.zeros(4, 6, dtype=torch.bool)


def at(step: int) -> Tensor:
    ends = NEVER.clone()
    ends[:, step] = True
    return ends


def test_returns_are_the_sum_of_what_is_to_come() -> None:
    expected = torch.stack(
        [sum(GAMMA ** (k - t) * REWARDS[:, k] for k in range(t, 6)) for t in range(6)],  # type: ignore[misc]
        1,
    )
    assert torch.allclose(discounted_returns(REWARDS, GAMMA), expected, atol=1e-12)


def test_the_exponent_counts_from_the_step_itself() -> None:
    """Source B's V.V prints γ^k, which makes the same reward worth less the later it is looked at (AD.12)."""
    printed = torch.stack(
        [sum(GAMMA**k * REWARDS[:, k] for k in range(t, 6)) for t in range(6)],  # type: ignore[misc]
        1,
    )
    assert not torch.allclose(discounted_returns(REWARDS, GAMMA), printed, atol=1e-3)


def test_gae_is_the_discounted_sum_of_temporal_differences() -> None:
    lam = 0.7
    errors = REWARDS + GAMMA * NEXT_VALUES - VALUES
    expected = torch.stack(
        [sum((GAMMA * lam) ** (k - t) * errors[:, k] for k in range(t, 6)) for t in range(6)],  # type: ignore[misc]
        1,
    )
    assert torch.allclose(gae(REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, lam), expected, atol=1e-12)


def test_at_lambda_zero_it_is_the_temporal_difference() -> None:
    expected = REWARDS + GAMMA * NEXT_VALUES - VALUES
    assert torch.allclose(gae(REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, 0.0), expected, atol=1e-12)


def test_at_lambda_one_it_is_the_return_less_the_value() -> None:
    following = torch.cat((VALUES[:, 1:], random(4, 1)), 1)
    expected = discounted_returns(REWARDS, GAMMA) - VALUES
    assert torch.allclose(gae(REWARDS, VALUES, following, at(5), NEVER, GAMMA, 1.0), expected, atol=1e-12)
    not_ended = gae(REWARDS, VALUES, following, NEVER, NEVER, GAMMA, 1.0)
    assert not torch.allclose(not_ended, expected, atol=1e-3)


def test_an_end_for_good_is_worth_nothing_and_a_cut_is_worth_the_next_value() -> None:
    """Reward 1 for ever, V right everywhere: cut after one step the advantage is 0; as an end it is −γ/(1 − γ). AD.20."""
    one, true = torch.ones(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.bool)
    value = one / (1 - GAMMA)
    assert gae(one, value, value, ~true, true, GAMMA, 0.5).item() == pytest.approx(0, abs=1e-12)
    assert gae(one, value, value, true, ~true, GAMMA, 0.5).item() == pytest.approx(-GAMMA / (1 - GAMMA))


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_what_follows_an_end_is_another_episode(ends: str) -> None:
    """Two episodes in one row are the two in rows of their own."""
    terminated, truncated = (at(2), NEVER) if ends == "terminated" else (NEVER, at(2))
    together = gae(REWARDS, VALUES, NEXT_VALUES, terminated, truncated, GAMMA, 0.8)
    parts = [
        gae(*(part[:, piece] for part in (REWARDS, VALUES, NEXT_VALUES, terminated, truncated)), GAMMA, 0.8)
        for piece in (slice(0, 3), slice(3, 6))
    ]
    assert torch.allclose(together, torch.cat(parts, 1), atol=1e-12)
    assert not torch.allclose(together, gae(REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, 0.8), atol=1e-3)


def test_padding_counts_nothing_whatever_it_holds() -> None:
    mask = torch.arange(6) < torch.tensor([[6], [4], [1], [3]])
    spoilt = [part.masked_fill(~mask, float("nan")) for part in (REWARDS, VALUES, NEXT_VALUES)]
    advantages = gae(*spoilt, NEVER, NEVER, GAMMA, 0.8, mask)
    returns = discounted_returns(spoilt[0], GAMMA, mask)
    for row, length in enumerate((6, 4, 1, 3)):
        alone = [part[row : row + 1, :length] for part in (REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER)]
        assert torch.allclose(advantages[row, :length], gae(*alone, GAMMA, 0.8)[0], atol=1e-12)
        assert torch.allclose(returns[row, :length], discounted_returns(alone[0], GAMMA)[0], atol=1e-12)
    assert not advantages[~mask].any()
    assert not returns[~mask].any()
