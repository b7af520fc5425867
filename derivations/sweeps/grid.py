"""Which runs a sweep is made of: every algorithm with every seed and every combination of the settings given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, get_args, get_type_hints

from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import ALGORITHMS
from toy_envs.errors import BadInput

Value = float | int | str | None


@dataclass(frozen=True)
class Run:
    """One run: the world's name, and every setting, the seed and the algorithm among them."""

    env: str
    settings: Mapping[str, Value]

    @property
    def key(self) -> str:
        """What its result is kept under: a hash of all that is in it."""
        text = json.dumps({"env": self.env, "settings": dict(self.settings)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def seed(self) -> Value:
        """The seed."""
        return self.settings["seed"]

    @property
    def without_seed(self) -> tuple[tuple[str, Value], ...]:
        """What the runs have in common that differ in the seed alone."""
        return tuple((name, value) for name, value in self.settings.items() if name != "seed")


def grid(
    env: str, algorithms: Sequence[str], seeds: Sequence[int], given: Mapping[str, Sequence[str]] | None = None
) -> list[Run]:
    """Every algorithm × every combination of the settings × every seed, in this order.

    `given` has the values of each setting as texts, which are read as that setting's type; what is not given is what the
    algorithm wants. Raises BadInput where one is not known, is no value of its setting, or stands twice.
    """
    for what, some in (("algorithm", algorithms), ("seeds", seeds)):
        if not some:
            raise BadInput(f"{what} is empty; expected at least one")
    for name in algorithms:
        if name not in ALGORITHMS:
            raise BadInput(f"algorithm is {name!r}; expected one of {', '.join(ALGORITHMS)}")
    found: dict[str, Run] = {}
    for algorithm in algorithms:
        kinds = get_type_hints(type(settings_for(algorithm)))
        choices = {name: [_read(name, text, kinds) for text in texts] for name, texts in (given or {}).items()}
        for combination in product(*choices.values()):
            for seed in seeds:
                chosen: dict[str, Any] = {**dict(zip(choices, combination, strict=True)), "seed": seed}
                run = Run(env, asdict(settings_for(algorithm, env, **chosen)))
                if run.key in found:
                    raise BadInput(f"{algorithm} with {chosen} stands twice in the sweep; expected each run once")
                found[run.key] = run
    return list(found.values())


def _read(name: str, text: str, kinds: Mapping[str, Any]) -> Value:
    """The value of a setting, by its type."""
    if name in ("algorithm", "seed"):
        raise BadInput(f"set: {name} has an option of its own; expected another setting")
    if name not in kinds:
        known = [kind for kind in kinds if kind not in ("algorithm", "seed")]
        raise BadInput(f"set: {name!r} is no setting; expected one of {', '.join(known)}")
    wanted = [kind for kind in (int, float, str) if kind in (get_args(kinds[name]) or (kinds[name],))]
    for kind in wanted:
        try:
            return kind(text)
        except ValueError:
            continue
    raise BadInput(f"set: {name} is {text!r}; expected {' or '.join(_NAMES[kind] for kind in wanted) or 'no text'}")


_NAMES: dict[type, str] = {int: "a whole number", float: "a number", str: "a word"}
