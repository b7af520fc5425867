"""KL: exact sums over the actions, the table of estimators and placements, numbers near one, impossible tokens."""

from __future__ import annotations

from math import expm1, inf, log, nan

import pytest
import torch
from torch import Tensor

from derivations.algorithms.kl import exact_kl, k1, k2, k3
from toy_envs.errors import BadInput

THETA = torch.tensor([0.3, -1.2, 0.8, 0.1], dtype=torch.float64)
REFERENCE = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64)
ESTIMATORS = {"k1": k1, "k2": k2, "k3": k3}


def laws(theta: Tensor) -> tuple[Tensor, Tensor]:
    """log π and log π_ref of every action, as one sequence of four steps in which each action is taken once."""
    return theta.log_softmax(-1).unsqueeze(0), REFERENCE.log().unsqueeze(0)


def slope(value: Tensor, at: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, at)
    return found


def truth(theta: Tensor) -> Tensor:
    p = theta.softmax(-1)
    return (p * (p / REFERENCE).log()).sum()


def test_k1_and_k3_have_the_divergence_as_their_mean_and_k2_has_not() -> None:
    """KL.1, KL.2: over all actions of π."""
    logp, logp_ref = laws(THETA)
    means = {name: (logp.exp() * k(logp, logp_ref)).sum().item() for name, k in ESTIMATORS.items()}
    assert means["k1"] == pytest.approx(truth(THETA).item(), abs=1e-12)
    assert means["k3"] == pytest.approx(truth(THETA).item(), abs=1e-12)
    assert abs(means["k2"] - truth(THETA).item()) > 0.01


def test_from_another_policy_the_mean_is_another() -> None:
    logp, logp_ref = laws(THETA)
    for k in (k1, k3):
        assert abs((REFERENCE * k(logp, logp_ref)).sum() - truth(THETA)) > 0.01


def test_k2_and_k3_are_never_negative_and_k1_is_where_the_reference_is_likelier() -> None:
    logp, logp_ref = laws(THETA)
    assert (k2(logp, logp_ref) >= 0).all() and (k3(logp, logp_ref) >= 0).all()
    assert torch.equal(k1(logp, logp_ref) < 0, logp < logp_ref)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_table_of_estimators_and_placements(name: str) -> None:
    """KL.7: the expected gradient of each, in the reward and in the loss, by exact sums over the actions."""
    theta = THETA.clone().requires_grad_()
    logp, logp_ref = laws(theta)
    estimate = ESTIMATORS[name](logp, logp_ref)
    chances = logp.detach().exp()
    in_reward = slope((chances * estimate.detach() * logp).sum(), theta)
    theta = THETA.clone().requires_grad_()
    logp, logp_ref = laws(theta)
    in_loss = slope((chances * ESTIMATORS[name](logp, logp_ref)).sum(), theta)
    theta = THETA.clone().requires_grad_()
    right = slope(truth(theta), theta)
    other_way = slope(exact_kl(REFERENCE.log(), theta), theta)
    expected = {"k1": (right, torch.zeros(4)), "k2": (None, right), "k3": (None, other_way)}[name]
    for found, wanted in zip((in_reward, in_loss), expected, strict=True):
        if wanted is None:
            assert (found - right).abs().max() > 0.01
        else:
            assert torch.allclose(found, wanted.double(), atol=1e-12)


def test_the_two_placements_with_the_wrong_sign() -> None:
    """KL.7: π_ref = (½, ½), π = (¼, ¾): −.144 and −.214 times the truth (3/16) log 3."""
    theta = torch.tensor([0.0, log(3)], dtype=torch.float64, requires_grad=True)
    logp, logp_ref = theta.log_softmax(-1).unsqueeze(0), torch.full((1, 2), 0.5, dtype=torch.float64).log()
    for k, share in ((k2, -0.144), (k3, -0.214)):
        weights = (logp.exp() * k(logp, logp_ref)).detach()
        (found,) = torch.autograd.grad((weights * logp).sum(), theta, retain_graph=True)
        assert found[1].item() / (3 / 16 * log(3)) == pytest.approx(share, abs=5e-4)


def test_k3_keeps_its_digits_near_one() -> None:
    """exp(d) − 1 − d is all rounding for d = 10⁻⁴ in float32, expm1(d) − d is right to a thousandth."""
    step = 1e-4
    logp = torch.full((1, 1), -2.0)
    logp_ref = logp + step
    d = (logp_ref - logp).double().item()
    assert k3(logp, logp_ref).item() == pytest.approx(expm1(d) - d, rel=2e-3)
    naive = (logp_ref - logp).exp() - 1 - (logp_ref - logp)
    assert abs(naive.item() / (expm1(d) - d) - 1) > 0.1


def test_the_exact_divergence_by_hand() -> None:
    logits, reference = torch.tensor([[[0.0, log(3)]]]), torch.zeros(1, 1, 2)
    assert exact_kl(logits, reference).shape == (1, 1)
    assert exact_kl(logits, reference).item() == pytest.approx(0.25 * log(0.5) + 0.75 * log(1.5), rel=1e-6)
    assert exact_kl(reference, logits).item() == pytest.approx(0.5 * log(2) + 0.5 * log(2 / 3), rel=1e-6)
    assert exact_kl(logits + 5, reference - 3).item() == pytest.approx(exact_kl(logits, reference).item(), rel=1e-5)


def test_tokens_that_are_impossible() -> None:
    logits = torch.tensor([0.3, -inf, 1.0], dtype=torch.float64, requires_grad=True)
    full, also = torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, -inf, 0.0], dtype=torch.float64)
    kept = logits.detach()[[0, 2]]
    assert exact_kl(logits, also).item() == pytest.approx(exact_kl(kept, also[[0, 2]]).item())
    found = slope(exact_kl(logits, full), logits)
    assert found[1] == 0 and found.isfinite().all() and found.any()
    assert exact_kl(full, logits.detach()).item() == inf
    with pytest.raises(BadInput, match=r"logits is -inf; expected a token that is possible"):
        exact_kl(torch.full((3,), -inf), full.float())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_padding_counts_nothing_whatever_it_holds(name: str) -> None:
    mask = torch.tensor([[True, True, False, True]])
    logp, logp_ref = laws(THETA)
    for spoil in (nan, inf, 1e30):
        spoilt = logp.masked_fill(~mask, spoil).requires_grad_()
        estimate = ESTIMATORS[name](spoilt, logp_ref, mask)
        assert torch.equal(estimate, ESTIMATORS[name](logp, logp_ref).masked_fill(~mask, 0.0))
        assert slope(estimate.sum(), spoilt)[0, 2] == 0


def test_padding_of_logits_counts_nothing() -> None:
    mask = torch.tensor([[True, False]])
    logits = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0))
    spoilt = logits.masked_fill(~mask.unsqueeze(-1), nan).requires_grad_()
    found = exact_kl(spoilt, torch.zeros(1, 2, 3), mask)
    assert found[0, 1] == 0 and found[0, 0] == exact_kl(logits, torch.zeros(1, 2, 3))[0, 0]
    assert slope(found.sum(), spoilt)[0, 1].tolist() == [0, 0, 0]


def test_half_precision_is_read_as_float32() -> None:
    logp = torch.tensor([[-1.0, -2.5]], dtype=torch.float16)
    found = k3(logp, logp - 12)  # exp(12) is no float16
    assert found.dtype == torch.float32 and found.isfinite().all()
    assert exact_kl(logp, logp.flip(-1)).dtype == torch.float32


@pytest.mark.parametrize(
    ("logp", "logp_ref", "message"),
    [
        (torch.zeros(2, 1), torch.zeros(2), r"logp_ref is \[2\], mask is \[2, 1\]"),
        (torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, 2), "logp is torch.int64; expected floating-point"),
        (torch.tensor([[0.0, nan]]), torch.zeros(1, 2), r"logp\[0, 1\] is nan; expected a finite number"),
        (torch.zeros(1, 2), torch.tensor([[-inf, 0.0]]), r"logp_ref\[0, 0\] is -inf; expected a finite number"),
    ],
    ids=["shape", "integers", "nan", "inf"],
)
def test_what_does_not_fit_is_refused(logp: Tensor, logp_ref: Tensor, message: str) -> None:
    for k in ESTIMATORS.values():
        with pytest.raises(BadInput, match=message):
            k(logp, logp_ref)


def test_logits_that_do_not_fit_are_refused() -> None:
    for wrong, message in (
        (torch.zeros(1, 2, 4), r"logits_ref is \[1, 2, 4\]; expected the shape"),
        (torch.full((1, 2, 3), nan), r"logits_ref\[0, 0, 0\] is nan; expected a number or -inf"),
        (torch.full((1, 2, 3), inf), r"logits_ref\[0, 0, 0\] is inf; expected a number or -inf"),
    ):
        with pytest.raises(BadInput, match=message):
            exact_kl(torch.zeros(1, 2, 3), wrong)
