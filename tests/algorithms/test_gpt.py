"""The tiny GPT: the cache changes nothing, the future changes nothing, sizes are checked."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from derivations.algorithms.gpt import GPT, Cache, GPTConfig, Output, causal, one_query
from toy_envs.errors import BadInput

CONFIG = GPTConfig(vocabulary=11, context=9, layers=3, width=24, heads=4)


def model(seed: int = 0) -> GPT:
    made = GPT(CONFIG, seed)
    torch.nn.init.normal_(made.value.weight, std=0.1, generator=torch.Generator().manual_seed(seed))
    return made


def random_tokens(batch: int, time: int) -> torch.Tensor:
    return torch.randint(0, CONFIG.vocabulary + 1, (batch, time), generator=torch.Generator().manual_seed(5))


def one_by_one(gpt: GPT, tokens: torch.Tensor) -> Output:
    """The same tokens, each after the first read through the cache."""
    outputs = [gpt(tokens[:, :1])]
    for t in range(1, tokens.shape[1]):
        outputs.append(gpt(tokens[:, t : t + 1], outputs[-1].cache))
    return Output(
        torch.cat([o.logits for o in outputs], 1), torch.cat([o.values for o in outputs], 1), outputs[-1].cache
    )


def test_logits_and_values_with_the_cache_are_those_without() -> None:
    gpt, tokens = model(), random_tokens(7, CONFIG.context)
    whole, stepped = gpt(tokens), one_by_one(gpt, tokens)
    assert (whole.logits - stepped.logits).abs().max() < 1e-6
    assert (whole.values - stepped.values).abs().max() < 1e-6
    assert whole.logits.std() > 0.1, "logits that are all alike would agree anyway"


def test_a_cache_of_other_sequences_is_noticed() -> None:
    gpt, tokens = model(), random_tokens(7, CONFIG.context)
    _, _, cache = gpt(tokens[:, :-1])
    right = gpt(tokens[:, -1:], cache).logits
    wrong = gpt(tokens[:, -1:], cache.rows(torch.arange(7).roll(1))).logits
    assert (right - wrong).abs().max() > 1e-3


def test_rows_of_a_cache_continue_the_sequences_that_they_name() -> None:
    gpt, tokens = model(), random_tokens(5, 4)
    rows = torch.tensor([3, 3, 0])
    _, _, cache = gpt(tokens)
    following = torch.tensor([[1], [2], [1]])
    whole = gpt(torch.cat((tokens[rows], following), 1)).logits[:, -1:]
    assert (gpt(following, cache.rows(rows)).logits - whole).abs().max() < 1e-6


def test_gradients_pass_through_the_cache() -> None:
    gpt, tokens = model().double(), random_tokens(3, 5)
    weights = list(gpt.parameters())
    whole = torch.autograd.grad(gpt(tokens).logits.log_softmax(-1)[..., 0].sum(), weights, materialize_grads=True)
    stepped = torch.autograd.grad(
        one_by_one(gpt, tokens).logits.log_softmax(-1)[..., 0].sum(), weights, materialize_grads=True
    )
    for one, other in zip(whole, stepped, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_no_token_sees_the_ones_after_it() -> None:
    gpt, tokens = model(), random_tokens(4, 6)
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 1) % CONFIG.vocabulary
    before, after = gpt(tokens).logits, gpt(changed).logits
    assert torch.equal(before[:, :3], after[:, :3])
    assert (before[:, 3:] - after[:, 3:]).abs().max() > 1e-3


def test_the_attention_of_one_query_is_the_last_row_of_the_causal_one() -> None:
    query, key, value = torch.randn(3, 6, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    last = causal(query, key, value)[-1:]
    assert torch.allclose(one_query(query[-1:], key, value), last, atol=1e-14)
    assert not torch.allclose(one_query(query[-1:], key[:-1], value[:-1]), last, atol=1e-3)


def test_layers_add_to_what_they_read() -> None:
    """The trunk of a model whose blocks write nothing is the embedding."""
    gpt = model()
    for block in gpt.blocks:
        for linear in (block.attention.write, block.narrow):
            torch.nn.init.zeros_(linear.weight)
    tokens = random_tokens(2, 3)
    x = gpt.token(tokens) + gpt.place(torch.arange(3))
    expected = gpt.policy(torch.nn.functional.layer_norm(x, (CONFIG.width,)))
    assert torch.allclose(gpt(tokens).logits, expected, atol=1e-6)


def test_weights_follow_the_seed() -> None:
    states = [GPT(CONFIG, seed).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))
    assert not torch.equal(states[0]["policy.weight"], states[2]["policy.weight"])


def test_values_start_at_zero() -> None:
    assert torch.equal(GPT(CONFIG)(random_tokens(3, 4)).values, torch.zeros(3, 4))


def test_the_cache_grows_by_one_token_a_step() -> None:
    gpt, tokens = model(), random_tokens(2, 4)
    caches: list[Cache] = [gpt(tokens[:, :1]).cache]
    for t in range(1, 4):
        caches.append(gpt(tokens[:, t : t + 1], caches[-1]).cache)
    assert [cache.keys[0].shape[0] for cache in caches] == [1, 2, 3, 4]
    for before, after in pairwise(caches):
        assert torch.equal(after.keys[2][:-1], before.keys[2])


def test_more_tokens_than_the_context_are_refused() -> None:
    gpt = model()
    with pytest.raises(BadInput, match="10 in a sequence; expected at most the context, 9"):
        gpt(random_tokens(1, 10))
    _, _, cache = gpt(random_tokens(1, 9))
    with pytest.raises(BadInput, match="10 in a sequence"):
        gpt(random_tokens(1, 1), cache)


def test_several_tokens_behind_a_cache_are_refused() -> None:
    gpt = model()
    _, _, cache = gpt(random_tokens(1, 2))
    with pytest.raises(BadInput, match="2 behind a cache; expected one at a time"):
        gpt(random_tokens(1, 2), cache)


@pytest.mark.parametrize("name", ["vocabulary", "context", "layers", "width", "heads"])
def test_sizes_are_positive(name: str) -> None:
    with pytest.raises(BadInput, match=f"{name} is 0; expected at least 1"):
        GPTConfig(**{"vocabulary": 2, "context": 2, name: 0})


def test_heads_divide_the_width() -> None:
    with pytest.raises(BadInput, match="heads is 3; expected a divisor of width, which is 32"):
        GPTConfig(vocabulary=2, context=2, heads=3)
