"""What every run has: updates by Adam with a step size that falls to zero, which can stop after any and be taken up again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from derivations.algorithms import data_parallel
from derivations.algorithms.gpt import GPT
from derivations.algorithms.settings import Settings
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

Metrics = dict[str, float]


class Diverged(ArithmeticError):
    """A number of the run is no longer finite; the message names the step."""


@dataclass(frozen=True)
class State:
    """Where a run stands between two updates: all that the next one depends on, beside the settings.

    `tensors` by name, on the CPU; `facts` of numbers, texts, lists and objects, as JSON has them.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Stage(ABC):
    """A model that is trained, and everything that its next update depends on.

    Parameters: `mdp` the world; `model` the GPT that is trained, on the device where it lives; `settings`; `trained` its
    weights that Adam moves, all where None is given.
    """

    def __init__(
        self, mdp: TokenMDP, model: GPT, settings: Settings, trained: Iterable[nn.Parameter] | None = None
    ) -> None:
        self.mdp, self.model, self.settings = mdp, model, settings
        self.device = next(model.parameters()).device
        self.updates_done = 0
        self.group = data_parallel.group()
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.draws = np.random.default_rng(settings.seed)  # of the world: demonstrations and pairs
        self.trained = list(model.parameters() if trained is None else trained)
        self.optimizer = torch.optim.Adam(self.trained, lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.0, settings.updates)

    @abstractmethod
    def learn(self) -> Metrics:
        """One update of the model, without its step of the schedule; what was seen on the way."""

    @abstractmethod
    def measure(self) -> Metrics:
        """How the model does as it is now."""

    def run(self) -> Iterator[Metrics]:
        """The metrics before the first update, then after each; from where the run stands."""
        if not self.updates_done:
            yield {"update": 0, **self.measure()}
        while self.updates_done < self.settings.updates:
            yield self.update()

    def update(self) -> Metrics:
        """One update: the model learns, and is measured. Raises Diverged where a number is not finite."""
        self.updates_done += 1
        told = self.learn()
        self.schedule.step()
        return {"update": self.updates_done, **self.measure(), **told}

    def descend(self, loss: Tensor, told: Metrics) -> Metrics:
        """One step of Adam down a loss, its gradient no longer than the settings say. Raises Diverged."""
        self.optimizer.zero_grad()
        loss.backward()
        self.group.sum_gradients(self.trained)
        norm = nn.utils.clip_grad_norm_(self.trained, self.settings.most_gradient_norm)
        if norm.isfinite():  # else what is left would be lost
            self.optimizer.step()
        return finite({**told, "loss": loss.item(), "gradient_norm": norm.item()})

    @contextmanager
    def watched(self, where: str) -> Iterator[None]:
        """The settings were right: what a step refuses is a model that has gone too far, and the message names it."""
        try:
            yield
        except (BadInput, Diverged) as error:
            raise Diverged(f"update {self.updates_done}, {where}: {error}") from error

    def state(self) -> State:
        """Where the run stands."""
        adam = self.optimizer.state_dict()
        tensors = {f"model.{name}": weight for name, weight in self.model.state_dict().items()}
        tensors |= {f"adam.{at}.{name}": part for at, parts in adam["state"].items() for name, part in parts.items()}
        tensors["generator"] = self.generator.get_state()
        facts = {
            "updates_done": self.updates_done,
            "adam": adam["param_groups"],
            "schedule": self.schedule.state_dict(),
            "draws": self.draws.bit_generator.state,
        }
        return State({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, facts)

    def restore(self, state: State) -> None:
        """Takes the run up where `state` says that it stood; raises KeyError, RuntimeError or ValueError where it cannot."""
        parts: dict[int, dict[str, Tensor]] = {}
        for name, tensor in state.tensors.items():
            if name.startswith("adam."):
                _, at, part = name.split(".")
                parts.setdefault(int(at), {})[part] = tensor
        weights = {name.removeprefix("model."): t for name, t in state.tensors.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict({"state": parts, "param_groups": state.facts["adam"]})
        self.schedule.load_state_dict(state.facts["schedule"])
        self.generator.set_state(state.tensors["generator"])
        self.draws.bit_generator.state = state.facts["draws"]
        self.updates_done = state.facts["updates_done"]


def finite(told: Metrics) -> Metrics:
    """The metrics of a step. Raises Diverged where its loss or its gradient is not finite."""
    for name in ("loss", "gradient_norm"):
        if not isfinite(told[name]):
            raise Diverged(f"{name} is {told[name]}")
    return told


def together(steps: list[Metrics]) -> Metrics:
    """The metrics of several minibatches: least and most of what is named so, the mean of the rest."""
    told = {}
    for name in steps[0]:
        found = [step[name] for step in steps]
        of_all = min if name.endswith("_least") else max if name.endswith("_most") else fmean
        told[name] = of_all(found)
    return told
