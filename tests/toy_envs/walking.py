"""Every state of a token world, written one by one."""

from __future__ import annotations

from collections.abc import Iterator

from toy_envs import TokenMDP, Tokens


def prefixes(mdp: TokenMDP) -> Iterator[tuple[Tokens, Tokens]]:
    """Every prompt with every response that can go on."""
    waiting: list[tuple[Tokens, Tokens]] = [(prompt, ()) for prompt in mdp.prompts]
    while waiting:
        prompt, tokens = waiting.pop()
        if not mdp.is_over(tokens):
            yield prompt, tokens
            waiting += [(prompt, (*tokens, token)) for token in range(mdp.size)]


def finished(mdp: TokenMDP) -> Iterator[tuple[Tokens, Tokens]]:
    """Every prompt with every finished response."""
    for prompt, tokens in prefixes(mdp):
        yield from ((prompt, (*tokens, token)) for token in range(mdp.size) if mdp.is_over((*tokens, token)))
