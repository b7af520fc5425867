"""Bandit-v0: a prompt, one response, a score; the setting of source A with nothing left out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from toy_envs.errors import BadInput
from toy_envs.tabular_env import TabularEnv, TabularVectorEnv
from toy_envs.tabular_mdp import Policy, TabularMDP


def contextual_bandit(
    name: str,
    prompts: Sequence[str],
    responses: Sequence[str],
    prompt_law: Sequence[Fraction],
    rewards: Sequence[Sequence[Fraction]],
    beta: Fraction | None = None,
    reference: Policy | None = None,
) -> TabularMDP:
    """The MDP of one step: ρ(s_0) = P(x), the action is the response y, the reward r(x, y), and the episode is over.

    Arguments:
        prompt_law: P(x), one for each prompt, of sum 1.
        rewards: rewards[x][y] = r(x, y).
        beta, reference: the KL coefficient and π_ref(y∣x), both or neither.

    Raises BadInput where an argument is not as said here. Claims OP.1, OP.2. Source: A.
    """
    if len(rewards) != len(prompts) or any(len(row) != len(responses) for row in rewards):
        raise BadInput(
            f"rewards has the shape {[len(row) for row in rewards]}; expected {[len(responses)] * len(prompts)}"
        )
    return TabularMDP(
        name=name,
        states=tuple(prompts),
        actions=tuple(responses),
        initial=tuple(prompt_law),
        # The prompt stays what is looked at: after the response there is nothing new to see.
        transitions=tuple(
            tuple(((Fraction(1), prompt, reward, True),) for reward in row) for prompt, row in enumerate(rewards)
        ),
        beta=beta,
        reference=reference,
    )


BANDIT = contextual_bandit(
    name="toy_envs/Bandit-v0",
    prompts=("a question", "a joke", "an insult"),
    responses=("an answer", "a laugh", "an apology", "silence"),
    prompt_law=(Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)),
    # In steps of β, so that exp(r/β) is a whole power of e. The reference is likeliest to write what scores badly.
    rewards=(
        (Fraction(1), Fraction(0), Fraction(1, 4), Fraction(0)),
        (Fraction(1, 4), Fraction(1), Fraction(0), Fraction(1, 2)),
        (Fraction(1, 4), Fraction(0), Fraction(1, 2), Fraction(3, 4)),
    ),
    beta=Fraction(1, 4),
    reference=(
        (Fraction(1, 5), Fraction(2, 5), Fraction(1, 5), Fraction(1, 5)),
        (Fraction(3, 10), Fraction(1, 10), Fraction(1, 2), Fraction(1, 10)),
        (Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(1, 8)),
    ),
)


class BanditEnv(TabularEnv):
    """
    A prompt is drawn, one response is given, and it is scored.

    ## Description
    A contextual bandit: the language model's problem with whole responses as actions (claims OP.1 to OP.13; source A).
    Its policy of largest E[r] − β D(π‖π_ref) is π_ref(y∣x) exp(r(x, y)/β)/z(x), with β = 1/4.

    ## Action Space
    `Discrete(4)`: the response.

    | number | response |
    |---|---|
    | 0 | an answer |
    | 1 | a laugh |
    | 2 | an apology |
    | 3 | silence |

    ## Observation Space
    `Discrete(3)`: the prompt.

    | number | prompt | probability |
    |---|---|---|
    | 0 | a question | 1/2 |
    | 1 | a joke | 1/3 |
    | 2 | an insult | 1/6 |

    ## Starting State
    A prompt with its probability; `reset(options={"state": x})` begins with the prompt x instead.

    ## Rewards
    The score of the response to the prompt. A KL penalty belongs to what is trained, and is added there.

    | | an answer | a laugh | an apology | silence |
    |---|---|---|---|---|
    | a question | 1 | 0 | 1/4 | 0 |
    | a joke | 1/4 | 1 | 0 | 1/2 |
    | an insult | 1/4 | 0 | 1/2 | 3/4 |

    ## Episode End
    The episode terminates with the response. It is never truncated.

    ## Information
    `step()` and `reset()` return an empty dict. `P[s][a]` is the table; the reference policy is `mdp.reference`.

    ## Arguments

    ```python
    import gymnasium
    import toy_envs

    gymnasium.make("toy_envs/Bandit-v0", render_mode="ansi")
    gymnasium.make_vec("toy_envs/Bandit-v0", num_envs=1000, vectorization_mode="vector_entry_point")
    ```

    `render_mode` is None, or "ansi" for the prompt as text.

    ## Version History
    - v0: Initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(BANDIT, render_mode)


class BanditVectorEnv(TabularVectorEnv):
    """Many episodes of Bandit-v0 at once: see `BanditEnv` for what they are, `TabularVectorEnv` for how they are run."""

    def __init__(self, num_envs: int = 1, **arguments: Any) -> None:
        super().__init__(BANDIT, num_envs, **arguments)
