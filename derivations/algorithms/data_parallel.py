"""Data-parallel training: each process draws and reads its share of the rows, and all of them know the whole batch.

What a policy says of a batch is gathered before the loss is worked out, so that any loss is that of the whole batch, its
means over tokens or pairs of rows included; each process differentiates its own rows, and the gradients are added up. The
curve is therefore that of one process with the whole batch, up to rounding.

Started by `torchrun`, which says in the environment how many processes there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, Scores, sample, score
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Joins the processes that torchrun has started, by nccl on CUDA and gloo on the CPU; alone, it does nothing.

    Yields the device of this process: with CUDA the one that its number on this machine names.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


@dataclass(frozen=True)
class Group:
    """The processes of a run: this one is number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    def share(self, count: int) -> slice:
        """The rows of this process among `count`; shares are equal up to one. Raises BadInput where one is empty."""
        if count < self.size:
            raise BadInput(f"{count} rows for {self.size} processes; expected at least one for each")
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sample(self, policy: GPT, mdp: TokenMDP, episodes: int, generator: torch.Generator) -> Responses:
        """Responses drawn from a policy, each by the process that has its row; all processes get all of them."""
        if self.size == 1:
            return sample(policy, mdp, episodes, generator)[0]
        own, _ = sample(policy, mdp, episodes, generator, self.share(episodes))
        missing = (0, mdp.horizon - own.tokens.shape[1])
        tokens, mask = F.pad(own.tokens, missing), F.pad(own.mask, missing)  # [own rows, horizon]
        whole = Responses(*(self.gathered(part, episodes) for part in (own.prompts, tokens, mask)))
        longest = int(whole.mask.sum(-1).max())
        return Responses(whole.prompts, whole.tokens[:, :longest], whole.mask[:, :longest])

    def score(self, policy: GPT, responses: Responses) -> Scores:
        """What a policy says of responses, each read by the process that has its row; differentiable in own rows."""
        if self.size == 1:
            return score(policy, responses)
        count = len(responses)
        own = score(policy, responses.rows(self.share(count)))
        return Scores(*(self.gathered(part, count) for part in (own.logp, own.logits, own.values)))

    def gathered(self, own: Tensor, count: int) -> Tensor:
        """The `count` rows of all processes from the own ones of each."""
        return own if self.size == 1 else _Gathered.apply(own, self, count)

    def summed(self, own: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.size > 1:
            own = own.clone()
            dist.all_reduce(own)
        return own

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Adds up the gradients of all processes in each of them."""
        if self.size > 1:
            for weight in weights:
                if weight.grad is not None:
                    dist.all_reduce(weight.grad)

    def any(self, own: bool) -> bool:
        """Whether any process says so."""
        if self.size == 1:
            return own
        said = torch.tensor(float(own), device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(said)
        return said.item() > 0


def group() -> Group:
    """The processes that this one has joined, itself alone if none."""
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    return Group()


class _Gathered(torch.autograd.Function):
    """Rows of all processes; backwards the own ones, which may be differentiated again (TRPO does)."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, among: Group, count: int) -> Tensor:
        ctx.rows = among.share(count)
        most = -(-count // among.size)
        padded = torch.cat((own, own.new_zeros(most - len(own), *own.shape[1:]))).contiguous()
        parts = [torch.empty_like(padded) for _ in range(among.size)]
        dist.all_gather(parts, padded)
        sizes = [Group(rank, among.size).share(count) for rank in range(among.size)]
        return torch.cat([part[: rows.stop - rows.start] for part, rows in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0][ctx.rows], None, None
