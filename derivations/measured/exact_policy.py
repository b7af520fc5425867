"""What is known exactly of a policy on Sorting-v0, by the prefix tree."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.gpt import GPT
from toy_envs.errors import BadInput
from toy_envs.sorting import SORTING


def reference() -> GPT:
    """The reference policy of Sorting-v0. Raises BadInput where its file is missing."""
    if SORTING.reference is None:
        raise BadInput(f"{SORTING.name} has no reference policy; expected one")
    return load_policy(SORTING.reference)


class World:
    """Sorting-v0 with all that does not depend on the policy: its tree, log π_ref, and π* of its own β."""

    def __init__(self) -> None:
        self.tree = exact.prefix_tree(SORTING)
        self.logp_ref = _tree_logp(reference(), self.tree)
        self.best = exact.optimum(self.tree, self.logp_ref, SORTING.beta)

    @cached_property
    def kl_best(self) -> float:
        """D(π*‖π_ref) in nats."""
        return exact.kl(self.tree, self.best.logp, self.logp_ref).item()

    def of(self, policy: GPT) -> Known:
        """What is known of a policy as it is now."""
        return Known(self, _tree_logp(policy, self.tree))


class Known:
    """The exact numbers of one policy."""

    def __init__(self, world: World, logp: exact.Levels) -> None:
        self.world, self.logp = world, logp
        self.responses: Tensor = exact.response_logp(world.tree, logp)

    @property
    def kl(self) -> float:
        """D(π‖π_ref) in nats."""
        return exact.kl(self.world.tree, self.logp, self.world.logp_ref).item()

    @property
    def entropy(self) -> float:
        """−E_π[log π(y)] of whole responses, in nats."""
        return -(self.responses.exp() * self.responses).sum().item()

    @property
    def objective(self) -> float:
        """J(π) = E_π[r] − β D(π‖π_ref), by the backward recursion: without π*."""
        return exact.evaluate(self.world.tree, self.logp, self.world.logp_ref, SORTING.beta).objective.item()

    @property
    def gap(self) -> float:
        """β D(π‖π*), which is β log z − J(π) (OP.11)."""
        return exact.regret(self.world.tree, self.logp, self.world.best, SORTING.beta).item()

    @property
    def kl_of_its_mode(self) -> float:
        """−log π_ref(ŷ) in nats, the KL of the deterministic policy that always gives its most likely response ŷ."""
        return -exact.response_logp(self.world.tree, self.world.logp_ref)[self.responses.argmax()].item()


@torch.no_grad()
def _tree_logp(policy: GPT, tree: exact.Tree) -> exact.Levels:
    """In float64, so that sums over thousands of prefixes lose nothing; what float32 lost of the sum 1 is given back."""
    return tuple(level.double().log_softmax(-1) for level in exact.tree_logp(policy, tree))
