"""Environments small enough that the true objective, its gradient and the optimal policy are known."""

from __future__ import annotations

import gymnasium

from toy_envs.errors import BadInput
from toy_envs.sorting import SORTING, SortingEnv
from toy_envs.token_env import TokenEnv
from toy_envs.token_mdp import TokenMDP, Tokens

_TOKEN_MDPS = {mdp.name: mdp for mdp in (SORTING,)}

gymnasium.register(id=SORTING.name, entry_point="toy_envs.sorting:SortingEnv")


def make_mdp(env: str) -> TokenMDP:
    """The token MDP that is registered under a name. Raises BadInput, with the names that there are, for any other."""
    if env not in _TOKEN_MDPS:
        raise BadInput(f"env is {env!r}; expected one of {', '.join(map(repr, _TOKEN_MDPS))}")
    return _TOKEN_MDPS[env]


__all__ = ["SORTING", "BadInput", "SortingEnv", "TokenEnv", "TokenMDP", "Tokens", "make_mdp"]
