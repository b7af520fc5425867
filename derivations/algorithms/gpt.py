"""The tiny GPT: a policy over tokens with a value head and a key-value cache, readable in one sitting.

How it differs from GPT-2, and why:
1. Its layer norms have no scale and no shift: the linear map behind each can take them over.
2. Policy and value share the trunk; a value loss therefore moves the policy, too (PPO.16).
3. There is no dropout and no temperature: the policy that samples is the policy that is scored (IS.4).
4. Tensors are time-major inside, so that one more token is appended to the cache by one copy, and the attention of
   a single query is a product and a sum: on a CPU that is faster than a call of the general kernel.
5. Every sequence begins with a start token, whose number is the size of the vocabulary; it is read, never written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toy_envs.errors import BadInput


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a tiny GPT.

    `vocabulary` is the number of tokens that it can write, `context` the most tokens that it reads, the start token
    among them, `layers` the number of blocks, `width` the numbers that stand for a token, `heads` the heads of each
    attention. Raises BadInput where a size is not positive or `heads` does not divide `width`.
    """

    vocabulary: int
    context: int
    layers: int = 2
    width: int = 32
    heads: int = 2

    def __post_init__(self) -> None:
        for name in ("vocabulary", "context", "layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.width % self.heads:
            raise BadInput(f"heads is {self.heads}; expected a divisor of width, which is {self.width}")


class Cache(NamedTuple):
    """What the attention keeps of the tokens that were read: keys and values of each layer, [time, batch, heads, dim]."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def rows(self, index: Tensor) -> Cache:
        """The cache of the sequences `index` [rows], each as often as it is named."""
        return Cache(
            tuple(key.index_select(1, index) for key in self.keys),
            tuple(value.index_select(1, index) for value in self.values),
        )


class Output(NamedTuple):
    """What the model says after each token: logits [batch, time, vocabulary], values [batch, time], and its cache."""

    logits: Tensor
    values: Tensor
    cache: Cache


class Attention(nn.Module):
    """Causal self-attention with several heads."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.read = nn.Linear(config.width, 3 * config.width)
        self.write = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """What is added to x [time, batch, width], and the keys and values of all tokens up to now."""
        time, batch, width = x.shape
        split = self.read(x).view(time, batch, 3, self.heads, width // self.heads)  # [time, batch, 3, heads, dim]
        query, key, value = split.unbind(2)  # each [time, batch, heads, dim]
        if past is not None:
            key = torch.cat((past[0], key))  # [past + time, batch, heads, dim]
            value = torch.cat((past[1], value))  # [past + time, batch, heads, dim]
        mixed = one_query(query, key, value) if time == 1 else causal(query, key, value)  # [time, batch, heads, dim]
        return self.write(mixed.reshape(time, batch, width)), key, value


def one_query(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The attention of the last token [1, batch, heads, dim] to itself and all before it [past + 1, …]."""
    scores = (query * key).sum(-1) / math.sqrt(query.shape[-1])  # [past + 1, batch, heads]
    weights = scores.softmax(0).unsqueeze(-1)  # [past + 1, batch, heads, 1]
    return (weights * value).sum(0, keepdim=True)  # [1, batch, heads, dim]


def causal(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The attention of each token of whole sequences [time, batch, heads, dim] to itself and those before it."""
    q, k, v = (part.permute(1, 2, 0, 3) for part in (query, key, value))  # [batch, heads, time, dim]
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # [batch, heads, time, dim]
    return mixed.permute(2, 0, 1, 3)  # [time, batch, heads, dim]


class Block(nn.Module):
    """One layer: attention, then a network on each token alone, each added to what it reads."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.widen = nn.Linear(config.width, 4 * config.width)
        self.narrow = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """The next layer's x [time, batch, width], and this layer's keys and values."""
        added, key, value = self.attention(normed(x), past)
        x = x + added  # [time, batch, width]
        x = x + self.narrow(F.gelu(self.widen(normed(x))))  # [time, batch, width]
        return x, key, value


def normed(x: Tensor) -> Tensor:
    """Layer norm without scale and shift."""
    return F.layer_norm(x, x.shape[-1:])


class GPT(nn.Module):
    """A policy π(next token∣tokens so far) and a value for each prefix.

    Parameters: `config` are the sizes; `seed` fixes the first weights. The value head starts at zero.
    """

    def __init__(self, config: GPTConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary + 1, config.width)
        self.place = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.policy = nn.Linear(config.width, config.vocabulary)
        self.value = nn.Linear(config.width, 1)
        self._start_from(torch.Generator().manual_seed(seed))

    def _start_from(self, generator: torch.Generator) -> None:
        deep = 1 / math.sqrt(2 * self.config.layers)  # so that the sum of all blocks has the size of one
        for name, parameter in self.named_parameters():
            if name.startswith("value.") or name.endswith(".bias"):
                nn.init.zeros_(parameter)
            else:
                scale = 1 / math.sqrt(parameter.shape[-1]) if name.endswith(".weight") and "blocks" in name else 0.1
                into_the_sum = name.endswith(("write.weight", "narrow.weight"))
                nn.init.normal_(parameter, std=scale * (deep if into_the_sum else 1.0), generator=generator)

    @property
    def start(self) -> int:
        """The token with which every sequence begins."""
        return self.config.vocabulary

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Output:
        """Reads tokens [batch, time]: whole sequences, or with a cache the one token that follows what it holds.

        Raises BadInput where the sequence is longer than the context, or where several tokens follow a cache.
        """
        read = 0 if cache is None else cache.keys[0].shape[0]
        time = tokens.shape[1]
        if read + time > self.config.context:
            raise BadInput(f"tokens: {read + time} in a sequence; expected at most the context, {self.config.context}")
        if cache is not None and time != 1:
            raise BadInput(f"tokens: {time} behind a cache; expected one at a time")
        places = torch.arange(read, read + time, device=tokens.device)  # [time]
        x = self.token(tokens.T) + self.place(places).unsqueeze(1)  # [time, batch, width]
        keys, values = [], []
        for layer, block in enumerate(self.blocks):
            past = None if cache is None else (cache.keys[layer], cache.values[layer])
            x, key, value = block(x, past)  # x [time, batch, width]
            keys.append(key)
            values.append(value)
        x = normed(x).transpose(0, 1)  # [batch, time, width]
        logits = self.policy(x)  # [batch, time, vocabulary]
        return Output(logits, self.value(x).squeeze(-1), Cache(tuple(keys), tuple(values)))
