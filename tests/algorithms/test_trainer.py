"""Training to a known optimum, over seeds; the same seed, the same run; a run that is no longer finite stops."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import exact, losses, trainer
from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.gpt import GPT
from derivations.algorithms.kl import k1
from derivations.algorithms.trainer import ALGORITHMS, Diverged, Settings, Trainer, settings_for
from toy_envs import SORTING
from toy_envs.errors import BadInput


def reference() -> GPT:
    assert SORTING.reference is not None
    return load_policy(SORTING.reference)


def last_of(algorithm: str, **given: float) -> dict[str, float]:
    *_, last = Trainer(SORTING, reference(), settings_for(algorithm, **given)).run()
    return last


# --- the world ------------------------------------------------------------------------------------------------------


def test_the_reference_policy_is_at_least_two_nats_from_the_optimum_and_not_uniform() -> None:
    tree = exact.prefix_tree(SORTING)
    with torch.no_grad():
        logp_ref = tuple(level.double() for level in exact.tree_logp(reference(), tree))
    best = exact.optimum(tree, logp_ref, SORTING.beta)
    assert exact.kl(tree, best.logp, logp_ref) >= 2
    assert exact.kl(tree, logp_ref, best.logp) >= 2
    uniform = tuple(torch.full_like(level, 1 / SORTING.size).log() for level in logp_ref)
    assert exact.kl(tree, logp_ref, uniform) >= 0.5


# --- learning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_ppo_comes_within_two_hundredths_of_the_optimum(seed: int) -> None:
    assert last_of("ppo", seed=seed, updates=50)["regret_share"] <= 0.02


def test_reinforce_learns_too_and_is_slower() -> None:
    slow = last_of("reinforce", updates=50)["regret_share"]
    assert 0.02 < slow < 0.3


def test_a_penalty_of_the_wrong_sign_leads_away_from_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "k1", lambda logp, logp_ref: -k1(logp, logp_ref))
    assert last_of("ppo", updates=30)["regret_share"] > 0.1


def test_without_the_penalty_it_ends_beyond_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "k1", lambda logp, logp_ref: torch.zeros_like(logp))
    last = last_of("ppo", updates=50)
    assert last["score"] > 0.99
    assert last["regret_share"] > 0.02


# --- the pieces -----------------------------------------------------------------------------------------------------


def test_the_metrics_before_the_first_update_are_those_of_the_reference() -> None:
    first = next(Trainer(SORTING, reference(), settings_for("ppo")).run())
    assert first["update"] == 0
    assert first["regret_share"] == 1
    assert first["kl"] == pytest.approx(0, abs=1e-12)


def test_the_first_ratio_of_a_batch_is_one() -> None:
    """In one minibatch of one epoch nothing has moved: every ratio is 1 (IS.4), nothing is clipped."""
    told = Trainer(SORTING, reference(), settings_for("ppo", epochs=1, minibatches=1)).update()
    assert (told["ratio_least"], told["ratio_most"], told["clip_fraction"]) == (1, 1, 0)


def test_what_a_batch_says_of_each_token() -> None:
    """Rewards, returns and advantages against sums over each response, in a world with an end token."""
    policy, mdp = policy_for(ENDING, 7, torch.float32), ENDING
    made = Trainer(mdp, policy_for(ENDING, 8, torch.float32), settings_for("ppo", lam=1.0, episodes=64))
    made.policy.load_state_dict(policy.state_dict())
    batch, told = made.collect()
    mask = batch.responses.mask
    for row, length in enumerate(mask.sum(-1).tolist()):
        prompt = tuple(batch.responses.prompts[row].tolist())
        tokens = tuple(batch.responses.tokens[row, :length].tolist())
        log_ratio = batch.logp_old[row] - trainer.score(made.reference, batch.responses).logp[row]
        returned = mdp.reward(prompt, tokens) - mdp.beta * log_ratio[:length].sum().item()
        assert batch.rewards[row].sum().item() == pytest.approx(returned, abs=1e-5)
        assert batch.returns[row, :length].tolist() == pytest.approx([returned] * length, abs=1e-5)
        to_go = returned + mdp.beta * log_ratio[0].item() if length > 1 else mdp.reward(prompt, tokens)
        if length > 1:
            assert batch.targets[row, 1].item() == pytest.approx(to_go, abs=1e-5)
    assert told["sampled_score"] == pytest.approx(trainer.final_scores(mdp, batch.responses).mean().item())
    assert 0 < mask.float().mean() < 1


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [list(Trainer(SORTING, reference(), settings_for("ppo", seed=seed, updates=3)).run()) for seed in (4, 4, 5)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_reference_policy_is_not_trained() -> None:
    made = Trainer(SORTING, reference(), settings_for("ppo", updates=2))
    list(made.run())
    for before, after in zip(reference().parameters(), made.reference.parameters(), strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(made.policy.policy.weight, made.reference.policy.weight)


def test_metrics_of_minibatches_are_put_together_by_name() -> None:
    steps = [{"a": 1.0, "x_least": 2.0, "x_most": 3.0}, {"a": 2.0, "x_least": 1.0, "x_most": 5.0}]
    assert trainer._together(steps) == {"a": 1.5, "x_least": 1.0, "x_most": 5.0}


# --- what stops a run, and what is refused --------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_names_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def spoilt(*given: Any) -> losses.Loss:
        calls.append(given)
        loss, told = ALGORITHMS["reinforce"].loss(*given)
        return (loss * nan if len(calls) == 8 else loss), told

    monkeypatch.setitem(trainer.ALGORITHMS, "ppo", replace(ALGORITHMS["ppo"], loss=spoilt))
    made = Trainer(SORTING, reference(), settings_for("ppo", epochs=2, minibatches=3))
    made.update()
    with pytest.raises(Diverged, match="update 2, epoch 1, minibatch 2: loss is nan"):
        made.update()


def test_weights_that_are_not_numbers_name_the_step() -> None:
    made = Trainer(SORTING, reference(), settings_for("reinforce", learning_rate=1e30))
    with pytest.raises(Diverged, match=r"update 1: regret is nan|update 2"):
        list(made.run())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"algorithm": "dpo"}, "algorithm is 'dpo'; expected one of reinforce, ppo"),
        ({"updates": 0}, "updates is 0; expected at least 1"),
        ({"minibatches": 300}, "minibatches is 300; expected at most episodes, which is 256"),
        ({"seed": -1}, "seed is -1; expected a number from 0"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; expected a number from 0 to inf"),
        ({"gamma": 1.5}, "gamma is 1.5; expected a number from 0 to 1"),
        ({"lam": nan}, "lam is nan; expected a number from 0 to 1"),
        ({"clip_range": 1.0}, "clip_range is 1.0; expected a number between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Settings(**{"algorithm": "ppo", **given})


def test_an_algorithm_brings_its_own_defaults_and_the_user_overrides_them() -> None:
    assert settings_for("reinforce").epochs == 1
    assert settings_for("reinforce", epochs=3).epochs == 3
    assert settings_for("ppo").epochs == 4
    with pytest.raises(BadInput, match="algorithm is 'dpo'"):
        settings_for("dpo")
