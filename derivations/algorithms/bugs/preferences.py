"""Mistakes in the losses of preferences."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from derivations.algorithms.bugs.entry import Bug, Example, Function, accepts, loss_of, numbers
from derivations.algorithms.losses import Loss


def token_means(
    logp_chosen: Tensor,
    logp_rejected: Tensor,
    logp_ref_chosen: Tensor,
    logp_ref_rejected: Tensor,
    beta: float,
    lengths_chosen: Tensor,
    lengths_rejected: Tensor,
) -> Loss:
    """The log-probabilities of the tokens are averaged, not summed."""
    chosen = (logp_chosen - logp_ref_chosen.detach()) / lengths_chosen
    rejected = (logp_rejected - logp_ref_rejected.detach()) / lengths_rejected
    return F.softplus(-beta * (chosen - rejected)).mean(), {}


def beta_twice(
    logp_chosen: Tensor, logp_rejected: Tensor, logp_ref_chosen: Tensor, logp_ref_rejected: Tensor, beta: float
) -> Loss:
    """The margin of the implicit rewards, which have β already, is multiplied by β again."""
    chosen = beta * (logp_chosen - logp_ref_chosen.detach())
    rejected = beta * (logp_rejected - logp_ref_rejected.detach())
    return F.softplus(-beta * (chosen - rejected)).mean(), {}


# --- the examples ---------------------------------------------------------------------------------------------------


def _margin(loss: Tensor) -> Tensor:
    """exp(margin) of a loss −log σ(margin)."""
    return 1 / loss.expm1()


def _two_lengths(function: Function) -> Tensor:
    """exp of the margin: log-ratios ln 8 over three tokens and ln 2 over one, β = 1."""
    lengths = {"lengths_chosen": numbers(3.0), "lengths_rejected": numbers(1.0)}
    extra = lengths if accepts(function, "lengths_chosen") else {}
    zero = numbers(0.0)
    loss = loss_of(function(zero, zero, numbers(1 / 8).log(), numbers(1 / 2).log(), 1.0, **extra))
    return _margin(loss)


def _half_a_nat(function: Function) -> Tensor:
    """exp of the margin: log-ratios ln 16 and 0, β = ½."""
    zero = numbers(0.0)
    loss = loss_of(function(zero, zero, numbers(1 / 16).log(), zero, 0.5))
    return _margin(loss)


BUGS = (
    Bug(
        "token_means",
        "DPO with token means, or β applied twice",
        "dpo",
        token_means,
        "Averages the log-probabilities of the tokens: length decides in the place of probability.",
        Example("π/π_ref = 8 over three tokens against 2 over one, β = 1: exp of the margin", "4", "1", _two_lengths),
        ("DPO.2", "DPO.3"),
    ),
    Bug(
        "beta_twice",
        "DPO with token means, or β applied twice",
        "dpo",
        beta_twice,
        "Multiplies by β² where β is right; at π = π_ref both give ln 2.",
        Example("π/π_ref = 16 against 1, β = ½: exp of the margin", "4", "2", _half_a_nat),
        ("DPO.3",),
    ),
)
