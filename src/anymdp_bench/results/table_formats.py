"""The ways a table is written: text for a terminal, Markdown, LaTeX, HTML.

Each takes the same `Sheet` of ready cells, escapes them for its format and sets the best scores in
bold. `tables` fills the sheet.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape as escape_html

from rich import box
from rich.console import Console
from rich.padding import Padding
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
    """One line a row where the width allows, else a short paragraph a row; nothing is cut off."""
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
        for index in range(len(sheet.rows)):
            _print_paragraph(console, sheet, index)
    console.print()
    console.print(Text(sheet.caption), width=min(columns, 100))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _rich_table(sheet: Sheet) -> Table:
    """The sheet as a rich table, scores aligned at the decimal point and the best ones starred."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for index, heading in enumerate(sheet.headings):
        table.add_column(Text(heading), justify="left" if index <= sheet.SCORE else "right")
    digits = max(len(cells[sheet.SCORE].split()[0]) for cells in sheet.rows)
    for index, cells in enumerate(sheet.rows):
        texts = [Text(cell) for cell in cells]
        number, _, interval = cells[sheet.SCORE].partition(" ")
        texts[sheet.SCORE] = _starred(sheet, index, f"{number.rjust(digits)} {interval}".rstrip())
        if index and sheet.begins(index):
            table.add_section()
        table.add_row(*texts)
    return table


def _print_paragraph(console: Console, sheet: Sheet, index: int) -> None:
    """One row for a narrow terminal: the score beside the agent, the rest beneath, by name."""
    environment, agent, score, *rest = sheet.rows[index]
    if sheet.begins(index):
        console.print(Text(environment, overflow="fold"))
    console.print(Padding(Text(f"{agent}: ") + _starred(sheet, index, score), (0, 0, 0, 2)))
    named = [f"{name} {cell}" for name, cell in zip(sheet.headings[3:], rest, strict=True)]
    console.print(Padding(Text(", ".join(named)), (0, 0, 0, 4)))


def _starred(sheet: Sheet, index: int, score: str) -> Text:
    return Text(f"{score} *", style="bold") if sheet.best[index] else Text(score)


def markdown(sheet: Sheet) -> str:
    """A GitHub-flavoured table and the caption beneath."""

    def line(cells: list[str]) -> str:
        return (
            "| "
            + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
            + " |"
        )

    rule = [":--" if index < sheet.LEFT else "--:" for index in range(len(sheet.headings))]
    lines = [line(sheet.headings), line(rule)]
    lines += [line(row) for row in _marked(sheet, lambda cell: cell, "**{}**")]
    return "\n".join([*lines, "", sheet.caption, ""])


def latex(sheet: Sheet) -> str:
    """A booktabs table float, never wider than the text; each environment is named once."""

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
    for index, cells in enumerate(_marked(sheet, escape, r"\textbf{{{}}}")):
        if sheet.begins(index):
            lines.append(r"\midrule")
        else:
            cells[0] = ""
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def html(sheet: Sheet) -> str:
    """A table element that needs nothing around it; all cells are escaped."""
    lines = ['<table class="anymdp-bench">', f"<caption>{escape_html(sheet.caption)}</caption>"]
    heads = "".join(f'<th scope="col">{escape_html(each)}</th>' for each in sheet.headings)
    lines += [f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for cells in _marked(sheet, escape_html, "<strong>{}</strong>"):
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def _marked(sheet: Sheet, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """All cells escaped, the best score cells in bold."""
    rows = [[escape(cell) for cell in row] for row in sheet.rows]
    for row, best in zip(rows, sheet.best, strict=True):
        if best:
            row[sheet.SCORE] = bold.format(row[sheet.SCORE])
    return rows
