from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import pytest
from echo_mdp import ECHO_ID, echo_mdp

from toy_envs import TokenEnv, TokenMDP


@pytest.fixture
def echo() -> TokenMDP:
    return echo_mdp()


@pytest.fixture
def echo_id(echo: TokenMDP) -> Iterator[str]:
    """The same, registered: check_env looks at the render modes of registered environments only."""
    gymnasium.register(id=ECHO_ID, entry_point="toy_envs:TokenEnv", kwargs={"mdp": echo})
    yield ECHO_ID
    del gymnasium.registry[ECHO_ID]


@pytest.fixture
def env(echo: TokenMDP) -> TokenEnv:
    return TokenEnv(echo, render_mode="ansi")
