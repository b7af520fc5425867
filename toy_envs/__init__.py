"""Environments small enough that the true objective, its gradient and the optimal policy are known."""

from __future__ import annotations

import gymnasium

from toy_envs.bandit import BANDIT, BanditEnv
from toy_envs.chain import CHAIN, ChainEnv
from toy_envs.corridor import CORRIDOR
from toy_envs.errors import BadInput
from toy_envs.grid import GRID, GridEnv
from toy_envs.sorting import SORTING, SortingEnv
from toy_envs.tabular_env import TabularEnv, TabularVectorEnv
from toy_envs.tabular_mdp import TabularMDP, with_time
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens

_TOKEN_MDPS = {mdp.name: mdp for mdp in (SORTING,)}

gymnasium.register(id=SORTING.name, entry_point="toy_envs.sorting:SortingEnv")
gymnasium.register(
    id=BANDIT.name,
    entry_point="toy_envs.bandit:BanditEnv",
    vector_entry_point="toy_envs.bandit:BanditVectorEnv",
)
gymnasium.register(
    id=CHAIN.name,
    entry_point="toy_envs.chain:ChainEnv",
    vector_entry_point="toy_envs.chain:ChainVectorEnv",
    max_episode_steps=100,
)
gymnasium.register(
    id=GRID.name,
    entry_point="toy_envs.grid:GridEnv",
    vector_entry_point="toy_envs.grid:GridVectorEnv",
    max_episode_steps=100,
)


def make_mdp(env: str) -> TokenMDP:
    """The token MDP that is registered under a name. Raises BadInput, with the names that there are, for any other."""
    if env not in _TOKEN_MDPS:
        raise BadInput(f"env is {env!r}; expected one of {', '.join(map(repr, _TOKEN_MDPS))}")
    return _TOKEN_MDPS[env]


__all__ = [
    "BANDIT",
    "CHAIN",
    "CORRIDOR",
    "GRID",
    "SORTING",
    "BadInput",
    "BanditEnv",
    "ChainEnv",
    "GridEnv",
    "SortingEnv",
    "TabularEnv",
    "TabularMDP",
    "TabularVectorEnv",
    "TokenEnv",
    "TokenMDP",
    "Tokens",
    "make_mdp",
    "with_time",
]
