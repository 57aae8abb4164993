"""What an installed agent is, in one line, and what it needs: read from its source, of which nothing is run.

The line is the first paragraph of the docstring of the agent's class or function. What it needs beyond its
own package is named there too, or in the docstring of its module, as a command:
`pip install 'anymdp-bench[sb3]'`.
"""

from __future__ import annotations

import ast
import re
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_EXTRA = re.compile(r"pip\s+install\s+['\"]?([\w.-]+\[[\w,\s-]+\])")


class AgentSummary(NamedTuple):
    """An agent in words.

    Attributes:
        text: what the agent is, a sentence without its full stop; "" where its source has no docstring.
        needs: what has to be installed for it, as "anymdp-bench[sb3]"; None where that is nothing or unsaid.
    """

    text: str
    needs: str | None


def summarise(point: EntryPoint) -> AgentSummary:
    """Reads the summary of an agent from the docstrings in its source.

    Args:
        point: the entry point of the agent.
    """
    try:
        module = ast.parse(_find_source(point.module).read_bytes())
    except (OSError, ValueError, SyntaxError, ImportError):  # compiled, missing, or no Python
        return AgentSummary("", None)
    node: ast.Module | ast.ClassDef | ast.FunctionDef = module
    for name in point.attr.split("."):
        found = [
            each
            for each in node.body
            if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name
        ]
        if not found:
            return AgentSummary("", _find_extra(ast.get_docstring(module)))
        node = found[-1]
    doc = ast.get_docstring(node) or ""
    text = " ".join(doc.split("\n\n")[0].split()).rstrip(".")
    needs = _find_extra(doc) or _find_extra(ast.get_docstring(module))
    return AgentSummary("".join(c for c in text if c.isprintable()), needs)


def _find_extra(doc: str | None) -> str | None:
    found = _EXTRA.search(doc or "")
    return found and found[1]


def _find_source(module: str) -> Path:
    """Returns the file of a module. No package is imported on the way to it.

    Raises:
        ImportError: there is none.
    """
    first, *others = module.split(".")
    spec = find_spec(first)
    if spec is None:
        raise ImportError(module)
    if not others and spec.origin:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *others)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    raise ImportError(module)
