"""Studies: questions asked of the benchmark itself, one file each, found by looking.

A study is a module here with `run(scale, out) -> paths written`; it prints its table on stdout.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from anymdp_bench.suites import SuiteError


def study_names() -> list[str]:
    """Names of all studies."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def load_study(name: str) -> ModuleType:
    """The module of a study.

    Raises:
        SuiteError: there is none of that name.
    """
    if name not in study_names():
        raise SuiteError(f"no study {name!r}; known: {', '.join(study_names())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
