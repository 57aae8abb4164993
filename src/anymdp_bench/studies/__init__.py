"""Studies: questions asked of the benchmark itself, one module each, found by looking.

A study is a module with a docstring, whose first line says what is asked, and

    run(scale: str, out: Path) -> list[Path]

`scale` is tiny, small or paper. It prints its table on stdout, writes it and a picture to `out`, and says
which files it wrote; the same command goes on where it stopped (`anymdp_bench.study` has the parts for
that). The module imports nothing heavy before `run` is called. Those in this package are found by name;
others, such as the ones that need PyTorch, through the entry-point group `anymdp_bench.studies`.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType

from anymdp_bench.suites import SuiteError

GROUP = "anymdp_bench.studies"


def _modules() -> dict[str, str]:
    """Where each study is, by name."""
    inside = {
        m.name.replace("_", "-"): f"{__name__}.{m.name}" for m in pkgutil.iter_modules(__path__)
    }
    return {point.name: point.value for point in entry_points(group=GROUP)} | inside


def study_names() -> list[str]:
    """Names of all studies."""
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
