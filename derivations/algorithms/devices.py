"""Where tensors live, and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from toy_envs.errors import BadInput

DEVICES = ("auto", "cpu", "cuda")


def pick_device(name: str) -> torch.device:
    """The device of a name: "cpu", "cuda", or "auto", which is CUDA when there and else the CPU.

    Raises BadInput for another name, and for "cuda" where there is none.
    """
    if name not in DEVICES:
        raise BadInput(f"device is {name!r}; expected one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            "device is 'cuda', and PyTorch finds no CUDA device here; expected 'cpu', or 'auto' for what is there"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread: a tiny model gains nothing by more, and on a busy machine they wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
