"""The LaTeX of tables: it has the grammar of booktabs, and TeX compiles it where TeX is installed."""

import re
import shutil
import subprocess

import pandas as pd
import pytest

from anymdp_bench.results.metrics import summarise
from anymdp_bench.results.overall_table import render_overall
from anymdp_bench.results.records import read_csv
from anymdp_bench.results.tables import render

EVIL = r"a_b%c&d#e$f{g}h~i^j\k|l<m>n — ü"
PAGE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.fixture(scope="module")
def tables(golden):
    """The tables of one agent, and of a second agent whose name has every special character."""
    other = golden.assign(agent=EVIL, score=golden["score"] - 0.1)
    both = pd.concat([golden, other], ignore_index=True)
    return [
        render(summarise(both), "latex"),
        render(summarise(both), "latex", reference=True),
        render_overall(both, "latex"),
    ]


@pytest.fixture(scope="module")
def golden(request):
    frame = read_csv(request.config.rootpath / "tests" / "golden" / "smoke-tql-ucb-fast.csv")
    return frame.astype({"agent": "str"})


def check_grammar(text):
    """Checks each table.

    Rules stand between rows, every row has all cells, and every character is escaped.
    """
    floats = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, flags=re.DOTALL)
    assert floats
    assert text.count(r"\begin{") == text.count(r"\end{") == 2 * len(floats)
    for body in floats:
        columns, inner = re.search(
            r"\\begin\{tabular\}\{([lr]+)\}\n(.*)\n\\end\{tabular\}", body, flags=re.DOTALL
        ).groups()
        lines = inner.split("\n")
        assert (lines[0], lines[-1]) == (r"\toprule", r"\bottomrule")
        for line in lines[1:-1]:
            if line == r"\midrule":
                continue
            assert line.endswith(r" \\")
            cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
            assert len(cells) == len(columns), line
            for cell in cells:
                plain = re.sub(
                    r"\\textbf\{|\\text\w+\{\}|\\[&%$#_{}]|\$[<>]\$|\$\\d?dagger\$|(?<=\S)\}\s*$",
                    "",
                    cell.strip(),
                )
                assert not re.search(r"[\\{}&%$#_^~<>|]", plain), cell
        assert lines.count(r"\midrule") >= 1


def test_the_grammar_is_that_of_booktabs(tables):
    for text in tables:
        check_grammar(text)


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex is installed, see .ci/run"
)
def test_tex_compiles_them(tables, tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % "\n".join(tables), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout  # it stays within the text, however many its columns
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
