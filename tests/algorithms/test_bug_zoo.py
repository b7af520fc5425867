"""The bug zoo: on each exact example the right function gives the right number and the bug the wrong one."""

from __future__ import annotations

from fractions import Fraction as Q
from inspect import signature
from math import log, sqrt

import pytest
import torch

from derivations.algorithms.bugs import BUGS, RIGHT, Bug, kinds
from derivations.algorithms.bugs.sampling import by_place
from derivations.algorithms.returns import gae
from derivations.algorithms.rollout import sample, score
from derivations.ledger import Ledger
from toy_envs.token_mdp import TokenMDP

KL = 3 / 4 * log(3) - log(2)  # D(π‖π_ref) at π = (¼, ¾), π_ref = (½, ½)
SIX = [1, Q(11, 5), Q(12, 5), Q(-8, 5), Q(-11, 5), -3]  # the clipped surrogate in its six regions, ε = 1/5

NUMBERS: dict[str, tuple[object, object]] = {
    "k1_as_loss": (3 / 16 * log(3), 0),
    "k3_in_reward": (1, -(4 / 3 - log(3)) / log(3)),
    "k2_in_reward": (1, -(log(2) ** 2 - log(3 / 2) ** 2) / (2 * log(3))),
    "score_after_the_end": (1, Q(1, 2)),
    "k1_inverted": (KL, -KL),
    "k3_inverted": (KL, 1 / 4 - KL),
    "k1_clamped": (KL, 3 / 4 * log(3 / 2)),
    "k1_absolute": (KL, 3 / 4 * log(3) - log(2) / 2),
    "k3_cancelling": (1, 0),
    "kl_averaged": (1, Q(1, 2)),
    "clip_of_the_product": (SIX, [1, Q(6, 5), Q(6, 5), -1, Q(-11, 5), -3]),
    "max_for_min": (SIX, [Q(8, 5), Q(11, 5), 3, -1, Q(-11, 5), Q(-12, 5)]),
    "clip_without_min": (SIX, [Q(8, 5), Q(11, 5), Q(12, 5), Q(-8, 5), Q(-11, 5), Q(-12, 5)]),
    "sign_of_the_advantage_ignored": (SIX, [1, Q(11, 5), Q(12, 5), -1, Q(-11, 5), Q(-12, 5)]),
    "ratio_against_the_reference": (1, Q(9, 5)),
    "log_probability_less_itself": ([-2, 2], [0, 2]),
    "always_the_token_mean": ([Q(-1, 8), Q(1, 4), Q(-1, 4)], [Q(-1, 8), Q(-1, 8), Q(-1, 8)]),
    "padding_in_the_mean": (1, Q(2, 3)),
    "advantages_not_detached": (0, 1),
    "both_terms_added": (1, 2),
    "halved_against_a_factor_two": (1, Q(1, 2)),
    "done_shifted": ([2, 1, 2, 1], [3, 2, 1, 1]),
    "truncation_as_termination": (0, -1),
    "last_exponent_off_by_two": ([1, Q(1, 2), Q(1, 4), Q(1, 8)], [1, Q(1, 2), Q(1, 4), Q(1, 32)]),
    "exponent_from_the_start": ([Q(3, 2), 1], [Q(3, 2), Q(1, 2)]),
    "discount_missing": ([Q(1, 4), Q(3, 8)], [Q(1, 4), Q(3, 4)]),
    "discount_twice": ([Q(1, 4), Q(3, 8)], [Q(1, 4), Q(3, 16)]),
    "own_sample_in_the_baseline": ([2, Q(-2, 3), Q(2, 3), -2], [Q(3, 2), Q(-1, 2), Q(1, 2), Q(-3, 2)]),
    "whitened_along_time": ([-1, 1], [0, 0]),
    "mean_added_back": ([-1, 1], [1, 3]),
    "padding_in_the_whitening": ([-1, 1], [0, 2 * sqrt(2 / 3)]),
    "clipped_without_max": (-18, 0),
    "targets_not_detached": (0, 6),
    "broadcast_to_a_square": (0, Q(1, 2)),
    "padding_in_the_value_loss": (1, Q(1, 2)),
    "entropy_of_the_wrong_sign": (1, -1),
    "padding_in_the_entropy": (1, Q(1, 2)),
    "entropy_besides_the_penalty": (0, 1),
    "token_means": (4, 1),
    "beta_twice": (4, 2),
    "sample_at_a_temperature": (0, Q(3, 20)),
    "score_at_a_temperature": (0, Q(-3, 10)),
    "score_with_dropout": ([1], [Q(2, 3), Q(6, 5)]),
    "score_shifted": ([Q(3, 4), Q(1, 2)], [Q(1, 2), Q(1, 4)]),
}
NAMED = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


def as_list(numbers: object) -> list[float]:
    return [float(number) for number in (numbers if isinstance(numbers, list) else [numbers])]


@NAMED
def test_the_right_function_passes_where_the_bug_is_caught(bug: Bug) -> None:
    right, wrong = (as_list(numbers) for numbers in NUMBERS[bug.name])
    assert right != wrong
    # A rate in ten digits, as 200 scorings are compared, is exact enough; elsewhere only rounding is allowed.
    tolerance = 1e-8 if bug.name == "score_with_dropout" else bug.example.tolerance
    assert bug.example.of(RIGHT[bug.like]).flatten().tolist() == pytest.approx(right, abs=tolerance)
    assert bug.example.of(bug.function).flatten().tolist() == pytest.approx(wrong, abs=tolerance)


def test_thirty_mistakes_are_in_the_zoo_each_form_once() -> None:
    assert len(kinds()) == 30
    assert [bug.name for bug in BUGS] == list(NUMBERS)
    assert sum(len(forms) for forms in kinds().values()) == len(BUGS)


@NAMED
def test_a_bug_takes_what_the_right_function_takes(bug: Bug) -> None:
    """In the same order; some need to know more, and what is always put together in one way is not asked how."""
    more = {"logp_ref", "lengths_chosen", "lengths_rejected", "entropy_coefficient"}
    for like, function in ((bug.like, bug.function), *bug.others):
        right, wrong = (list(signature(each).parameters) for each in (RIGHT[like], function))
        assert [name for name in wrong if name in right] == [name for name in right if name in wrong]
        assert set(wrong) <= set(right) | more
        assert set(right) - set(wrong) <= {"aggregation", "rows"}


@NAMED
def test_the_claims_that_a_bug_names_exist(bug: Bug) -> None:
    known = Ledger().assertions
    assert bug.claims
    assert [claim for claim in bug.claims if claim not in known] == []


@NAMED
def test_a_bug_is_told_in_full(bug: Bug) -> None:
    assert bug.does.endswith(".")
    assert bug.function.__doc__
    assert bug.example.right != bug.example.wrong


# --- what bugs.py leaves to be shown ----------------------------------------------------------------------------------


def test_a_late_score_is_harmless_only_where_lambda_is_one_or_the_value_there_is_the_score() -> None:
    """At γ = 1 the advantage of the last token is then the same, whatever its own value is."""
    never = torch.zeros(1, 2, dtype=torch.bool)

    def advantage(lam: float, behind: float) -> float:
        rewards, values = torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, behind]])
        return gae(rewards, values, torch.tensor([[behind, 0.0]]), never, never, 1.0, lam)[0, 0].item()

    assert advantage(1.0, 7.0) == advantage(0.5, 3.0) == 2
    assert advantage(0.5, 7.0) != 2


def test_a_model_whose_logits_are_constant_cannot_see_a_shift() -> None:
    policy = by_place([0.0, 1.0], [0.0, 1.0])
    mdp = TokenMDP("pair", ("0", "1"), 2, lambda prompt, response: 0.0, beta=1.0)
    responses, logp = sample(policy, mdp, 50, torch.Generator().manual_seed(0))
    (shifted,) = (bug.function for bug in BUGS if bug.name == "score_shifted")
    assert torch.equal(shifted(policy, responses).logp, score(policy, responses).logp)
    assert torch.equal(score(policy, responses).logp, logp)


def test_dpo_with_token_means_or_beta_twice_is_log_two_at_the_reference_policy_too() -> None:
    """So that value tells nothing."""
    policy = [torch.tensor([value], dtype=torch.float64) for value in (-3.0, -7.0, -3.0, -7.0)]
    lengths = [torch.tensor([value], dtype=torch.float64) for value in (2.0, 5.0)]
    for bug in BUGS:
        if bug.like == "dpo":
            more = lengths if "lengths_chosen" in signature(bug.function).parameters else []
            assert bug.function(*policy, 0.1, *more)[0].item() == pytest.approx(log(2))
