"""What can be diagnosed: the right functions, their arguments, where gradients are to go, the conventions they may follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from derivations.algorithms.bugs import RIGHT, Function
from derivations.algorithms.losses import AGGREGATIONS
from derivations.diagnose import batches
from derivations.diagnose.batches import Batch

TOTAL = "total"  # the sum over everything, over no number
EACH = "each"  # a number for each step, put together in no way


@dataclass(frozen=True)
class Subject:
    """A right function, and how another may differ from it and be right.

    `inputs` in the order of the right function, and `extras`, which another may ask for by name; the gradient is compared
    in `leaves`; `constants` must get none, nor `past`, which in most code has none to begin with. `aggregations`, `signs`,
    `scales` and `corrections` are those that are guessed, the usual one first.
    """

    like: str
    inputs: tuple[str, ...]
    batches: Callable[[], list[Batch]]
    leaves: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    aggregations: tuple[str, ...] = ()
    signs: tuple[str, ...] = ("minimised", "maximised")
    scales: tuple[float, ...] = (1.0,)
    corrections: tuple[int, ...] = (0,)

    @property
    def right(self) -> Function:
        """The right function."""
        return RIGHT[self.like]

    @property
    def is_loss(self) -> bool:
        """Whether the right function gives one number, to be minimised; else a number for each step."""
        return self.aggregations[0] != EACH


_MINIMISED = ("minimised",)
_LOSS = ("sequence_sum", "token_mean", "sequence_mean", TOTAL, EACH)  # the default of the losses first
_TABLE = (EACH, *AGGREGATIONS, TOTAL)
_MEAN = ("pair_mean", TOTAL, EACH)
_OLD = ("logp", "logp_old", "advantages")
_EPISODES = ("rewards", "values", "next_values", "terminated", "truncated", "gamma", "lam", "mask")
_PAIRS = ("logp_chosen", "logp_rejected", "logp_ref_chosen", "logp_ref_rejected")
_KL = ("logp", "logp_ref", "mask")


def _policy(like: str, *inputs: str) -> Subject:
    return Subject(
        like,
        inputs,
        batches.policies,
        leaves=_among(inputs, "logp", "kl"),
        constants=_among(inputs, "advantages", "returns"),
        past=_among(inputs, "logp_old"),
        extras=("logp_ref", "lengths", "aggregation"),
        aggregations=_LOSS,
    )


def _among(inputs: tuple[str, ...], *names: str) -> tuple[str, ...]:
    return tuple(name for name in inputs if name in names)


def _table(like: str, inputs: tuple[str, ...], made: Callable[[], list[Batch]], *leaves: str) -> Subject:
    extras = ("dones", "last_values", "lengths")
    return Subject(like, inputs, made, leaves, extras=extras, aggregations=_TABLE, signs=_MINIMISED)


SUBJECTS: dict[str, Subject] = {
    subject.like: subject
    for subject in (
        _table("discounted_returns", ("rewards", "gamma", "mask"), batches.episodes),
        _table("lambda_returns", _EPISODES, batches.episodes),
        _table("gae", _EPISODES, batches.episodes),
        _table("k1", _KL, batches.divergences, "logp"),
        _table("k2", _KL, batches.divergences, "logp"),
        _table("k3", _KL, batches.divergences, "logp"),
        _table("exact_kl", ("logits", "logits_ref", "mask"), batches.laws, "logits"),
        _table("leave_one_out", ("returns",), batches.groups),
        _table("penalised_rewards", ("scores", "logp", "logp_ref", "mask", "beta"), batches.policies),
        _table("token_logp", ("logits", "tokens"), batches.drawn, "logits"),
        _table("score", ("policy", "responses"), batches.readings, "policy"),
        Subject(
            "whiten",
            ("advantages", "mask"),
            batches.spreads,
            aggregations=(EACH,),
            signs=_MINIMISED,
            corrections=(0, 1),
        ),
        _policy("reinforce", "logp", "returns", "mask"),
        _policy("cpi", *_OLD, "mask"),
        _policy("trpo_penalty", *_OLD, "kl", "mask", "beta"),
        _policy("ppo_clip", *_OLD, "mask", "epsilon"),
        _policy("kl_penalty", "kl", "mask", "beta"),
        Subject(
            "kl_loss",
            _KL,
            batches.policies,
            leaves=("logp",),
            past=("logp_ref",),
            extras=("lengths", "aggregation"),
            # The divergence of a sequence is the sum of those of its tokens (KL.3): another aggregation is not guessed.
            aggregations=("sequence_sum",),
        ),
        Subject(
            "discounted_reinforce",
            ("logp", "rewards", "gamma", "mask"),
            batches.policies,
            leaves=("logp",),
            constants=("rewards",),
            extras=("lengths",),
            aggregations=("sequence_sum", TOTAL, EACH),
        ),
        Subject(
            "value",
            ("values", "values_old", "targets", "mask", "clip"),
            batches.critics,
            leaves=("values",),
            constants=("targets",),
            past=("values_old",),
            extras=("lengths", "aggregation"),
            aggregations=(*AGGREGATIONS, TOTAL, EACH),
            signs=_MINIMISED,
            scales=(1.0, 0.5),
        ),
        Subject(
            "entropy",
            ("logits", "mask"),
            batches.laws,
            leaves=("logits",),
            extras=("aggregation",),
            aggregations=_LOSS,
            # A bonus of the wrong sign is the bug itself: that it is to be maximised must be said.
            signs=_MINIMISED,
        ),
        Subject(
            "dpo",
            (*_PAIRS, "beta"),
            batches.preferences,
            aggregations=_MEAN,
            leaves=_PAIRS[:2],
            past=_PAIRS[2:],
            extras=("lengths_chosen", "lengths_rejected"),
        ),
        Subject(
            "reward_model",
            ("chosen", "rejected"),
            batches.preferences,
            leaves=("chosen", "rejected"),
            aggregations=_MEAN,
        ),
        Subject(
            "regularised_objective",
            ("logits", "rewards", "logits_ref", "beta"),
            batches.bandits,
            aggregations=_MEAN,
            leaves=("logits",),
            constants=("rewards",),
            past=("logits_ref",),
        ),
    )
}
