"""Which argument of a user's function is which: by its name, else by its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import islice, permutations
from typing import Any

import torch
from torch import Tensor, nn

from derivations.diagnose.subjects import Subject
from toy_envs.errors import BadInput

_NAMES = {
    "logp": "log_prob log_probs logprob logprobs logps new_logp new_logprobs new_log_prob new_log_probs "
    "logp_new logprobs_new log_prob_new per_token_logps log_pi logpi logp_pi current_logprobs "
    "curr_logprobs",
    "logp_old": "old_logp old_log_prob old_log_probs old_logprob old_logprobs old_logps logprobs_old "
    "log_prob_old log_probs_old old_per_token_logps behavior_logprobs sample_log_prob b_logprobs "
    "log_pi_old logps_old mu_logp",
    "logp_ref": "ref_logp ref_logprob ref_logprobs ref_log_prob ref_log_probs ref_logps logprobs_ref "
    "log_prob_ref log_probs_ref ref_per_token_logps reference_logp reference_logprobs "
    "reference_logps log_pi_ref logps_ref",
    "advantages": "advantage adv advs a_hat mb_advantages b_advantages",
    "returns": "return_ ret rets reward_to_go rewards_to_go weights",
    "rewards": "reward rew rews token_rewards",
    "scores": "score reward_scores final_scores",
    "kl": "kls kl_div divergence",
    "values": "value value_preds vpred vpreds vpreds_new new_values newvalue vals state_value state_values v",
    "values_old": "old_values old_value old_vpred oldvalues b_values value_old",
    "next_values": "next_value next_state_value next_state_values next_vals v_next",
    "last_values": "last_value bootstrap_value bootstrap next_value_last",
    "targets": "target value_targets value_target vtarg returns ret",
    "terminated": "terminations termination terminal terminals is_terminal",
    "truncated": "truncations truncation timeouts time_outs",
    "dones": "done is_done episode_ends",
    "gamma": "discount discount_factor",
    "lam": "lambda_ lmbda gae_lambda lamda lambd",
    "epsilon": "eps clip_eps clip_epsilon cliprange clip_range clip_ratio clip_coef clip_param",
    "beta": "kl_coef kl_coefficient temperature",
    "clip": "cliprange_value clip_range_vf value_clip vf_clip clip_range clip_range_value clip_value eps epsilon",
    "mask": "masks response_mask completion_mask padding_mask action_mask attention_mask loss_mask",
    "logits": "logit action_logits policy_logits new_logits",
    "logits_ref": "ref_logits reference_logits logits_reference",
    "chosen": "chosen_rewards rewards_chosen r_w reward_chosen chosen_scores chosen_reward",
    "rejected": "rejected_rewards rewards_rejected r_l reward_rejected rejected_scores rejected_reward",
    "logp_chosen": "policy_chosen_logps chosen_logps chosen_logp policy_chosen_logp pi_chosen_logps logps_chosen",
    "logp_rejected": "policy_rejected_logps rejected_logps rejected_logp policy_rejected_logp pi_rejected_logps "
    "logps_rejected",
    "logp_ref_chosen": "reference_chosen_logps ref_chosen_logps ref_chosen_logp ref_logp_chosen logps_ref_chosen",
    "logp_ref_rejected": "reference_rejected_logps ref_rejected_logps ref_rejected_logp ref_logp_rejected "
    "logps_ref_rejected",
    "lengths_chosen": "chosen_lengths chosen_length",
    "lengths_rejected": "rejected_lengths rejected_length",
    "lengths": "length seq_lens sequence_lengths",
    "tokens": "token token_ids actions action labels input_ids completion_ids index indices",
    "policy": "model gpt",
    "responses": "response batch completions",
    "aggregation": "",
}
TYPICAL: dict[str, tuple[Any, ...]] = {
    "epsilon": (0.2, 0.1, 0.3),
    "gamma": (0.99, 1.0, 0.9, 0.95),
    "lam": (0.95, 1.0, 0.9, 0.97),
    "beta": (0.1, 1.0, 0.5, 0.05, 0.01),
    "clip": (None, 0.2),
}
"""What a function without this argument may have in its place."""
MOST_ORDERS = 120
_AMBIGUOUS = ("nextvalue",)  # of each state, or of the last one alone


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _meanings(subject: Subject) -> dict[str, str]:
    """Each spelling that is known here, and the argument that it means; our own names before the others."""
    known = (*subject.inputs, *subject.extras)
    found = {_plain(name): name for name in known}
    for name in known:
        for spelling in _NAMES.get(name, "").split():
            found.setdefault(_plain(spelling), name)
    return found


@dataclass(frozen=True)
class Call:
    """A way to call a function: which parameter gets which argument, in the order of its parameters."""

    function: Callable[..., Any]
    order: tuple[tuple[str, str], ...]
    by_name: bool
    guessed: bool
    time_major: bool = False
    float_flags: bool = False

    @property
    def given(self) -> set[str]:
        """The arguments that the function gets."""
        return {name for _, name in self.order}

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Calls the function with these arguments."""
        values = {parameter: self._converted(inputs[name]) for parameter, name in self.order}
        return self.function(**values) if self.by_name else self.function(*values.values())

    def _converted(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if self.float_flags and value.dtype == torch.bool:
            value = value.double()
        turned = value.transpose(0, 1) if self.time_major and value.dim() > 1 else value
        return turned.clone()  # a function may write into what it is given


def ways(
    function: Callable[..., Any], subject: Subject, said: Mapping[str, str] | Sequence[str] | None
) -> Iterator[Call]:
    """The ways to call a function, the likeliest first.

    `said` names the arguments: a mapping from parameters to arguments, or the arguments in the order of the parameters.
    Raises BadInput where a parameter can be nothing that is known.
    """
    parameters = _parameters(function)
    if parameters is None or (said is not None and not isinstance(said, Mapping)):
        names = tuple(said or subject.inputs)
        _check_known(names, subject)
        yield Call(function, tuple((f"_{k}", name) for k, name in enumerate(names)), False, said is None)
        return
    by_name = all(p.kind is not Parameter.POSITIONAL_ONLY for p in parameters)
    meanings = _meanings(subject)
    found = {name: argument for name, argument in dict(said or {}).items()}
    _check_known(tuple(found.values()), subject)
    for p in parameters:
        meaning = meanings.get(_plain(p.name))
        if p.name not in found and meaning is not None and meaning not in found.values():
            found[p.name] = meaning
    if "terminated" not in found.values():
        # One flag for both ends: it says where an episode ends for good.
        found = {name: "terminated" if meaning == "dones" else meaning for name, meaning in found.items()}
    unknown = [p.name for p in parameters if p.name not in found and p.default is Parameter.empty]
    left = [name for name in subject.inputs if name not in found.values()]
    if len(unknown) > len(left):
        expected = ", ".join(_known(subject))
        raise BadInput(
            f"parameter {unknown[len(left)]!r} is not understood; give arguments={{parameter: name}} with the names "
            f"{expected}"
        )
    for chosen in islice(permutations(left, len(unknown)), MOST_ORDERS):
        taken = {**found, **dict(zip(unknown, chosen, strict=True))}
        order = tuple((p.name, taken[p.name]) for p in parameters if p.name in taken)
        yield Call(function, order, by_name, bool(unknown))
        if "last_values" in _known(subject) and any(_plain(parameter) in _AMBIGUOUS for parameter, _ in order):
            other = tuple((p, "last_values" if _plain(p) in _AMBIGUOUS else name) for p, name in order)
            yield Call(function, other, by_name, True)


def _parameters(function: Callable[..., Any]) -> list[Parameter] | None:
    """The parameters of a function; None where it does not tell them."""
    told = function.forward if isinstance(function, nn.Module) else function
    try:
        found = list(signature(told).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is Parameter.VAR_POSITIONAL for p in found):
        return None
    return [p for p in found if p.kind is not Parameter.VAR_KEYWORD]


def _known(subject: Subject) -> tuple[str, ...]:
    return (*subject.inputs, *subject.extras)


def _check_known(names: Sequence[str], subject: Subject) -> None:
    for name in names:
        if name not in _known(subject):
            raise BadInput(f"arguments has {name!r}; expected one of {', '.join(_known(subject))}")
