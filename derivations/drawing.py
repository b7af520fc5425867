"""The graph of lemmas, drawn: what rests on nothing stands at the bottom, and every arrow points down to what is used.

The drawing is a text for Graphviz or Mermaid, which lay it out themselves, or a picture in layers that is laid out here:
what hangs together is one piece, a node stands one layer above the highest that it rests on, and the order in a layer is
that of the middle of its neighbours, looked at a few times from both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

from derivations.checker.errors import BadInput

COLOURS = {"proved": "#d7f0dd", "conditional": "#fff1c9", "refuted": "#f9d5d3"}
NO_COLOUR = "#eeeeee"
SWEEPS = 8

# All in points.
NODE_HEIGHT, LETTER, PADDING = 22.0, 7.2, 8.0
GAP, LAYER_GAP, PIECE_GAP, MARGIN = 14.0, 60.0, 40.0, 20.0
ROW = 1200.0  # where a new row of pieces begins


@dataclass(frozen=True)
class Node:
    """An assertion: its identifier, its words, and its verdict's status."""

    name: str
    words: str
    status: str

    @property
    def colour(self) -> str:
        """The colour of its verdict."""
        return COLOURS.get(self.status, NO_COLOUR)

    @property
    def width(self) -> float:
        """How wide it is drawn."""
        return len(self.name) * LETTER + 2 * PADDING


@dataclass(frozen=True)
class Graph:
    """Nodes, and the pairs (what rests, on what); no arrow leads back to where it came from."""

    nodes: tuple[Node, ...]
    arrows: tuple[tuple[str, str], ...]


# --- texts ----------------------------------------------------------------------------------------------------------


def as_dot(graph: Graph) -> str:
    """The graph in the language of Graphviz."""
    lines = ["digraph lemmas {", '  node [shape=box, style="filled,rounded", fontname="sans-serif", fontsize=11];']
    for node in graph.nodes:
        lines.append(f"  {_quoted(node.name)} [fillcolor={_quoted(node.colour)}, tooltip={_quoted(node.words)}];")
    lines += [f"  {_quoted(above)} -> {_quoted(below)};" for above, below in graph.arrows]
    return "\n".join([*lines, "}", ""])


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def as_mermaid(graph: Graph) -> str:
    """The graph in Markdown, as Mermaid, with the words of each assertion below it."""
    numbers = {node.name: f"n{k}" for k, node in enumerate(graph.nodes)}
    lines = ["```mermaid", "graph TD"]
    lines += [f'  {numbers[node.name]}["{escape(node.name)}"]:::{_class(node)}' for node in graph.nodes]
    lines += [f"  {numbers[above]} --> {numbers[below]}" for above, below in graph.arrows]
    statuses = dict.fromkeys(_class(node) for node in graph.nodes)
    lines += [f"  classDef {name} fill:{COLOURS.get(name, NO_COLOUR)},stroke:#555,color:#000" for name in statuses]
    lines += ["```", "", "| id | statement | verdict |", "|---|---|---|"]
    lines += [f"| {_cell(node.name)} | {_cell(node.words)} | {_cell(node.status)} |" for node in graph.nodes]
    return "\n".join([*lines, ""])


def _class(node: Node) -> str:
    return node.status if node.status in COLOURS else "other"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


# --- the layout -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """The middle of each node, and the size of the whole; the top is y = 0."""

    places: Mapping[str, tuple[float, float]]
    width: float
    height: float


def laid_out(graph: Graph) -> Layout:
    """Where each node stands: what hangs together in one piece, the pieces in rows, as words are in lines."""
    places: dict[str, tuple[float, float]] = {}
    x = y = MARGIN
    widest = tallest = 0.0
    for piece in map(_piece, _pieces(graph)):
        if x > MARGIN and x + piece.width > ROW:
            x, y, tallest = MARGIN, y + tallest + LAYER_GAP, 0.0
        places |= {name: (x + across, y + down) for name, (across, down) in piece.places.items()}
        x += piece.width + PIECE_GAP
        widest, tallest = max(widest, x - PIECE_GAP), max(tallest, piece.height)
    return Layout(places, widest + MARGIN, y + tallest + MARGIN)


def _pieces(graph: Graph) -> list[Graph]:
    """The parts of a graph that no arrow connects, the largest first."""
    piece_of = {node.name: {node.name} for node in graph.nodes}
    for above, below in graph.arrows:
        if piece_of[above] is not piece_of[below]:
            piece_of[above] |= piece_of[below]
            piece_of |= dict.fromkeys(piece_of[below], piece_of[above])
    pieces = list({id(piece): piece for piece in piece_of.values()}.values())
    return [
        Graph(
            tuple(node for node in graph.nodes if node.name in piece),
            tuple(arrow for arrow in graph.arrows if arrow[0] in piece),
        )
        for piece in sorted(pieces, key=len, reverse=True)
    ]


def _piece(graph: Graph) -> Layout:
    """A piece in layers, each in the middle of the widest."""
    layers = _layers(graph)
    _order(layers, graph)
    nodes = {node.name: node for node in graph.nodes}
    widths = [sum(nodes[name].width for name in layer) + GAP * (len(layer) - 1) for layer in layers]
    whole = max(widths)
    places: dict[str, tuple[float, float]] = {}
    for depth, (layer, width) in enumerate(zip(reversed(layers), reversed(widths), strict=True)):
        x = (whole - width) / 2
        for name in layer:
            places[name] = (x + nodes[name].width / 2, NODE_HEIGHT / 2 + depth * LAYER_GAP)
            x += nodes[name].width + GAP
    return Layout(places, whole, NODE_HEIGHT + LAYER_GAP * (len(layers) - 1))


def _layers(graph: Graph) -> list[list[str]]:
    """The names in layers, from what rests on nothing upwards; a node stands above everything that it rests on."""
    rests_on: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for above, below in graph.arrows:
        rests_on[above].append(below)
    heights: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in heights:
            heights[name] = 1 + max(map(height, rests_on[name]), default=-1)
        return heights[name]

    layers: list[list[str]] = [[] for _ in range(1 + max(map(height, rests_on), default=-1))]
    for name in rests_on:
        layers[heights[name]].append(name)
    return layers


def _order(layers: list[list[str]], graph: Graph) -> None:
    """Puts each layer in the order of the middles of its neighbours, upwards and downwards in turn."""
    near: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for above, below in graph.arrows:
        near[above].append(below)
        near[below].append(above)
    rank = {name: place / len(layer) for layer in layers for place, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            middle = {n: sum(rank[o] for o in near[n]) / len(near[n]) if near[n] else rank[n] for n in layer}
            layer.sort(key=lambda name: (middle[name], name))
            rank.update((name, place / len(layer)) for place, name in enumerate(layer))


# --- pictures -------------------------------------------------------------------------------------------------------


def as_svg(graph: Graph) -> str:
    """The graph as a picture of lines and boxes; the words of an assertion show where the mouse rests on it."""
    layout = laid_out(graph)
    size = f"{layout.width:.0f} {layout.height:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="11">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for above, below in graph.arrows:
        (x1, y1), (x2, y2) = _ends(layout, above, below)
        middle = (y1 + y2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
        lines.append(f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>')
    for node in graph.nodes:
        x, y = layout.places[node.name]
        corner = f'x="{x - node.width / 2:.1f}" y="{y - NODE_HEIGHT / 2:.1f}"'
        box = f'<rect {corner} width="{node.width:.1f}" height="{NODE_HEIGHT}" rx="5" fill="{node.colour}" stroke="#555"/>'
        text = f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#000">{escape(node.name)}</text>'
        lines.append(f"<g><title>{escape(node.words)} ({escape(node.status)})</title>{box}{text}</g>")
    return "\n".join([*lines, "</svg>", ""])


def _ends(layout: Layout, above: str, below: str) -> tuple[tuple[float, float], tuple[float, float]]:
    (x1, y1), (x2, y2) = layout.places[above], layout.places[below]
    return (x1, y1 + NODE_HEIGHT / 2), (x2, y2 - NODE_HEIGHT / 2)


def as_png(graph: Graph) -> bytes:
    """The same picture in pixels, drawn by matplotlib; BadInput where that is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise BadInput("a .png is drawn by matplotlib, which is not installed; .svg needs nothing more") from missing
    layout = laid_out(graph)
    figure = Figure(figsize=(max(layout.width, 1) / 72, max(layout.height, 1) / 72), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, max(layout.width, 1))
    axes.set_ylim(max(layout.height, 1), 0)
    for above, below in graph.arrows:
        start, end = _ends(layout, above, below)
        axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#555555", "lw": 0.7})
    for node in graph.nodes:
        box = {"boxstyle": "round,pad=0.4", "facecolor": node.colour, "edgecolor": "#555555", "lw": 0.7}
        axes.text(*layout.places[node.name], node.name, ha="center", va="center", fontsize=9, bbox=box)
    written = BytesIO()
    FigureCanvasAgg(figure).print_png(written, metadata={"Software": None})
    return written.getvalue()


WRITERS: Mapping[str, Callable[[Graph], str | bytes]] = {
    ".dot": as_dot,
    ".md": as_mermaid,
    ".png": as_png,
    ".svg": as_svg,
}


def connected(nodes: Iterable[Node], arrows: Sequence[tuple[str, str]]) -> Graph:
    """The graph of those nodes that an arrow leaves or reaches."""
    reached = {name for arrow in arrows for name in arrow}
    return Graph(tuple(node for node in nodes if node.name in reached), tuple(arrows))


__all__ = ["WRITERS", "Graph", "Layout", "Node", "as_dot", "as_mermaid", "as_png", "as_svg", "connected", "laid_out"]
