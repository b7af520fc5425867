"""Environments small enough that the true objective, its gradient and the optimal policy are known."""

from __future__ import annotations

import gymnasium

from toy_envs.addition import ADDITION, AdditionEnv
from toy_envs.bandit import BANDIT, BanditEnv
from toy_envs.brackets import BRACKETS, BracketsEnv
from toy_envs.chain import CHAIN, ChainEnv
from toy_envs.copying import COPY, CopyEnv
from toy_envs.corridor import CORRIDOR
from toy_envs.errors import BadInput
from toy_envs.grid import GRID, GridEnv
from toy_envs.names import NAMES, NamesEnv
from toy_envs.sorting import SORTING, SortingEnv
from toy_envs.tabular_env import TabularEnv, TabularVectorEnv
from toy_envs.tabular_mdp import TabularMDP, with_time
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens
from toy_envs.token_vector_env import TokenVectorEnv

_TOKEN_MDPS = {mdp.name: mdp for mdp in (SORTING, BRACKETS, ADDITION, COPY, NAMES)}

# A limit on the steps is no part of these MDPs: it truncates.
for _mdp, _world, _limit in (
    (BANDIT, "bandit:Bandit", None),
    (CHAIN, "chain:Chain", 100),
    (GRID, "grid:Grid", 100),
    (SORTING, "sorting:Sorting", None),
    (BRACKETS, "brackets:Brackets", None),
    (ADDITION, "addition:Addition", None),
    (COPY, "copying:Copy", None),
    (NAMES, "names:Names", None),
):
    gymnasium.register(
        id=_mdp.name,
        entry_point=f"toy_envs.{_world}Env",
        vector_entry_point=f"toy_envs.{_world}VectorEnv",
        max_episode_steps=_limit,
    )


def make_mdp(env: str) -> TokenMDP:
    """The token MDP that is registered under a name. Raises BadInput, with the names that there are, for any other."""
    if env not in _TOKEN_MDPS:
        raise BadInput(f"env is {env!r}; expected one of {', '.join(map(repr, _TOKEN_MDPS))}")
    return _TOKEN_MDPS[env]


__all__ = [
    "ADDITION",
    "BANDIT",
    "BRACKETS",
    "CHAIN",
    "COPY",
    "CORRIDOR",
    "GRID",
    "NAMES",
    "SORTING",
    "AdditionEnv",
    "BadInput",
    "BanditEnv",
    "BracketsEnv",
    "ChainEnv",
    "CopyEnv",
    "GridEnv",
    "NamesEnv",
    "SortingEnv",
    "TabularEnv",
    "TabularMDP",
    "TabularVectorEnv",
    "TokenEnv",
    "TokenMDP",
    "TokenVectorEnv",
    "Tokens",
    "make_mdp",
    "with_time",
]
