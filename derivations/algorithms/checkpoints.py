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


def save_policy(path: Path, policy: GPT) -> None:
    """Writes the sizes and the weights of a policy, whole or not at all."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in policy.state_dict().items()}
    write_whole(path, save(weights, metadata={"config": json.dumps(asdict(policy.config))}))


def load_policy(path: Path, device: torch.device | str = "cpu") -> GPT:
    """The policy in a file. Raises BadInput, naming the file, where it is missing, damaged, or not of a policy."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected the weights of a policy")
    try:
        with safe_open(path, framework="pt") as file:
            config = GPTConfig(**json.loads((file.metadata() or {})["config"]))
            names = file.keys()
            weights = {name: file.get_tensor(name) for name in names}
        policy = GPT(config)
        policy.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} does not hold a policy: {error}") from error
    return policy.to(device)
