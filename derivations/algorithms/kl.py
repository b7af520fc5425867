"""The KL divergence of two policies, exactly from their logits, and its estimators from the tokens that one of them drew.

Which estimator may stand where is KL.7. For the estimators of whole sequences, or a single step:

| | in the reward, not differentiated | in the loss, differentiated |
|---|---|---|
| k1 | ∇D(π‖π_ref) | 0 |
| k2 | another vector | ∇D(π‖π_ref) |
| k3 | another vector | ∇D(π_ref‖π) |

`mask` [batch, time] is True where a token was drawn (default: everywhere); outside it every result is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from derivations.algorithms.batches import everywhere, inside, log_laws


def k1(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """The sampled log-ratio, whose mean over actions of π is D(π‖π_ref).

    k1_t = log π(a_t∣s_t) − log π_ref(a_t∣s_t)

    Parameters: `logp`, `logp_ref` [batch, time], in nats, of actions drawn from π itself; `mask`. Returns [batch, time];
    single values may be negative. Raises BadInput where shapes differ or a number is not finite.
    Claims KL.1, KL.4, KL.7. Source B, IX.I (there d̂_t).
    """
    own, reference = inside(everywhere(logp) if mask is None else mask, logp=logp, logp_ref=logp_ref)
    return own - reference


def k2(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """Half the square of the log-ratio: never negative, biased as a value, and in the loss the one with the right gradient.

    k2_t = ½ (log π(a_t∣s_t) − log π_ref(a_t∣s_t))²

    Parameters, result and errors as in `k1`. Claims KL.2, KL.7. J. Schulman, "Approximating KL divergence" (2020).
    """
    return k1(logp, logp_ref, mask) ** 2 / 2


def k3(logp: Tensor, logp_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """The log-ratio with a control variate: never negative, and its mean over actions of π is D(π‖π_ref).

    k3_t = ρ_t − 1 − log ρ_t,  ρ_t = π_ref(a_t∣s_t)/π(a_t∣s_t)

    Parameters, result and errors as in `k1`; unbiased where π > 0 wherever π_ref > 0. Its gradient is that of
    D(π_ref‖π). Claims KL.2, KL.7. J. Schulman, "Approximating KL divergence" (2020).
    """
    # ρ − 1 by expm1: near ρ = 1 the difference of exp and 1 has lost most of its digits.
    log_rho = -k1(logp, logp_ref, mask)
    return torch.expm1(log_rho) - log_rho


def exact_kl(logits: Tensor, logits_ref: Tensor, mask: Tensor | None = None) -> Tensor:
    """The divergence of the next token, over the whole vocabulary.

    D(π(·∣s_t)‖π_ref(·∣s_t)) = Σ_a π(a∣s_t) log(π(a∣s_t)/π_ref(a∣s_t))

    Parameters: `logits`, `logits_ref` [batch, time, vocabulary], −inf for an impossible token; `mask` [batch, time].
    Returns [batch, time], in nats, inf where π_ref excludes what π does not. The divergence to the other side,
    D(π_old‖π) of TRPO, is `exact_kl(logits_old, logits)`. Raises BadInput where shapes differ, or for NaN and inf.
    Claims KL.1, KL.3, KL.16. Source B, IX.I.
    """
    own, reference = log_laws(mask, logits=logits, logits_ref=logits_ref)
    # 0 log 0 = 0, also in the gradient.
    ratio = (own - reference).masked_fill(own == -float("inf"), 0.0)
    return (own.exp() * ratio).sum(-1)
