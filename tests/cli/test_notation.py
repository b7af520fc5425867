"""The table of symbols: complete, without two rows that read alike, and found by any usual spelling."""

from __future__ import annotations

import pytest

from derivations.checker.errors import BadInput
from derivations.notation import OTHER_SPELLINGS, SYMBOLS, Symbol, _key, ascii_spelling, lookup

FIELD = (
    "x y s a τ h t T r r_t G R̂ ρ P π π_θ π_old π_ref π* β z J V Q A γ λ ε σ θ φ D(p‖q) H g δ "
    "ratio β_TRPO δ_KL L_CPI L_CLIP"
)


def named(name: str) -> Symbol:
    return next(symbol for symbol in SYMBOLS if symbol.name == name)


@pytest.mark.parametrize("name", FIELD.split())
def test_the_field_is_covered(name: str) -> None:
    assert lookup(name).name == name


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: ascii_spelling(symbol.name))
def test_each_symbol_is_told_in_full_and_found_by_each_spelling(symbol: Symbol) -> None:
    assert all((symbol.latex, symbol.sort, symbol.domain, symbol.meaning, symbol.source))
    assert ascii_spelling(symbol.name).isascii()
    for spelling in (symbol.name, ascii_spelling(symbol.name), symbol.latex, f" {symbol.name} "):
        assert lookup(spelling) is symbol


def test_no_two_symbols_are_written_alike() -> None:
    keys = [_key(symbol.name) for symbol in SYMBOLS]
    assert len(set(keys)) == len(keys)
    # A spelling of LaTeX or of a source may not hide another symbol of ours.
    for symbol in SYMBOLS:
        assert _key(symbol.latex) not in set(keys) - {_key(symbol.name)}
    assert not {_key(spelling) for spelling in OTHER_SPELLINGS} & set(keys)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("pi", "π"),
        ("pi_ref", "π_ref"),
        ("pi*", "π*"),
        ("pi^*", "π*"),
        (r"\pi_{\mathrm{old}}", "π_old"),
        ("beta", "β"),
        ("beta_TRPO", "β_TRPO"),
        ("gamma", "γ"),
        ("epsilon", "ε"),
        ("ϵ", "ε"),
        ("Rhat", "R̂"),
        ("R_hat", "R̂"),
        ("KL", "D(p‖q)"),
        ("D(p||q)", "D(p‖q)"),
        ("H", "H"),
        ("h", "h"),
        ("r_t", "r_t"),
        ("r_t(θ)", "ratio"),
        ("R", "G"),
    ],
)
def test_spellings(typed: str, name: str) -> None:
    assert lookup(typed).name == name


def test_every_spelling_of_a_source_leads_to_a_symbol() -> None:
    for spelling, name in OTHER_SPELLINGS.items():
        assert lookup(spelling) is named(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("r", ["reward model", "ratio"]),
        ("r_t", ["ratio"]),
        ("β", ["opposite orders", "β_TRPO", "D(π_θ‖π_ref)", "D(π_old‖π_θ)"]),
        ("V", ["φ in V", "θ in VIII"]),
        ("δ", ["δ_KL"]),
        ("G", ["R(τ)"]),
    ],
)
def test_the_clashes_of_the_sources_are_told(name: str, told: list[str]) -> None:
    for words in told:
        assert words in named(name).clash


def test_what_we_write_instead_is_a_symbol_too() -> None:
    for name in ("ratio", "β_TRPO", "δ_KL", "r_φ", "V_φ"):
        assert any(name in symbol.clash for symbol in SYMBOLS if symbol.name != name)
        assert named(name)


def test_an_unknown_symbol_is_refused_with_near_matches() -> None:
    with pytest.raises(BadInput, match=r"'gama' is not known; did you mean .*γ"):
        lookup("gama")
    with pytest.raises(BadInput, match="lists them all"):
        lookup("@@@@")


def test_the_command_shows_the_whole_table(run) -> None:
    result = run("notation")
    assert (result.code, result.err) == (0, "")
    first = [line.split()[0] for line in result.out.splitlines() if line.strip() and not line.startswith("   ")]
    assert [name for name in first if name in {symbol.name for symbol in SYMBOLS}] == [s.name for s in SYMBOLS]
    assert "clash: B writes R(τ)." in result.out


def test_the_command_shows_one_symbol_in_full(run) -> None:
    result = run("notation", "β")
    assert (result.code, result.err) == (0, "")
    symbol = named("β")
    facts = dict(line.strip().split(maxsplit=1) for line in result.out.splitlines() if line[0] != " ")
    assert facts["symbol"] == "β"
    assert facts["typed"] == "beta"
    assert facts["LaTeX"] == r"\beta"
    assert facts["domain"] == "(0, ∞)"
    told = " ".join(result.out.split())
    for words in (symbol.sort, symbol.meaning, symbol.source, symbol.clash):
        assert words in told
    assert run("notation", "beta") == result


def test_the_command_refuses_an_unknown_symbol(run) -> None:
    result = run("notation", "gama")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: symbol 'gama' is not known; did you mean ")
    assert result.err.count("\n") == 1
