"""What are the bias and the variance of this estimator, here? Answered by enumeration, to the last digit.

`estimators` are REINFORCE, reward-to-go, baselines, GAE, discounting and importance weights as weights of the score,
`batches` baselines that are estimated from a batch, and whitening,
`kl_table` the KL penalty in the reward and in the loss, `worlds` what they are enumerated in, `importance` how the ratio
grows with the horizon, and `pictures`, the only one to need matplotlib, how all that looks.

    world = TabularWorld(CHAIN, policy, horizon=3)
    found = world.moments(discounted(gae(critic, CHAIN.discount, lam), CHAIN.discount))
    found.bias, found.variance
"""

from derivations.laboratory.batches import BatchWeights, batch_mean, each_alone, leave_one_out, whitened
from derivations.laboratory.estimators import (
    Baseline,
    Estimator,
    Weights,
    clipped,
    constant,
    discounted,
    expected_score_estimate,
    gae,
    importance_weighted,
    importance_weights,
    mean_over_steps,
    of_action,
    of_state,
    of_table,
    per_decision,
    ratios,
    reinforce,
    reward_to_go,
    score_estimate,
    with_baseline,
)
from derivations.laboratory.importance import WeightMoments, weight_moments
from derivations.laboratory.kl_table import (
    CELLS,
    ESTIMATORS,
    exact_kl_weights,
    kl_in_rewards,
    kl_table,
    kl_weights,
    log_ratios,
)
from derivations.laboratory.worlds import (
    Moments,
    TabularWorld,
    TokenWorld,
    World,
    best_constant_baseline,
    expectation,
    table_of,
)

__all__ = [
    "CELLS",
    "ESTIMATORS",
    "Baseline",
    "BatchWeights",
    "Estimator",
    "Moments",
    "TabularWorld",
    "TokenWorld",
    "WeightMoments",
    "Weights",
    "World",
    "batch_mean",
    "best_constant_baseline",
    "clipped",
    "constant",
    "discounted",
    "each_alone",
    "exact_kl_weights",
    "expectation",
    "expected_score_estimate",
    "gae",
    "importance_weighted",
    "importance_weights",
    "kl_in_rewards",
    "kl_table",
    "kl_weights",
    "leave_one_out",
    "log_ratios",
    "mean_over_steps",
    "of_action",
    "of_state",
    "of_table",
    "per_decision",
    "ratios",
    "reinforce",
    "reward_to_go",
    "score_estimate",
    "table_of",
    "weight_moments",
    "whitened",
    "with_baseline",
]
