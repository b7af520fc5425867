"""diagnose: names every bug of the zoo from the function alone, passes what is right however it is written, and says
right of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from derivations.algorithms.bugs import BUGS, RIGHT, Bug, kinds
from derivations.algorithms.bugs.sampling import by_place
from derivations.algorithms.rollout import Responses, sample, score
from derivations.diagnose import SUBJECTS, Diagnosis, diagnose
from derivations.diagnose.observing import Outcome
from toy_envs.errors import BadInput

FORMS = [(bug, like, form) for bug in BUGS for like, form in ((bug.like, bug.function), *bug.others)]


def found_of(diagnosis: Diagnosis) -> Outcome:
    assert isinstance(diagnosis.found, Outcome)
    return diagnosis.found


def expected_of(diagnosis: Diagnosis) -> Outcome:
    assert isinstance(diagnosis.expected, Outcome)
    return diagnosis.expected


# --- the zoo, and the right functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bug", "like", "form"), FORMS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_bug_is_named_from_the_function_alone(bug: Bug, like: str, form: Callable[..., Any]) -> None:
    found = diagnose(form, like=like)
    assert (found.right, found.bug) == (False, bug.name)
    assert bug.name in found.message


def test_that_is_all_thirty_of_them() -> None:
    assert len(kinds()) == 30


@pytest.mark.parametrize("like", RIGHT)
def test_the_right_functions_are_right(like: str) -> None:
    found = diagnose(RIGHT[like], like=like)
    assert found.right, str(found)
    assert found.bug is None
    assert found.batch is None


@pytest.mark.parametrize("like", SUBJECTS)
def test_a_thousandth_more_in_value_or_in_gradient_is_not_right(like: str) -> None:
    right, subject = RIGHT[like], SUBJECTS[like]

    def tensor(result: Any) -> Tensor:
        value = result[0] if isinstance(result, tuple) else getattr(result, "logp", result)
        assert isinstance(value, Tensor)
        return value

    def more(*given: Any) -> Tensor:
        value = tensor(right(*given))
        return value + 0.001 * value.detach()

    def steeper(*given: Any) -> Tensor:
        value = tensor(right(*given))
        return value + 0.001 * (value - value.detach())

    for wrong in [more, *([steeper] if subject.leaves else [])]:
        found = diagnose(wrong, like=like)
        assert not found.right
        assert found.bug is None
        assert found.batch is not None


# --- right, and written in another way ------------------------------------------------------------------------------------


def trl_like(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, cliprange: float = 0.5
) -> Tensor:
    ratio = torch.exp(logprobs - old_logprobs)
    losses = torch.max(-advantages * ratio, -advantages * torch.clamp(ratio, 1 - cliprange, 1 + cliprange))
    return (losses * mask).sum() / (mask.sum() + 1e-8)


def objective(new_logprobs: Tensor, old_logp: Tensor, adv: Tensor, mask: Tensor, eps: float) -> dict[str, Tensor]:
    ratio, adv = torch.exp(new_logprobs - old_logp), adv.detach()
    taken = torch.where(adv > 0, torch.clamp(ratio, max=1 + eps), torch.clamp(ratio, min=1 - eps)) * adv
    return {"loss": ((taken * mask).sum(1) / mask.sum(1)).mean()}


def each_token(logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    ratio = (logp - logp_old).exp()
    return -torch.min(ratio * advantages.detach(), ratio.clamp(0.7, 1.3) * advantages.detach())


def anonymous(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: float) -> Tensor:
    return trl_like(b, c, a, d, e)


def one_flag(rewards: Tensor, values: Tensor, dones: Tensor, last_values: Tensor, gamma: float, gae_lambda: float):  # type: ignore[no-untyped-def]
    """Time first, ends as numbers, written into a table, as in much code."""
    advantages, last = torch.zeros_like(rewards), torch.zeros_like(last_values)
    for t in reversed(range(len(rewards))):
        following = last_values if t == len(rewards) - 1 else values[t + 1]
        going_on = 1.0 - dones[t]
        delta = rewards[t] + gamma * following * going_on - values[t]
        last = delta + gamma * gae_lambda * going_on * last
        advantages[t] = last
    return advantages, advantages + values


def from_the_last_value(
    rewards: Tensor, values: Tensor, next_value: Tensor, done: Tensor, gamma: float, lam: float
) -> Tensor:
    """`next_value` is that of the state after the last step alone."""
    following = torch.cat((values[:, 1:], next_value.unsqueeze(1)), 1)
    return RIGHT["gae"](rewards, values, following, done, torch.zeros_like(done), gamma, lam)  # type: ignore[no-any-return]


def as_deviations(advantages: Tensor, mask: Tensor) -> Tensor:
    taken = advantages[mask]
    return (advantages - taken.mean()) / (taken.std() + 1e-8)


def half_the_error(values: Tensor, returns: Tensor) -> Tensor:
    return 0.5 * F.mse_loss(values, returns.detach())


def of_pairs(
    policy_chosen_logps: Tensor,
    policy_rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    beta: float,
) -> tuple[Tensor, Tensor]:
    margin = policy_chosen_logps - policy_rejected_logps - (reference_chosen_logps - reference_rejected_logps)
    return -F.logsigmoid(beta * margin), margin


class Surrogate(torch.nn.Module):
    """A loss as a module, with its clip range inside."""

    def forward(self, log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
        return -RIGHT["ppo_clip"](log_prob, old_log_prob, advantage, mask, 0.1)[0]  # type: ignore[no-any-return]


def in_single_precision(rewards: Tensor, gamma: float) -> Any:
    """The result in NumPy, and in float32."""
    found = np.zeros(rewards.shape, dtype=np.float32)
    for t in reversed(range(rewards.shape[1])):
        found[:, t] = rewards[:, t].numpy() + (gamma * found[:, t + 1] if t + 1 < rewards.shape[1] else 0)
    return found


@pytest.mark.parametrize(
    ("function", "like", "said", "told"),
    [
        (Surrogate(), "ppo_clip", {}, "sign is maximised; aggregation is sequence_sum; epsilon is 0.1"),
        (in_single_precision, "discounted_returns", {}, "in value"),
        (trl_like, "ppo_clip", {"detached_by": "caller"}, "aggregation is token_mean"),
        (objective, "ppo_clip", {}, "sign is maximised; aggregation is sequence_mean"),
        (each_token, "ppo_clip", {}, "aggregation is each; epsilon is 0.3"),
        (anonymous, "ppo_clip", {"detached_by": "caller"}, "arguments are advantages, logp, logp_old, mask, epsilon"),
        (one_flag, "gae", {}, "tensors are [time, batch]; masks and ends are numbers"),
        (from_the_last_value, "gae", {}, "arguments are rewards, values, last_values, terminated, gamma, lam"),
        (as_deviations, "whiten", {}, "correction is 1"),
        (half_the_error, "value", {}, "scale is 0.5; clip is None. It takes no mask"),
        (of_pairs, "dpo", {}, "A gradient passes to logp_ref_chosen, logp_ref_rejected"),
        (lambda logp, logp_ref: (logp - logp_ref).detach(), "k1", {}, "No gradient leaves it"),
        (lambda logp, logp_ref: (logp - logp_ref).pow(2).mean() / 2, "k2", {}, "aggregation is token_mean"),
        (
            lambda logits, labels: -F.cross_entropy(logits.mT, labels, reduction="none"),
            "token_logp",
            {},
            "and gradient",
        ),
        (lambda policy, responses: score(policy, responses).logp, "score", {}, "value and gradient"),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_what_is_right_in_another_way_is_right_and_the_guesses_are_told(
    function: Callable[..., Any], like: str, said: dict[str, Any], told: str
) -> None:
    found = diagnose(function, like=like, **said)
    assert found.right, str(found)
    assert told in found.message


def test_what_was_said_is_not_guessed() -> None:
    told = diagnose(objective, like="ppo_clip", sign="maximised", aggregation="sequence_mean")
    assert told.right
    assert "Guessed" not in told.message
    assert told.conventions["sign"] == "maximised"
    assert told.conventions["arguments"]["new_logprobs"] == "logp"


def test_arguments_may_be_named_or_ordered() -> None:
    def shuffled(x: float, y: Tensor, z: Tensor) -> Tensor:
        return RIGHT["discounted_returns"](y, x, z)  # type: ignore[no-any-return]

    assert diagnose(shuffled, like="discounted_returns", arguments=["gamma", "rewards", "mask"]).right
    by_name = {"x": "gamma", "y": "rewards", "z": "mask"}
    found = diagnose(shuffled, like="discounted_returns", arguments=by_name)
    assert found.right
    assert found.conventions["arguments"] == by_name


# --- wrong, and written in another way --------------------------------------------------------------------------------------


def test_a_bug_is_named_under_other_conventions_too() -> None:
    def maximised(old_logprobs: Tensor, logprobs: Tensor, advantages: Tensor, mask: Tensor, cliprange: float) -> Tensor:
        ratio = torch.exp(logprobs - old_logprobs)
        larger = torch.max(advantages * ratio, advantages * torch.clamp(ratio, 1 - cliprange, 1 + cliprange))
        return (larger * mask).sum() / mask.sum()

    found = diagnose(maximised, like="ppo_clip")
    assert found.bug == "max_for_min"
    assert "sign is maximised; aggregation is token_mean" in found.message


def test_a_bug_is_named_where_rounding_and_overflow_hide_it() -> None:
    """exp(d) − 1 − d with d turned round; β twice inside a σ that underflows: the worse of the two is told."""

    def turned(logp: Tensor, logp_ref: Tensor) -> Tensor:
        return (logp - logp_ref).exp() - 1 - (logp - logp_ref)

    def twice(
        logp_chosen: Tensor, logp_rejected: Tensor, ref_chosen_logp: Tensor, ref_rejected_logp: Tensor, beta: float
    ):  # type: ignore[no-untyped-def]
        margin = logp_chosen - ref_chosen_logp - (logp_rejected - ref_rejected_logp)
        return -torch.log(torch.sigmoid(beta * beta * margin)).mean()

    assert diagnose(turned, like="k3").bug == "k3_inverted"
    assert diagnose(twice, like="dpo").bug == "beta_twice"


def test_the_smallest_batch_is_shown_with_both_values() -> None:
    """One token at half its old probability and Â = 2: there r Â = 1 counts, and the larger term is 8/5."""
    (bug,) = (bug for bug in BUGS if bug.name == "max_for_min")
    found = diagnose(bug.function, like="ppo_clip")
    assert found.batch is not None
    assert found.batch["advantages"].tolist() == [[2.0]]
    assert found_of(found).value.item() == pytest.approx(-8 / 5)
    assert expected_of(found).value.item() == pytest.approx(-1)
    assert found_of(found).gradients["logp"].item() == 0
    assert expected_of(found).gradients["logp"].item() == pytest.approx(-1)
    shown = str(found)
    for line in ("advantages = [[2]]", "found: -1.6", "expected: -1", "gradient in logp: [[-1]]"):
        assert line in shown


def test_a_batch_is_made_smaller_as_long_as_it_differs() -> None:
    """Wrong in the third column only: one row is left, and no fourth column."""

    def third(rewards: Tensor, gamma: float, mask: Tensor) -> Tensor:
        wrong = rewards.clone()
        wrong[:, 2:3] += 1
        return RIGHT["discounted_returns"](wrong, gamma, mask)  # type: ignore[no-any-return]

    found = diagnose(third, like="discounted_returns")
    assert found.batch is not None
    assert found.batch["rewards"].shape == (1, 3)


def test_advantages_that_are_not_detached_are_right_where_the_caller_detaches_them() -> None:
    found = diagnose(trl_like, like="ppo_clip")
    assert found.bug == "advantages_not_detached"
    assert "say detached_by='caller'" in found.message
    assert found_of(found).leaks["advantages"].any()


def test_an_entropy_to_be_maximised_is_right_where_that_is_said() -> None:
    def bonus(logits: Tensor, mask: Tensor) -> Tensor:
        each = torch.distributions.Categorical(logits=logits).entropy()
        return (each * mask).sum() / mask.sum()

    found = diagnose(bonus, like="entropy")
    assert found.bug == "entropy_of_the_wrong_sign"
    assert "It would be right with sign='maximised', aggregation='token_mean'" in found.message
    assert diagnose(bonus, like="entropy", sign="maximised").right


def test_a_convention_that_was_said_is_held_to() -> None:
    found = diagnose(objective, like="ppo_clip", aggregation="sequence_sum")
    assert not found.right
    assert "It would be right with sign='maximised', aggregation='sequence_mean'" in found.message


# --- what is neither ------------------------------------------------------------------------------------------------------


def nan_inside(logp: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    return (-(logp * returns) / mask.double()).nansum() * torch.tensor(float("nan"))


def overflows(
    logp_chosen: Tensor, logp_rejected: Tensor, logp_ref_chosen: Tensor, logp_ref_rejected: Tensor, beta: float
):  # type: ignore[no-untyped-def]
    margin = logp_chosen - logp_rejected - (logp_ref_chosen - logp_ref_rejected)
    return -torch.log(torch.sigmoid(beta * margin)).mean()


def raises(returns: Tensor) -> Tensor:
    raise RuntimeError("no group of two")


def raises_where_it_is_padded(logp: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    if not mask.all():
        raise IndexError("padding")
    return RIGHT["reinforce"](logp, returns, mask)[0]  # type: ignore[no-any-return]


def number(logp: Tensor, returns: Tensor, mask: Tensor) -> float:
    return RIGHT["reinforce"](logp, returns, mask)[0].item()  # type: ignore[no-any-return]


def nothing(logp: Tensor, returns: Tensor, mask: Tensor) -> None:
    return None


def noisy(logp: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    return RIGHT["reinforce"](logp, returns, mask)[0] * (1 + torch.rand(()))  # type: ignore[no-any-return]


def transposed(advantages: Tensor, mask: Tensor) -> Tensor:
    return RIGHT["whiten"](advantages, mask).flatten()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("function", "like", "told"),
    [
        (nan_inside, "reinforce", "value or gradient is not a number"),
        (overflows, "dpo", "value or gradient is not a number"),
        (raises, "leave_one_out", "it raises RuntimeError: no group of two"),
        (raises_where_it_is_padded, "reinforce", "it raises IndexError: padding"),
        (number, "reinforce", "its value is right, and no gradient leaves it"),
        (nothing, "reinforce", "it returns NoneType; expected a tensor"),
        (noisy, "reinforce", "it says two things of one batch; something in it is random"),
        (transposed, "whiten", "it returns [2]; expected [2, 1]"),
    ],
)
def test_what_gives_no_comparable_result_is_told_plainly(function: Callable[..., Any], like: str, told: str) -> None:
    found = diagnose(function, like=like)
    assert not found.right
    assert found.bug is None
    assert told in found.message


@pytest.mark.parametrize(
    ("wrong", "like"),
    [
        (lambda logp, logp_old, adv, mask, epsilon: RIGHT["ppo_clip"](logp, logp_old, adv, mask, 0.2), "ppo_clip"),
        (lambda logp, logp_old, adv, mask, epsilon: RIGHT["cpi"](logp, logp_old, adv, mask), "ppo_clip"),
        (lambda rewards, gamma, mask: RIGHT["discounted_returns"](rewards, 0.9, mask), "discounted_returns"),
        (lambda logp, logp_ref: (logp - logp_ref) ** 2, "k2"),
        (lambda logp, logp_ref: logp_ref - logp, "k2"),
        (lambda chosen, rejected: -torch.sigmoid(chosen - rejected).mean(), "reward_model"),
        (lambda values, values_old, targets, mask: (values - targets.detach()).abs()[mask].mean(), "value"),
        (lambda logits, mask: -(logits.softmax(-1).max(-1).values * mask).sum() / mask.sum(), "entropy"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_function_that_fails_on_some_batch_is_never_right(wrong: Callable[..., Any], like: str) -> None:
    found = diagnose(wrong, like=like)
    assert not found.right
    assert found.bug is None


def test_a_function_that_writes_into_its_arguments_spoils_no_batch() -> None:
    """What it writes into is a copy: the right function is asked about the batch as it was."""

    def in_place(rewards: Tensor, gamma: float, mask: Tensor) -> Tensor:
        rewards[~mask] = 0.0
        for t in reversed(range(rewards.shape[1] - 1)):
            rewards[:, t] += gamma * rewards[:, t + 1]
        return rewards

    assert diagnose(in_place, like="discounted_returns").right
    assert not diagnose(lambda rewards, gamma, mask: rewards.zero_(), like="discounted_returns").right


def test_the_generators_are_left_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    diagnose(noisy, like="reinforce")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("function", "given", "told"),
    [
        (trl_like, {"like": "ppo"}, "like is 'ppo'; expected one of discounted_returns, "),
        (trl_like, {"like": "ppo_clip", "mean": 1}, "convention 'mean' is not known; expected one of arguments, sign"),
        (
            sample,
            {"like": "sample", "sign": "minimised"},
            "convention 'sign' is not known; expected none for a sampler",
        ),
        (trl_like, {"like": "ppo_clip", "sign": -1}, "sign is -1; expected one of 'minimised', 'maximised'"),
        (trl_like, {"like": "ppo_clip", "aggregation": "mean"}, "aggregation is 'mean'; expected one of token_mean"),
        (trl_like, {"like": "ppo_clip", "arguments": ["x"]}, "arguments has 'x'; expected one of logp, logp_old"),
        (lambda returns, a, b: returns, {"like": "leave_one_out"}, "parameter 'a' is not understood; give arguments="),
    ],
)
def test_what_is_not_understood_is_refused(function: Callable[..., Any], given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told.replace("[", r"\[")):
        diagnose(function, **given)


# --- samplers ---------------------------------------------------------------------------------------------------------------


def test_a_sampler_that_is_a_little_too_hot_is_named() -> None:
    def hot(policy: Any, mdp: Any, episodes: int, generator: torch.Generator) -> tuple[Responses, Tensor]:
        (logits,) = policy.parameters()
        responses, _ = sample(by_place(*(logits.detach() / 1.2).tolist()), mdp, episodes, generator)
        with torch.no_grad():
            return responses, score(policy, responses).logp

    found = diagnose(hot, like="sample")
    assert found.bug == "sample_at_a_temperature"
    assert "draws at a temperature of about 1.2" in found.message


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda responses, logp: (responses, 2 * logp), "log-probabilities differ from the policy's by up to"),
        (lambda responses, logp: (Responses(responses.prompts, 0 * responses.tokens, responses.mask), logp), "do not fit"),
        (lambda responses, logp: None, "it raises TypeError"),
    ],
    ids=["logp", "tokens", "nothing"],
)  # fmt: skip
def test_a_sampler_that_is_wrong_otherwise_is_not_right(spoil: Callable[..., Any], told: str) -> None:
    found = diagnose(lambda *given: spoil(*sample(*given)), like="sample")
    assert not found.right
    assert told in found.message


# --- torchrl, where it is installed -----------------------------------------------------------------------------------------


def of_torchrl(name: str) -> Callable[..., Any]:
    reason = "the extra `baselines` is not installed"
    functional = pytest.importorskip("torchrl.objectives.value.functional", reason=reason)
    found: Callable[..., Any] = getattr(functional, name)
    return found


TORCHRL = [
    ("generalized_advantage_estimate", "gae"),
    ("vec_generalized_advantage_estimate", "gae"),
    ("td_lambda_return_estimate", "lambda_returns"),
    ("vec_td_lambda_return_estimate", "lambda_returns"),
]


@pytest.mark.parametrize(("name", "like"), TORCHRL)
def test_the_advantages_and_returns_of_torchrl_are_right(name: str, like: str) -> None:
    """Just as they are: `lmbda`, `done` beside `terminated`, and the time as the last axis but one."""
    found = diagnose(of_torchrl(name), like=like)
    assert found.right, str(found)
    assert found.conventions["arguments"]["done"] == "dones" and found.conventions["time_major"]


@pytest.mark.parametrize(("name", "like"), TORCHRL)
def test_without_its_flag_for_terminations_torchrl_takes_a_truncation_for_one(name: str, like: str) -> None:
    """Its default for `terminated` is `done`."""
    function = of_torchrl(name)

    def forgetful(
        rewards: Tensor,
        values: Tensor,
        next_values: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        gamma: float,
        lam: float,
    ) -> Any:
        given = {"next_state_value": next_values, "reward": rewards, "done": terminated | truncated}
        return function(gamma, lam, **given, **({"state_value": values} if like == "gae" else {}))

    found = diagnose(forgetful, like=like)
    assert not found.right
    assert found.bug == ("truncation_as_termination" if like == "gae" else None)


def clipped_loss_of_torchrl(**settings: Any) -> Callable[..., Tensor]:
    """Its ClipPPOLoss on the numbers of a batch: each token as a step with two actions, of which the first was drawn."""
    objectives = pytest.importorskip("torchrl.objectives", reason="the extra `baselines` is not installed")
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.modules import ProbabilisticActor, ValueOperator

    def clipped(logp: Tensor, logp_old: Tensor, advantages: Tensor, epsilon: float) -> Tensor:
        logits = torch.stack((logp, torch.log1p(-logp.exp())), -1).flatten(0, -2)
        actor = ProbabilisticActor(
            TensorDictModule(torch.nn.Identity(), in_keys=["observation"], out_keys=["logits"]),
            in_keys=["logits"],
            distribution_class=torch.distributions.Categorical,
            return_log_prob=True,
        )
        critic = ValueOperator(torch.nn.Linear(2, 1).double(), in_keys=["observation"])
        loss = objectives.ClipPPOLoss(actor, critic, clip_epsilon=epsilon, entropy_bonus=False, **settings)
        loss.set_keys(sample_log_prob="logp_old")
        count = logits.shape[0]
        batch = TensorDict(
            {
                "observation": logits,
                "action": torch.zeros(count, dtype=torch.long),
                "logp_old": logp_old.detach().flatten(),
                "advantage": advantages.detach().reshape(count, 1),
                "value_target": torch.zeros(count, 1, dtype=torch.float64),
            },
            batch_size=[count],
        )
        found = loss(batch)["loss_objective"]
        assert isinstance(found, Tensor)
        return found.reshape(logp.shape) if settings.get("reduction") == "none" else found

    return clipped


@pytest.mark.parametrize(("reduction", "aggregation"), [("mean", "token_mean"), ("sum", "total"), ("none", "each")])
def test_the_clipped_loss_of_torchrl_is_right(reduction: str, aggregation: str) -> None:
    found = diagnose(clipped_loss_of_torchrl(reduction=reduction), like="ppo_clip")
    assert found.right, str(found)
    assert (found.conventions["sign"], found.conventions["aggregation"]) == ("minimised", aggregation)


def test_the_clipped_loss_of_torchrl_on_whitened_advantages_is_another_function() -> None:
    found = diagnose(clipped_loss_of_torchrl(normalize_advantage=True), like="ppo_clip")
    assert (found.right, found.bug) == (False, None)
    assert "its value differs" in found.message
