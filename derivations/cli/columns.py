"""Long tables in columns, set without measuring every cell many times over: hundreds of rows are there at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

BETWEEN = "   "


class Cell(NamedTuple):
    """A text, which may have several lines, and its style."""

    text: str
    style: str = ""


class Columns:
    """Rows under a line of headings. One column takes what width is left, and is folded; others as much as they need.

    `most` limits the width of a column, which is folded too; the columns of `right` are set to the right.
    """

    def __init__(
        self,
        headings: Sequence[str],
        *,
        folded: int,
        most: Mapping[int, int] | None = None,
        right: Collection[int] = (),
    ) -> None:
        self.headings = [Cell(heading, "bold") for heading in headings]
        self.folded = folded
        self.most = dict(most or {})
        self.right = frozenset(right)
        self.rows: list[Sequence[Cell] | None] = []

    def add(self, *cells: Cell | str, style: str = "") -> None:
        """One more row; `style` is that of cells that are given as plain text."""
        self.rows.append([cell if isinstance(cell, Cell) else Cell(cell, style) for cell in cells])

    def part(self) -> None:
        """An empty line."""
        self.rows.append(None)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment
        from rich.style import Style

        styles: dict[str, Style | None] = {"": None}
        width = options.max_width
        widths = self._widths(width)
        rule = [[Cell(" " + "─" * (sum(widths) + len(BETWEEN) * (len(widths) - 1) + 1))]]
        lines = [*self._lines(self.headings, widths), *rule]
        for row in self.rows:
            lines += [[]] if row is None else self._lines(row, widths)
        yield Segment.line()
        for line in lines:
            for cell in line:
                if cell.style not in styles:
                    styles[cell.style] = console.get_style(cell.style)
                yield Segment(cell.text, styles[cell.style])
            yield Segment.line()

    def _widths(self, whole: int) -> list[int]:
        from rich.cells import cell_len

        widths = [0] * len(self.headings)
        for row in (self.headings, *filter(None, self.rows)):
            for k, cell in enumerate(row):
                if k != self.folded:
                    widths[k] = max(widths[k], *(cell_len(line) for line in cell.text.split("\n")))
        widths = [min(width, self.most.get(k, width)) for k, width in enumerate(widths)]
        left = whole - 2 - len(BETWEEN) * (len(widths) - 1) - sum(widths)
        widest = max(
            cell_len(line)
            for row in (self.headings, *filter(None, self.rows))
            for line in row[self.folded].text.split("\n")
        )
        widths[self.folded] = max(1, min(left, widest))
        return widths

    def _lines(self, row: Sequence[Cell], widths: Sequence[int]) -> Iterator[list[Cell]]:
        """The lines of a row, each cell filled up to its width."""
        from rich.cells import cell_len

        inside = [folded(cell.text, width) for cell, width in zip(row, widths, strict=True)]
        for n in range(max(map(len, inside))):
            line = [Cell(" ")]
            for k, (cell, width) in enumerate(zip(row, widths, strict=True)):
                text = inside[k][n] if n < len(inside[k]) else ""
                blank = " " * (width - cell_len(text))
                line.append(Cell(blank + text if k in self.right else text + blank, cell.style))
                line.append(Cell(BETWEEN if k < len(widths) - 1 else " "))
            yield line


def folded(text: str, width: int) -> list[str]:
    """A text in lines of at most this width, broken between words, and within one that is wider than a line."""
    from rich.cells import cell_len, chop_cells

    lines = []
    for paragraph in text.split("\n"):
        if cell_len(paragraph) <= width:
            lines.append(paragraph)
            continue
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if cell_len(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = chop_cells(word, width) or [""]
            lines += whole
        lines.append(line)
    return lines


__all__ = ["Cell", "Columns", "folded"]
