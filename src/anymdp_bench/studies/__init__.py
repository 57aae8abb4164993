"""Studies: questions about the benchmark and its agents, found by entry points.

A study is a module with a docstring, whose first line says what is asked, and a function

    run(scale: str, out: Path) -> list[Path]

`scale` is tiny, small or paper. The function prints its table on stdout, writes the table and a picture to
`out`, and returns the paths of the files that it wrote. The same command goes on where it stopped
(`anymdp_bench.studies.files` has the parts for that). The module imports nothing heavy before `run` is
called. An entry point in the group `anymdp_bench.studies` names each module.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from types import ModuleType

from anymdp_bench.suites import SuiteError

GROUP = "anymdp_bench.studies"


def _modules() -> dict[str, str]:
    """The dotted module path of each study, by name."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def study_names() -> list[str]:
    """Names of all studies, sorted."""
    return sorted(_modules())


def load_study(name: str) -> ModuleType:
    """The module of a study.

    Raises:
        SuiteError: there is none of that name, or it cannot be loaded.
    """
    known = _modules()
    if name not in known:
        raise SuiteError(f"no study {name!r}; known: {', '.join(sorted(known))}")
    try:
        return importlib.import_module(known[name])
    except ImportError as error:
        raise SuiteError(f"study {name} cannot be loaded: {error}") from None
