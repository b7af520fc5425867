"""The batches on which a function is tried: small ones made by hand first, random ones after them, float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from derivations.algorithms.bugs.sampling import by_place
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Responses


@dataclass(frozen=True)
class Batch:
    """Arguments by their names, and how far from the right value a result may be.

    `strict` says that the batch looks at rounding or overflow, where a mistake elsewhere need not be seen alike;
    `slack` is how far a bug may then be from another function with the same bug.
    """

    inputs: Mapping[str, Any]
    rtol: float = 1e-5
    atol: float = 1e-7
    strict: bool = False
    slack: float = 1e-7


def table(*rows: Sequence[float]) -> Tensor:
    """A float64 tensor."""
    return torch.tensor(rows, dtype=torch.float64)


def flags(*rows: Sequence[int]) -> Tensor:
    """A boolean tensor."""
    return torch.tensor(rows, dtype=torch.bool)


def ragged(lengths: Sequence[int], time: int) -> Tensor:
    """The mask of sequences of these lengths."""
    return torch.arange(time) < torch.tensor(lengths).unsqueeze(-1)


class _Random:
    """Numbers with two digits, so that a batch can be read."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=self.generator, dtype=torch.float64)).round(decimals=2)

    def logp(self, *shape: int) -> Tensor:
        uniform = torch.rand(*shape, generator=self.generator, dtype=torch.float64)
        return (0.2 + 0.6 * uniform).log().round(decimals=2)


# --- losses of a policy -------------------------------------------------------------------------------------------------

_CONSTANTS = (
    {"epsilon": 0.2, "gamma": 0.9, "lam": 0.8, "beta": 0.5, "clip": 0.2},
    {"epsilon": 0.1, "gamma": 0.5, "lam": 0.5, "beta": 0.3, "clip": None},
    {"epsilon": 0.3, "gamma": 1.0, "lam": 0.9, "beta": 2.0, "clip": 0.5},
)
_SHAPES = (
    ((2, 2), 2, 0),
    ((1, 3), 3, 1),
    ((4, 4, 4), 4, 2),
    ((3, 1, 2), 4, 0),
    ((4, 2), 4, 1),
    ((5, 5, 5, 5), 5, 2),
)


def _random_tokens(lengths: Sequence[int], time: int, constants: int, seed: int) -> dict[str, Any]:
    random, batch = _Random(seed), len(lengths)
    values = random.normal(batch, time)
    return {
        "logp": random.logp(batch, time),
        "logp_old": random.logp(batch, time),
        "logp_ref": random.logp(batch, time),
        "advantages": random.normal(batch, time),
        "returns": random.normal(batch, time),
        "rewards": random.normal(batch, time),
        "values": values,
        "values_old": values + random.normal(batch, time, scale=0.6),
        "targets": random.normal(batch, time, scale=1.5),
        "kl": random.normal(batch, time).abs(),
        "scores": random.normal(batch),
        "mask": ragged(lengths, time),
        **_CONSTANTS[constants],
    }


def _one_token(**given: float) -> dict[str, Any]:
    one = table([1.0])
    mine = {"advantages": 1.0, "logp_ref": -1.2, "returns": 2.0, "rewards": 1.0, "kl": 0.5, **given}
    tables = {name: value * one for name, value in mine.items()}
    return {**tables, "scores": one[0], "mask": one.bool(), **_CONSTANTS[0]}


def _lengths_one_and_three() -> dict[str, Any]:
    advantages = table([1, 7, 7], [-0.5, -0.5, -0.5])
    ones = torch.ones_like(advantages)
    return {
        "logp": -ones,
        "logp_old": -ones,
        "logp_ref": -1.5 * ones,
        "advantages": advantages,
        "returns": advantages,
        "rewards": advantages,
        "kl": ones,
        "scores": table([1, 2])[0],
        "mask": ragged((1, 3), 3),
        **_CONSTANTS[0],
    }


def policies() -> list[Batch]:
    """Ratio one, the six regions of the clip, two lengths, then random ones with and without padding."""
    half = float(table([0.5]).log())
    regions = [(0.5, 0.5, 1.0), (0.55, 0.5, 2.0), (0.25, 0.5, 2.0), (0.75, 0.5, 2.0)]
    regions += [(0.55, 0.5, -2.0), (0.25, 0.5, -2.0), (0.75, 0.5, -2.0)]
    small = [
        _one_token(logp=float(table([new]).log()), logp_old=half if old == 0.5 else old, advantages=a, returns=a)
        for new, old, a in regions
    ]
    made = [*small, _lengths_one_and_three()]
    made += [_random_tokens(*shape, seed) for seed, shape in enumerate(_SHAPES)]
    return [Batch(inputs) for inputs in made]


def divergences() -> list[Batch]:
    """Those of policies, and one in float32 where the two policies are nearly equal."""
    near = torch.full((1, 2), 2.0**-12, dtype=torch.float32)
    inputs: dict[str, Any] = {"logp": -near, "logp_ref": 0 * near, "mask": torch.ones(1, 2, dtype=torch.bool)}
    return [*policies(), Batch(inputs, rtol=1e-2, atol=0.0, strict=True, slack=1e-6)]


def critics() -> list[Batch]:
    """A value far from its target, two that are right, then random ones."""
    one = {"mask": flags([1])}
    far: dict[str, Any] = {"values": table([1]), "values_old": table([5]), "targets": table([10]), "clip": 0.2, **one}
    near = {"values": table([1]), "values_old": table([1.1]), "targets": table([3]), "clip": None, **one}
    pair = table([0], [1])
    two = {"values": pair, "values_old": pair, "targets": pair, "clip": None, "mask": flags([1], [1])}
    made = [near, far, two, *(_random_tokens(*shape, seed) for seed, shape in enumerate(_SHAPES))]
    made += [_random_tokens(lengths, time, 1, seed) for seed, (lengths, time, _) in enumerate(_SHAPES)]
    return [Batch(inputs) for inputs in made]


def laws() -> list[Batch]:
    """Logits of one token, of one with padding, then random ones."""
    quarter = table([0.25, 0.75]).log().unsqueeze(0)
    padded = torch.cat((quarter, table([0.5, -1.0]).unsqueeze(0)), 1)
    made: list[dict[str, Any]] = [
        {"logits": quarter, "logits_ref": 0 * quarter, "mask": flags([1])},
        {"logits": padded, "logits_ref": 0.5 - padded, "mask": flags([1, 0])},
    ]
    for seed, (lengths, time, _) in enumerate(_SHAPES):
        random, shape = _Random(seed), (len(lengths), time, 4)
        logits, reference = random.normal(*shape), random.normal(*shape)
        made.append({"logits": logits, "logits_ref": reference, "mask": ragged(lengths, time)})
    return [Batch(inputs) for inputs in made]


# --- returns --------------------------------------------------------------------------------------------------------------


def _episodes(
    seed: int, mask: Tensor, terminated: Tensor, truncated: Tensor, constants: int, bootstrap: bool = True
) -> dict[str, Any]:
    random, shape = _Random(seed), mask.shape
    values, last = random.normal(*shape), random.normal(shape[0], 1)
    elsewhere = random.normal(*shape)
    following = torch.cat((values[:, 1:], last), 1)
    following = torch.where(truncated, elsewhere, following)
    return {
        "rewards": random.normal(*shape),
        "values": values,
        "next_values": following,
        "terminated": terminated,
        "truncated": truncated,
        "mask": mask,
        **_CONSTANTS[constants],
    }


def episodes() -> list[Batch]:
    """One step that goes on, ends, or is cut off; ends in the middle; lengths that differ."""
    full = [
        (flags([0]), flags([0]), 0),
        (flags([1]), flags([0]), 0),
        (flags([0]), flags([1]), 1),
        (flags([0, 1]), flags([0, 0]), 1),
        (flags([0, 0, 0, 1]), flags([0, 0, 0, 0]), 0),
        (flags([0, 0, 0, 0]), flags([0, 0, 0, 0]), 1),
        (flags([0, 1, 0, 1]), flags([0, 0, 0, 0]), 0),
        (flags([0, 1, 0, 0], [0, 0, 0, 1]), flags([0, 0, 0, 0], [0, 0, 0, 0]), 2),
        (flags([0, 0, 0, 0], [0, 0, 0, 1]), flags([0, 1, 0, 0], [1, 0, 0, 0]), 0),
        (flags([0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]), flags([0, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0] * 5), 1),
    ]
    made = [
        _episodes(seed, torch.ones_like(ends), ends, cuts, constants)
        for seed, (ends, cuts, constants) in enumerate(full)
    ]
    ends, cuts = flags([0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]), flags([0] * 4, [0] * 4, [0, 0, 1, 0])
    made += [_episodes(20 + k, ragged((4, 2, 3), 4), ends, cuts, k) for k in range(3)]
    return [Batch(inputs) for inputs in made]


def groups() -> list[Batch]:
    """Returns of two, four and five responses."""
    made = [table([3, 1])[0], table([3, 1, 2, 0])[0], _Random(0).normal(5)]
    return [Batch({"returns": returns}) for returns in made]


def spreads() -> list[Batch]:
    """Advantages in one column, in one row, in both, with padding."""
    made = [
        {"advantages": table([1], [3]), "mask": flags([1], [1])},
        {"advantages": table([1, 4]), "mask": flags([1, 1])},
    ]
    made += [{k: _random_tokens(*shape, seed)[k] for k in ("advantages", "mask")} for seed, shape in enumerate(_SHAPES)]
    return [Batch(inputs, atol=1e-6) for inputs in made]


# --- preferences, bandits, policies -----------------------------------------------------------------------------------------


def _pairs(seed: int, count: int, beta: float) -> dict[str, Any]:
    random = _Random(seed)
    lengths = [torch.randint(1, 6, (count,), generator=random.generator).double() for _ in range(2)]
    sums = [-(random.normal(count).abs() + 0.5) * length for length in (*lengths, *lengths)]
    return {
        "logp_chosen": sums[0],
        "logp_rejected": sums[1],
        "logp_ref_chosen": sums[2],
        "logp_ref_rejected": sums[3],
        "lengths_chosen": lengths[0],
        "lengths_rejected": lengths[1],
        "chosen": random.normal(count, scale=2.0),
        "rejected": random.normal(count, scale=2.0),
        "beta": beta,
    }


def preferences() -> list[Batch]:
    """At π = π_ref, one pair, several; and margins at which σ or exp alone leave the range of float64."""
    equal = _pairs(0, 1, 0.5)
    equal |= {"logp_chosen": equal["logp_ref_chosen"], "logp_rejected": equal["logp_ref_rejected"]}
    made = [
        Batch(equal),
        Batch(_pairs(1, 1, 0.5)),
        Batch(_pairs(2, 1, 2.0)),
        Batch(_pairs(3, 3, 0.1)),
        Batch(_pairs(4, 5, 1.0)),
    ]
    far = table([-2000, -1])[0]
    extreme: dict[str, Any] = {
        "logp_chosen": far,
        "logp_rejected": far.flip(0),
        "logp_ref_chosen": 0 * far,
        "logp_ref_rejected": 0 * far,
    }
    extreme |= {"chosen": far, "rejected": far.flip(0), "beta": 1.0}
    extreme |= {"lengths_chosen": 1 + 0 * far, "lengths_rejected": 1 + 0 * far}
    return [*made, Batch(extreme, strict=True)]


def bandits() -> list[Batch]:
    """π = π_ref without a reward, then random ones."""
    quarter = table([0.25, 0.75]).log()
    made: list[dict[str, Any]] = [{"logits": quarter, "rewards": 0 * quarter, "logits_ref": quarter, "beta": 1.0}]
    for seed, (prompts, actions, beta) in enumerate(((1, 2, 0.5), (1, 3, 1.0), (3, 4, 0.2))):
        random = _Random(seed)
        logits, reference, rewards = (random.normal(prompts, actions) for _ in range(3))
        made.append({"logits": logits, "rewards": rewards, "logits_ref": reference, "beta": beta})
    return [Batch(inputs) for inputs in made]


def tiny_policy(seed: int, vocabulary: int = 3, context: int = 6) -> GPT:
    """A tiny GPT in float64, far from uniform."""
    policy = GPT(GPTConfig(vocabulary, context, layers=1, width=8, heads=2), seed).double()
    generator = torch.Generator().manual_seed(seed)
    for head in (policy.policy, policy.value):
        nn.init.normal_(head.weight, std=0.7, generator=generator)
    return policy


def readings() -> list[Batch]:
    """Responses to a policy whose logits depend on the place alone, and to a tiny GPT."""
    first = by_place([0.0, float(table([3.0]).log())], [0.0, 0.0])
    tokens = torch.tensor([[1, 0]])
    made: list[dict[str, Any]] = [
        {"policy": first, "responses": Responses(tokens[:, :0], tokens, torch.ones_like(tokens, dtype=torch.bool))}
    ]
    for seed, (lengths, time) in enumerate((((1,), 1), ((3, 3), 3), ((1, 4, 2), 4))):
        generator = torch.Generator().manual_seed(seed)
        mask = ragged(lengths, time)
        drawn = torch.randint(0, 3, mask.shape, generator=generator).masked_fill(~mask, 0)
        prompts = torch.randint(0, 3, (len(lengths), 2), generator=generator)
        made.append({"policy": tiny_policy(seed), "responses": Responses(prompts, drawn, mask)})
    return [Batch(inputs) for inputs in made]


def drawn() -> list[Batch]:
    """Tokens with the logits before them: two of two, then random ones."""
    first = table([0.25, 0.75], [0.5, 0.5]).log().unsqueeze(0)
    made: list[dict[str, Any]] = [{"logits": first, "tokens": torch.tensor([[1, 0]])}]
    for seed, (batch, time) in enumerate(((1, 1), (2, 3), (3, 4))):
        random = _Random(seed)
        tokens = torch.randint(0, 4, (batch, time), generator=random.generator)
        made.append({"logits": random.normal(batch, time, 4), "tokens": tokens})
    return [Batch(inputs) for inputs in made]
