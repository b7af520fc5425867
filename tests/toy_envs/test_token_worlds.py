"""What all the token worlds have in common: Gymnasium's checks, their names, their documentation, their writers."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from walking import prefixes

from toy_envs import ADDITION, BRACKETS, COPY, NAMES, SORTING, BadInput, TokenEnv, TokenMDP, TokenVectorEnv, make_mdp
from toy_envs.demonstrations import Writer

WORLDS = (SORTING, BRACKETS, ADDITION, COPY, NAMES)
WRITTEN = (SORTING, BRACKETS, ADDITION, COPY)  # by a writer whose law is known
HEADINGS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "Version History",
)


def each(*mdps: TokenMDP) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mdp", mdps, ids=lambda mdp: mdp.name.removeprefix("toy_envs/"))


def writer_of(mdp: TokenMDP) -> Writer:
    assert isinstance(mdp.demonstrations, Writer)
    return mdp.demonstrations


@each(*WORLDS)
@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_warn_of(mdp: TokenMDP) -> None:
    env = gymnasium.make(mdp.name).unwrapped
    check_env(env)
    assert isinstance(env, TokenEnv) and env.mdp is mdp is make_mdp(mdp.name)


@each(*WORLDS)
def test_the_docstring_has_gymnasiums_headings_and_says_what_is_so(mdp: TokenMDP) -> None:
    env = gymnasium.make(mdp.name, render_mode="ansi")
    assert isinstance(env.unwrapped, TokenEnv)
    told = env.unwrapped.__doc__ or ""
    assert tuple(re.findall(r"^    ## (.*)$", told, re.MULTILINE)) == HEADINGS
    assert f"`Discrete({mdp.size})`" in told
    places = ", ".join([str(mdp.size + 1)] * (mdp.prompt_length + mdp.horizon))
    assert f"`MultiDiscrete([{places}])`" in told
    assert f"β is {mdp.beta}." in told
    assert f'gymnasium.make("{mdp.name}", render_mode="ansi")' in told
    if mdp in WRITTEN:
        assert f"{mdp.responses()} responses on" in told and f"{mdp.prefixes()} prefixes" in told
    # The line of text that is shown is one that this world can show.
    shown = re.search(r"a line of text such as `(.*)`\.", told)
    assert shown is not None
    before, _, after = shown[1].partition("→ ")
    response = mdp.encode(after.rstrip("·"))
    env.reset(options={"prompt": mdp.prompts.index(mdp.encode(before.strip()))})
    for token in response:
        env.step(np.int64(token))
    assert env.render() == shown[1]


@each(*WORLDS)
def test_a_name_gives_the_environment_and_its_form_for_many(mdp: TokenMDP) -> None:
    spec = gymnasium.spec(mdp.name)
    assert gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()) == spec
    for mode in (None, "vector_entry_point"):
        envs = gymnasium.make_vec(mdp.name, num_envs=3, vectorization_mode=mode)
        assert isinstance(envs.unwrapped, TokenVectorEnv) and envs.unwrapped.mdp is mdp
        assert envs.num_envs == 3


@each(*WORLDS)
def test_worlds_go_to_other_processes_and_back(mdp: TokenMDP) -> None:
    assert pickle.loads(pickle.dumps(mdp)) == mdp


@each(*WRITTEN)
def test_a_writers_law_is_a_law_and_nothing_is_impossible(mdp: TokenMDP) -> None:
    """At every prefix: so the reference policy has full support, and π* is finite."""
    writer = writer_of(mdp)
    assert (writer.horizon, writer.end, writer.prompts) == (mdp.horizon, mdp.end, mdp.prompts)
    count = 0
    for prompt, tokens in prefixes(mdp):
        law = writer.law(prompt, tokens)
        assert len(law) == mdp.size and sum(law) == 1 and min(law) > 0
        count += 1
    assert count == mdp.prefixes()


@each(*WRITTEN)
def test_demonstrations_follow_the_law(mdp: TokenMDP) -> None:
    """The law of the first and of the second token to each prompt, in standard deviations."""
    writer = writer_of(mdp)
    samples = writer(np.random.default_rng(5), 40_000)
    drawn = Counter((x, y[:length]) for x, y in samples for length in (1, 2) if length <= len(y))
    chance = Fraction(1, len(mdp.prompts))
    cells = []
    for x in mdp.prompts:
        for a, first in enumerate(writer.law(x, ())):
            cells.append((drawn[x, (a,)], float(40_000 * chance * first)))
            if not mdp.is_over((a,)):
                cells += [
                    (drawn[x, (a, b)], float(40_000 * chance * first * second))
                    for b, second in enumerate(writer.law(x, (a,)))
                ]
    large = [(count, expected) for count, expected in cells if expected >= 20]
    deviations = [(count - expected) / expected**0.5 for count, expected in large]
    # Of some hundred deviations none is expected beyond five; the seed is fixed.
    assert len(large) > 20 and max(map(abs, deviations)) < 5


@each(*WORLDS)
def test_demonstrations_are_finished_responses_and_decided_by_the_generator(mdp: TokenMDP) -> None:
    assert mdp.demonstrations is not None
    first, again, other = (mdp.demonstrations(np.random.default_rng(seed), 200) for seed in (1, 1, 2))
    assert first == again != other
    assert mdp.demonstrations(np.random.default_rng(1), 0) == []
    for prompt, response in first:
        assert prompt in mdp.prompts and mdp.is_over(response) and not mdp.is_over(response[:-1])
        assert all(type(token) is int and 0 <= token < mdp.size for token in response)


def test_only_copy_is_trained_on_a_proxy() -> None:
    assert [mdp.name for mdp in WORLDS if mdp.true_reward is not None] == ["toy_envs/Copy-v0"]


@pytest.mark.parametrize(
    "law", [(Fraction(1, 2), Fraction(1, 3)), (Fraction(3, 2), Fraction(-1, 2))], ids=["sum 5/6", "negative"]
)
def test_what_is_no_law_is_refused(law: tuple[Fraction, ...]) -> None:
    writer = Writer(lambda prompt, tokens: law, horizon=2)
    told = f"law: {law[0]}, {law[1]} after the prompt () and the tokens (); expected probabilities, of sum 1"
    with pytest.raises(BadInput) as refused:
        writer(np.random.default_rng(0), 1)
    assert str(refused.value) == told
