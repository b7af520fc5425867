"""Returns and GAE: sums written out, the identities at λ = 0 and λ = 1, ends of episodes, padding."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
import torch
from torch import Tensor

from derivations.algorithms.returns import discounted_returns, gae, lambda_returns
from toy_envs.errors import BadInput

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


# --- λ-returns ------------------------------------------------------------------------------------------------------

FOLLOWING = torch.cat((VALUES[:, 1:], NEXT_VALUES[:, :1]), 1)


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_lambda_returns_are_their_recursion(lam: float) -> None:
    """G_t = r_t + γ((1 − λ)V_{t+1} + λG_{t+1}), from the value behind the last step."""
    following, expected = FOLLOWING[:, -1], torch.zeros_like(REWARDS)
    for t in reversed(range(6)):
        following = REWARDS[:, t] + GAMMA * ((1 - lam) * FOLLOWING[:, t] + lam * following)
        expected[:, t] = following
    found = lambda_returns(REWARDS, VALUES, FOLLOWING, NEVER, NEVER, GAMMA, lam)
    assert torch.allclose(found, expected, atol=1e-12)


def test_lambda_returns_are_a_mean_of_bootstrapped_returns() -> None:
    """AD.16 with its last weight: (1 − λ)λ^{n−1} for n < T, λ^{T−1} for the longest, from the first step."""
    lam, steps = 0.6, 6
    short = [
        sum(GAMMA**k * REWARDS[:, k] for k in range(n)) + GAMMA**n * FOLLOWING[:, n - 1] for n in range(1, steps + 1)
    ]
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, steps)] + [lam ** (steps - 1)]
    expected = sum(weight * part for weight, part in zip(weights, short, strict=True))
    found = lambda_returns(REWARDS, VALUES, FOLLOWING, NEVER, NEVER, GAMMA, lam)[:, 0]
    assert torch.allclose(found, expected, atol=1e-12)  # type: ignore[arg-type]


def test_at_an_end_the_target_is_the_reward_and_at_a_cut_the_value_counts() -> None:
    ended = lambda_returns(REWARDS, VALUES, FOLLOWING, at(2), NEVER, GAMMA, 0.6)
    cut = lambda_returns(REWARDS, VALUES, FOLLOWING, NEVER, at(2), GAMMA, 0.6)
    assert torch.allclose(ended[:, 2], REWARDS[:, 2], atol=1e-12)
    assert torch.allclose(cut[:, 2], REWARDS[:, 2] + GAMMA * FOLLOWING[:, 2], atol=1e-12)


# --- a clear error or a right answer --------------------------------------------------------------------------------


def test_an_end_for_good_counts_where_a_cut_falls_on_it() -> None:
    both = gae(REWARDS, VALUES, NEXT_VALUES, at(2), at(2), GAMMA, 0.8)
    assert torch.equal(both, gae(REWARDS, VALUES, NEXT_VALUES, at(2), NEVER, GAMMA, 0.8))


def test_what_is_behind_an_end_is_not_read() -> None:
    expected = gae(REWARDS, VALUES, NEXT_VALUES, at(2), NEVER, GAMMA, 0.8)
    for spoil in (nan, inf):
        spoilt = NEXT_VALUES.masked_fill(at(2), spoil)
        assert torch.equal(gae(REWARDS, VALUES, spoilt, at(2), NEVER, GAMMA, 0.8), expected)
        with pytest.raises(BadInput, match=r"next_values\[0, 2\] is (nan|inf); expected a finite number"):
            gae(REWARDS, VALUES, spoilt, NEVER, at(2), GAMMA, 0.8)


def test_padding_may_stand_in_front_and_between() -> None:
    """Nothing is carried over a gap: what lies before it is bootstrapped where it stops."""
    mask = torch.tensor([[False, True, True, False, True, True]]).expand(4, 6)
    found = gae(REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, 0.8, mask)
    assert not found[~mask].any()
    for piece in (slice(1, 3), slice(4, 6)):
        alone = gae(*(part[:, piece] for part in (REWARDS, VALUES, NEXT_VALUES, NEVER, NEVER)), GAMMA, 0.8)
        assert torch.allclose(found[:, piece], alone, atol=1e-12)


def test_the_order_of_the_batch_changes_nothing() -> None:
    order = torch.tensor([2, 0, 3, 1])
    ends = at(3) & torch.tensor([[True], [False], [True], [False]])
    together = gae(REWARDS, VALUES, NEXT_VALUES, ends, NEVER, GAMMA, 0.8)
    moved = gae(*(part[order] for part in (REWARDS, VALUES, NEXT_VALUES, ends, NEVER)), GAMMA, 0.8)
    assert torch.equal(together[order], moved)


def test_a_mask_of_nothing_gives_zeros_and_nothing_gives_nothing() -> None:
    assert not gae(REWARDS * nan, VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, 0.8, NEVER).any()
    assert not discounted_returns(REWARDS * nan, GAMMA, NEVER).any()
    assert discounted_returns(torch.zeros(2, 0), GAMMA).shape == (2, 0)
    assert discounted_returns(torch.zeros(0, 3), GAMMA).shape == (0, 3)


def test_half_precision_and_large_rewards() -> None:
    big = torch.full((1, 4), 60000.0).half()
    assert discounted_returns(big, 1.0).tolist() == [[4 * 60000, 3 * 60000, 2 * 60000, 60000]]
    large = 1e8 * REWARDS
    found = gae(large.float(), VALUES.float(), NEXT_VALUES.float(), NEVER, NEVER, GAMMA, 0.8)
    exact = gae(large.float().double(), VALUES, NEXT_VALUES, NEVER, NEVER, GAMMA, 0.8)
    assert torch.allclose(found.double(), exact, rtol=1e-5, atol=100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewards": REWARDS.where(~at(1), torch.tensor(nan))}, r"rewards\[0, 1\] is nan; expected a finite number"),
        ({"values": VALUES[:, :-1]}, r"values is \[4, 5\], mask is \[4, 6\]"),
        ({"next_values": NEXT_VALUES[:1]}, r"next_values is \[1, 6\], mask is \[4, 6\]"),
        ({"terminated": NEVER.long()}, r"terminated is torch.int64 \[4, 6\]; expected torch.bool \[4, 6\]"),
        ({"truncated": NEVER[:, :1]}, r"truncated is torch.bool \[4, 1\]; expected torch.bool \[4, 6\]"),
        ({"gamma": 1.1}, "gamma is 1.1; expected a number from 0 to 1"),
        ({"lam": nan}, "lam is nan; expected a number from 0 to 1"),
        ({"mask": NEVER[:2]}, r"rewards is \[4, 6\], mask is \[2, 6\]"),
        ({"mask": NEVER.float()}, "mask is torch.float32; expected torch.bool"),
        ({"rewards": REWARDS.long()}, "rewards is torch.int64; expected floating-point numbers"),
    ],
    ids=["nan", "values", "next_values", "terminated", "truncated", "gamma", "lam", "mask", "mask dtype", "integers"],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    given = {"rewards": REWARDS, "values": VALUES, "next_values": NEXT_VALUES, "terminated": NEVER, "truncated": NEVER}
    for estimate in (gae, lambda_returns):
        with pytest.raises(BadInput, match=message):
            estimate(**{**given, "gamma": GAMMA, "lam": 0.8, **changed})  # type: ignore[arg-type]
