"""Policies in files: safetensors, which hold numbers and text and run no code when they are read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.files import write_whole
from toy_envs.errors import BadInput

KINDS = {"policy": "a policy", "reward": "a reward model"}
"""What a GPT in a file was trained to be: both have both heads, and only one of them is meant."""


def save_policy(path: Path, policy: GPT, kind: str = "policy") -> None:
    """Writes the sizes and the weights of a policy, or of a GPT of another of the KINDS, whole or not at all."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in policy.state_dict().items()}
    write_whole(path, save(weights, metadata={"config": json.dumps(asdict(policy.config)), "kind": kind}))


def load_policy(path: Path, device: torch.device | str = "cpu", kind: str = "policy") -> GPT:
    """The policy in a file, or the GPT of another kind.

    Raises BadInput, naming the file, where it is missing, damaged, or not of that kind.
    """
    wanted = KINDS[kind]
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected the weights of {wanted}")
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            config = GPTConfig(**json.loads(told["config"]))
            names = file.keys()
            weights = {name: file.get_tensor(name) for name in names}
        policy = GPT(config)
        policy.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} does not hold {wanted}: {error}") from error
    if (found := told.get("kind", "policy")) != kind:
        raise BadInput(f"{path} holds {KINDS.get(found, found)}; expected {wanted}")
    return policy.to(device)
