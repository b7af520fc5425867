"""Environments small enough that the true objective, its gradient and the optimal policy are known."""

from __future__ import annotations

import gymnasium

from toy_envs.addition import ADDITION, AdditionEnv
from toy_envs.brackets import BRACKETS, BracketsEnv
from toy_envs.copying import COPY, CopyEnv
from toy_envs.errors import BadInput
from toy_envs.names import NAMES, NamesEnv
from toy_envs.sorting import SORTING, SortingEnv
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

_TOKEN_MDPS = {mdp.name: mdp for mdp in (SORTING, BRACKETS, ADDITION, COPY, NAMES)}

for _mdp, _world in (
    (SORTING, "sorting:Sorting"),
    (BRACKETS, "brackets:Brackets"),
    (ADDITION, "addition:Addition"),
    (COPY, "copying:Copy"),
    (NAMES, "names:Names"),
):
    gymnasium.register(
        id=_mdp.name, entry_point=f"toy_envs.{_world}Env", vector_entry_point=f"toy_envs.{_world}VectorEnv"
    )


def make_mdp(env: str) -> TokenMDP:
    """The token MDP that is registered under a name. Raises BadInput, with the names that there are, for any other."""
    if env not in _TOKEN_MDPS:
        raise BadInput(f"env is {env!r}; expected one of {', '.join(map(repr, _TOKEN_MDPS))}")
    return _TOKEN_MDPS[env]


__all__ = [
    "ADDITION",
    "BRACKETS",
    "COPY",
    "NAMES",
    "SORTING",
    "AdditionEnv",
    "BadInput",
    "BracketsEnv",
    "CopyEnv",
    "NamesEnv",
    "SortingEnv",
    "TokenEnv",
    "TokenMDP",
    "TokenVectorEnv",
    "Tokens",
    "make_mdp",
]
