"""The bug zoo: mistakes known from practice, each a small variant of the right function, with an exact example.

`BUGS` has them all, several forms of one mistake (`kind`) among them; `RIGHT` has the right functions by their names.
What is wrong with a function of one's own, `derivations.diagnose` tells.
"""

from __future__ import annotations

from derivations.algorithms import assembly, kl, losses, returns, rollout
from derivations.algorithms.bugs import advantages, divergences, heads, preferences, sampling, surrogates
from derivations.algorithms.bugs.entry import Bug, Example, Function

RIGHT: dict[str, Function] = {
    "discounted_returns": returns.discounted_returns,
    "lambda_returns": returns.lambda_returns,
    "gae": returns.gae,
    "k1": kl.k1,
    "k2": kl.k2,
    "k3": kl.k3,
    "exact_kl": kl.exact_kl,
    "reward_model": losses.reward_model,
    "dpo": losses.dpo,
    "reinforce": losses.reinforce,
    "cpi": losses.cpi,
    "trpo_penalty": losses.trpo_penalty,
    "ppo_clip": losses.ppo_clip,
    "value": losses.value,
    "entropy": losses.entropy,
    "kl_penalty": losses.kl_penalty,
    "kl_loss": assembly.kl_loss,
    "penalised_rewards": assembly.penalised_rewards,
    "leave_one_out": assembly.leave_one_out,
    "whiten": assembly.whiten,
    "discounted_reinforce": assembly.discounted_reinforce,
    "regularised_objective": assembly.regularised_objective,
    "token_logp": assembly.token_logp,
    "score": rollout.score,
    "sample": rollout.sample,
}

BUGS: tuple[Bug, ...] = (
    *divergences.BUGS,
    *surrogates.BUGS,
    *advantages.BUGS,
    *heads.BUGS,
    *preferences.BUGS,
    *sampling.BUGS,
)


def kinds() -> dict[str, list[Bug]]:
    """The mistakes, each with its forms."""
    found: dict[str, list[Bug]] = {}
    for bug in BUGS:
        found.setdefault(bug.kind, []).append(bug)
    return found


__all__ = ["BUGS", "RIGHT", "Bug", "Example", "Function", "kinds"]
