"""Policies, and runs between two updates, in files: safetensors, which hold numbers and text and run no code when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.journal import Mark
from derivations.algorithms.stage import Stage, State
from derivations.files import write_whole
from toy_envs.errors import BadInput

KINDS = {"policy": "a policy", "reward": "a reward model"}
"""What a GPT in a file was trained to be: both have both heads, and only one of them is meant."""

DAMAGED = (SafetensorError, KeyError, IndexError, AttributeError, TypeError, ValueError, RuntimeError)
"""What is raised by bytes that are not what they should be."""


def as_bytes(tensors: Mapping[str, Tensor], told: Mapping[str, str]) -> bytes:
    """Tensors and texts as a safetensors file, the same bytes for the same content.

    The library writes the texts in an order of chance; here the header, which is JSON behind its length, is sorted.
    """
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=dict(told))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata() or {}


# --- policies -------------------------------------------------------------------------------------------------------


def save_policy(path: Path, policy: GPT, kind: str = "policy") -> None:
    """Writes the sizes and the weights of a policy, or of a GPT of another of the KINDS, whole or not at all."""
    write_whole(path, as_bytes(policy.state_dict(), {"config": json.dumps(asdict(policy.config)), "kind": kind}))


def load_policy(path: Path, device: torch.device | str = "cpu", kind: str = "policy") -> GPT:
    """The policy in a file, or the GPT of another kind.

    Raises BadInput, naming the file, where it is missing, damaged, or not of that kind.
    """
    wanted = KINDS[kind]
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected the weights of {wanted}")
    try:
        weights, told = _read(path)
        policy = GPT(GPTConfig(**json.loads(told["config"])))
        policy.load_state_dict(weights)
    except DAMAGED as error:
        raise BadInput(f"{path} does not hold {wanted}: {error}") from error
    if (found := told.get("kind", "policy")) != kind:
        raise BadInput(f"{path} holds {KINDS.get(found, found)}; expected {wanted}")
    return policy.to(device)


# --- runs between two updates ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkpoint:
    """A run between two updates: its `state`, what `made` it, and how far each of its files of lines had come."""

    state: State
    made: dict[str, Any]
    marks: dict[str, Mark]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint whole or not at all."""
    marks = {name: asdict(mark) for name, mark in checkpoint.marks.items()}
    told = {"facts": checkpoint.state.facts, "made": checkpoint.made, "marks": marks}
    texts = {"checkpoint": json.dumps(told)}
    digest = _digest(checkpoint.state.tensors, texts)
    write_whole(path, as_bytes(checkpoint.state.tensors, {**texts, "sha256": digest}))


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file. Raises BadInput, naming the file, where a single bit of it is not as it was written."""
    try:
        tensors, told = _read(path)
        if told.pop("sha256") != _digest(tensors, told):
            raise ValueError("its content does not have the SHA-256 that it says")
        found = json.loads(told["checkpoint"])
        marks = {name: Mark(**mark) for name, mark in found["marks"].items()}
        return Checkpoint(State(tensors, found["facts"]), found["made"], marks)
    except DAMAGED as error:
        raise BadInput(f"{path} is no checkpoint, or a damaged one: {error}; {ADVICE}") from error


def take_up(stage: Stage, checkpoint: Checkpoint, path: Path) -> None:
    """Puts a stage where a checkpoint stands. Raises BadInput, naming the file, where it is that of another stage."""
    try:
        stage.restore(checkpoint.state)
    except DAMAGED as error:
        raise BadInput(f"{path} is of another run, which cannot be taken up here: {error!r}; {ADVICE}") from error


ADVICE = "where it is removed, the run is resumed from its beginning"


def _digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    return hashlib.sha256(as_bytes(tensors, texts)).hexdigest()
