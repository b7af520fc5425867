"""derivations graph: what is drawn, in which files, and what is refused."""

from __future__ import annotations

import builtins
import os
import re
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from planted_claims import everything

from derivations.cli.graph import graph_of
from derivations.drawing import Graph, Node, as_dot, as_mermaid, as_svg, laid_out
from derivations.ledger import Ledger

SVG = "{http://www.w3.org/2000/svg}"
DIAMOND = Graph(
    tuple(Node(name, f"the words of {name}", "proved") for name in "abcdefg"),
    (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d"), ("e", "f")),
)


def drawn(run: Any, folder: Path, ending: str, *arguments: str) -> bytes:
    target = folder / f"lemmas{ending}"
    result = run("graph", "--out", target, *arguments)
    assert (result.code, result.err) == (0, "")
    assert [path.name for path in folder.iterdir()] == [target.name]
    assert result.out.endswith(f": {target}\n")
    return target.read_bytes()


def test_dot_has_each_use_of_a_lemma_once(plant, run, tmp_path: Path) -> None:
    plant(everything())
    text = drawn(run, tmp_path, ".dot").decode("utf-8")
    assert re.findall(r'"(\S+)" -> "(\S+)";', text) == [("T.4", "T.3"), ("T.5", "T.4")]
    assert re.findall(r'^  "(\S+)" \[', text, re.MULTILINE) == ["T.3", "T.4", "T.5"]
    assert text.startswith("digraph") and text.count("{") == text.count("}")


def test_what_a_claim_rests_on_is_drawn_down_to_the_last(plant, run, tmp_path: Path) -> None:
    plant(everything())
    text = drawn(run, tmp_path, ".dot", "T.5").decode("utf-8")
    assert re.findall(r'"(\S+)" -> "(\S+)";', text) == [("T.5", "T.4"), ("T.4", "T.3")]
    assert "T.1" not in text


def test_mermaid_in_markdown(plant, run, tmp_path: Path) -> None:
    plant(everything())
    text = drawn(run, tmp_path, ".md").decode("utf-8")
    assert text.startswith("```mermaid\ngraph TD\n")
    assert '  n1["T.4"]:::proved\n' in text
    assert "  n1 --> n0\n" in text and "  n2 --> n1\n" in text
    assert "| T.5 | the words of T.5 | proved |\n" in text


def test_svg_is_well_formed_and_whole(plant, run, tmp_path: Path) -> None:
    plant(everything())
    root = ElementTree.fromstring(drawn(run, tmp_path, ".svg"))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["T.3", "T.4", "T.5"]
    assert len([path for path in root.iter(f"{SVG}path") if path.get("marker-end")]) == 2
    assert next(title.text for title in root.iter(f"{SVG}title")) == "the words of T.3 (proved)"


def test_png_is_a_picture(plant, run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plant(everything())
    assert drawn(run, tmp_path, ".png").startswith(b"\x89PNG\r\n\x1a\n")


def test_png_without_matplotlib_is_refused_by_name(monkeypatch, plant, run, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *details: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *details, **more)

    plant(everything())
    monkeypatch.setattr(builtins, "__import__", without)
    result = run("graph", "--out", tmp_path / "lemmas.png")
    assert (result.code, list(tmp_path.iterdir())) == (2, [])
    assert "matplotlib" in result.err and ".svg" in result.err


@pytest.mark.parametrize(("name", "told"), [("lemmas.pdf", "the ending .pdf"), ("lemmas", "a name without an ending")])
def test_an_unknown_ending_is_refused_before_anything_is_judged(plant, run, tmp_path, name: str, told: str) -> None:
    plant([])
    result = run("graph", "--out", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"Error: --out {tmp_path / name}: {told} is not known; expected one of .dot, .md, .png, .svg\n"


def test_a_folder_that_is_not_there_is_refused(plant, run, tmp_path: Path) -> None:
    plant(everything())
    result = run("graph", "--out", tmp_path / "nowhere" / "lemmas.svg")
    assert result.code == 2
    assert result.err.startswith("Error: --out ")


def test_a_write_that_fails_leaves_the_old_file(monkeypatch, plant, run, tmp_path: Path) -> None:
    target = tmp_path / "lemmas.svg"
    target.write_text("old", encoding="utf-8")
    plant(everything())
    run("verify")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert run("graph", "--out", target).code == 2
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["lemmas.svg"]


# --- the drawing ----------------------------------------------------------------------------------------------------


def test_every_arrow_points_down_and_no_two_nodes_overlap() -> None:
    layout = laid_out(DIAMOND)
    assert set(layout.places) == set("abcdefg")
    for above, below in DIAMOND.arrows:
        assert layout.places[above][1] < layout.places[below][1]
    widths = {node.name: node.width for node in DIAMOND.nodes}
    for one, other in combinations(layout.places, 2):
        (x1, y1), (x2, y2) = layout.places[one], layout.places[other]
        assert y1 != y2 or abs(x1 - x2) >= (widths[one] + widths[other]) / 2
    for x, y in layout.places.values():
        assert 0 < x < layout.width and 0 < y < layout.height


def test_many_pieces_go_into_rows() -> None:
    nodes = tuple(Node(f"N.{n}", "words", "proved") for n in range(200))
    graph = Graph(nodes, tuple((f"N.{n}", f"N.{n + 1}") for n in range(0, 200, 2)))
    layout = laid_out(graph)
    assert layout.width < 1300
    assert len(set(layout.places.values())) == 200


def test_a_graph_of_nothing_is_drawn() -> None:
    for writer in (as_dot, as_mermaid, as_svg):
        assert writer(Graph((), ()))


def test_names_and_words_cannot_break_out_of_the_file() -> None:
    odd = Graph((Node('a"]<b>', 'words "] | <script>\n-->', "unknown"),), ())
    assert r'"a\"]<b>" [' in as_dot(odd)
    assert "<script>" not in as_svg(odd)
    assert '["a&quot;]&lt;b&gt;"]' in as_mermaid(odd)
    assert r"\| <script> -->" in as_mermaid(odd)
    ElementTree.fromstring(as_svg(odd))


def test_the_lemmas_of_the_claims_are_drawn() -> None:
    ledger = Ledger()
    graph = graph_of(ledger, ledger.select(["OP.16"]))
    assert ("OP.16", "OP.8") in graph.arrows and ("OP.8", "OP.3") in graph.arrows
    assert len(set(graph.arrows)) == len(graph.arrows)
