"""The ways a table is written: text for a terminal, Markdown, LaTeX, HTML.

Each takes the same `Sheet` of ready cells, escapes them for its format and sets the best scores in
bold. `tables` fills the sheet.
"""

import io
import itertools
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape as escape_html

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NONE = "—"
"""The cell for "there is none"."""

_UNLIMITED = 500  # columns: wide enough for one line a row, for pipes and files
_ESCAPES = {char: "\\" + char for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    ">": "$>$",
    "<": "$<$",
    "|": r"\textbar{}",
    NONE: "---",
    "\N{DAGGER}": r"$\dagger$",
    "\N{DOUBLE DAGGER}": r"$\ddagger$",
}


@dataclass(frozen=True)
class Sheet:
    """The cells of a table, format-free: rows [rows][columns], `best` [rows] marks the score cell."""

    caption: str
    headings: list[str]
    rows: list[list[str]]
    best: list[bool]

    SCORE = 2  # the column that is set in bold
    LEFT = 2  # this many first columns are words

    def begins(self, row: int) -> bool:
        """Whether an environment's block begins at this row."""
        return row == 0 or self.rows[row][0] != self.rows[row - 1][0]


def text(sheet: Sheet, width: int | None = None, color: bool = False) -> str:
    """Returns one line a row where the width allows, else a few. Nothing is cut off, no word broken."""
    buffer = io.StringIO()
    columns = width or _UNLIMITED
    console = Console(
        file=buffer,
        width=columns,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        legacy_windows=False,
    )
    table = _rich_table(sheet)
    needed = console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum
    if needed <= columns:
        console.print(table)
    else:
        for line in _folded_lines(sheet, columns):
            console.print(line, soft_wrap=True)
    console.print()
    console.print(Text(sheet.caption), width=min(columns, 100))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _rich_table(sheet: Sheet) -> Table:
    """Returns the sheet as a rich table, scores aligned at the decimal point and the best ones starred."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for index, heading in enumerate(sheet.headings):
        table.add_column(Text(heading), justify="left" if index <= sheet.SCORE else "right")
    for index, (cells, score) in enumerate(zip(sheet.rows, _aligned_scores(sheet), strict=True)):
        texts = [Text(cell) for cell in cells]
        texts[sheet.SCORE] = Text(score, style="bold" if sheet.best[index] else "")
        if index and sheet.begins(index):
            table.add_section()
        table.add_row(*texts)
    return table


@dataclass(frozen=True)
class _Layout:
    """How a table is folded: the width of each column, and which columns stand on each line of a row."""

    widths: list[int]
    lines: list[range]
    indent: int  # of all lines but the first

    def indents(self) -> list[int]:
        """Returns how far each line is set in."""
        return [2] + [self.indent] * (len(self.lines) - 1)

    def extent(self) -> int:
        """Returns the length of the longest line."""
        return max(map(self._length, self.lines, self.indents()))

    def _length(self, line: range, indent: int) -> int:
        return indent + sum(self.widths[k] for k in line) + 2 * (len(line) - 1)

    def fits(self, columns: int) -> bool:
        """Tells whether no line is too long, but for one of a single column."""
        lengths = zip(self.lines, map(self._length, self.lines, self.indents()), strict=True)
        return all(length <= columns or len(line) == 1 for line, length in lengths)


def _fold_columns(widths: list[int], columns: int) -> _Layout:
    """Returns as few lines a row as fit, and of those ways the narrowest; column 0 is on none of them.

    The later lines begin under the third column where there is room for that.
    """
    last = len(widths)
    for count in range(1, last):
        breaks = itertools.combinations(range(2, last), count - 1)
        ways = [[range(*ends) for ends in itertools.pairwise((1, *each, last))] for each in breaks]
        for indent in (widths[1] + 4, 6):
            found = [_Layout(widths, lines, indent) for lines in ways]
            found = [layout for layout in found if layout.fits(columns)]
            if found:
                return min(found, key=_Layout.extent)
    raise AssertionError("a line of one column always fits")


def _folded_lines(sheet: Sheet, columns: int) -> Iterator[Text]:
    """Returns the lines of a table that is too wide for one line a row.

    The first column becomes a line above its block of rows. The others are spread over a few lines, the same
    ones for all rows and for the headings, so that each still stands under its heading.
    """
    rows = [list(cells) for cells in sheet.rows]
    for row, score in zip(rows, _aligned_scores(sheet), strict=True):
        row[sheet.SCORE] = score
    widths = [max(map(len, column)) for column in zip(sheet.headings, *rows, strict=True)]
    layout = _fold_columns(widths, columns)
    yield from _row_lines(sheet, sheet.headings, layout, columns)
    yield Text("\u2500" * min(columns, layout.extent()))
    for index, row in enumerate(rows):
        if sheet.begins(index):
            yield from [Text()] if index else []
            yield from _wrap(Text(row[0]), columns)
        yield from _row_lines(sheet, row, layout, columns, bold=sheet.best[index])


def _row_lines(
    sheet: Sheet, cells: list[str], layout: _Layout, columns: int, bold: bool = False
) -> Iterator[Text]:
    """Returns the lines of one row, words to the left of their column and figures to the right."""
    for line, indent in zip(layout.lines, layout.indents(), strict=True):
        out = Text(" " * indent)
        for k in line:
            align = str.ljust if k <= sheet.SCORE else str.rjust
            out.append(
                align(cells[k], layout.widths[k]), "bold" if bold and k == sheet.SCORE else ""
            )
            out.append("  ")
        out.rstrip()
        yield from _wrap(out, columns)


def _wrap(line: Text, columns: int) -> Iterator[Text]:
    """Breaks a line that is too long at blanks, and inside words longer than a line."""
    if len(line) <= columns:
        yield line
        return
    indent = " " * min(len(line.plain) - len(line.plain.lstrip()), columns // 2)
    for part in textwrap.wrap(line.plain.strip(), columns - len(indent), break_on_hyphens=False):
        yield Text(indent + part)


def _aligned_scores(sheet: Sheet) -> list[str]:
    """Returns the cells of the scores, aligned at the decimal point, the best ones with a star."""
    digits = max(len(cells[sheet.SCORE].split()[0]) for cells in sheet.rows)
    aligned = []
    for cells, best in zip(sheet.rows, sheet.best, strict=True):
        number, _, interval = cells[sheet.SCORE].partition(" ")
        score = f"{number.rjust(digits)} {interval}".rstrip()
        aligned.append(f"{score} *" if best else score)
    return aligned


def markdown(sheet: Sheet) -> str:
    """Returns a GitHub-flavoured table and the caption beneath."""

    def line(cells: list[str]) -> str:
        return (
            "| "
            + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
            + " |"
        )

    rule = [":--" if index < sheet.LEFT else "--:" for index in range(len(sheet.headings))]
    lines = [line(sheet.headings), line(rule)]
    lines += [line(row) for row in _mark_best(sheet, lambda cell: cell, "**{}**")]
    return "\n".join([*lines, "", sheet.caption, ""])


def latex(sheet: Sheet) -> str:
    """Returns a booktabs table float, never wider than the text; each environment is named once."""

    def escape(cell: str) -> str:
        return "".join(_ESCAPES.get(char, char) for char in cell)

    lines = [
        r"% Needs \usepackage{booktabs,graphicx}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(sheet.caption)}}}",
        r"\scriptsize\setlength{\tabcolsep}{3pt}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{"
        r"\begin{tabular}{" + "l" * sheet.LEFT + "r" * (len(sheet.headings) - sheet.LEFT) + "}",
        r"\toprule",
        " & ".join(map(escape, sheet.headings)) + r" \\",
    ]
    for index, cells in enumerate(_mark_best(sheet, escape, r"\textbf{{{}}}")):
        if sheet.begins(index):
            lines.append(r"\midrule")
        else:
            cells[0] = ""
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def html(sheet: Sheet) -> str:
    """Returns a table element that needs nothing around it; all cells are escaped."""
    lines = ['<table class="anymdp-bench">', f"<caption>{escape_html(sheet.caption)}</caption>"]
    heads = "".join(f'<th scope="col">{escape_html(each)}</th>' for each in sheet.headings)
    lines += [f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for cells in _mark_best(sheet, escape_html, "<strong>{}</strong>"):
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def _mark_best(sheet: Sheet, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """Returns all cells escaped, the best score cells in bold."""
    rows = [[escape(cell) for cell in row] for row in sheet.rows]
    for row, best in zip(rows, sheet.best, strict=True):
        if best:
            row[sheet.SCORE] = bold.format(row[sheet.SCORE])
    return rows
