"""Estimators of the KL divergence between two policies from the tokens that one of them drew."""

from __future__ import annotations

from torch import Tensor


def k1(logp: Tensor, logp_ref: Tensor) -> Tensor:
    """The sampled log-ratio, whose mean over actions of π is D(π‖π_ref).

    k1_t = log π(a_t∣s_t) − log π_ref(a_t∣s_t)

    Parameters: `logp`, `logp_ref` [batch, time], in nats, of actions drawn from π itself. Returns [batch, time]; single
    values may be negative. Claims KL.1, KL.4. Source B, IX.I (there d̂_t).
    """
    return logp - logp_ref
