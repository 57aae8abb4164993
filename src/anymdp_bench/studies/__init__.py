"""Studies: experiments on the benchmark and its agents, found by entry points.

A study is a module with a docstring and a function

    run(scale: str, out: Path) -> list[Path]

The first line of the docstring is the question. `scale` is tiny, small or paper. The function prints its
table to stdout, writes the table and a figure to the folder `out`, and returns the paths of the files that
it wrote. The same command continues where it stopped; `anymdp_bench.studies.files` has the functions for
that. The module imports nothing heavy before `run` is called. An entry point in the group
`anymdp_bench.studies` names each module.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from importlib.abc import SourceLoader
from importlib.metadata import entry_points
from types import ModuleType

from anymdp_bench.spelling import offer
from anymdp_bench.suites import SuiteError

GROUP = "anymdp_bench.studies"


@cache
def _modules() -> dict[str, str]:
    """Returns the dotted path of each study's module, by name. Each process looks for them once."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def study_names() -> list[str]:
    """Returns the names of all studies, sorted."""
    return sorted(_modules())


def study_question(name: str) -> str:
    """Returns the first line of a study's docstring, read from its file: to import one takes seconds.

    Raises:
        SuiteError: there is no study of that name, or it cannot be loaded.
    """
    spec = importlib.util.find_spec(_modules()[name]) if name in _modules() else None
    if spec is None or not isinstance(spec.loader, SourceLoader):
        text = load_study(name).__doc__
    else:
        source = spec.loader.get_source(spec.name)
        text = ast.get_docstring(ast.parse(source or ""))
    return (text or "").partition("\n")[0]


def load_study(name: str) -> ModuleType:
    """Imports the module of a study.

    Raises:
        SuiteError: there is no study of that name, or it cannot be imported.
    """
    known = _modules()
    if name not in known:
        raise SuiteError(f"no study {name!r}; {offer(name, sorted(known))}")
    try:
        return importlib.import_module(known[name])
    except ImportError as error:
        raise SuiteError(f"study {name} cannot be loaded: {error}") from None
