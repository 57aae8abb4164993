"""Names of a package that load their module on first use, so that the import of the package stays light."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def load_lazily(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns the functions `__getattr__` and `__dir__` of a package.

    Args:
        package: the package's name.
        names: the public names of each of its modules.
    """
    home = {name: module for module, of_module in names.items() for name in of_module}
    scope = vars(sys.modules[package])

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        scope[name] = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        return scope[name]

    return load, lambda: sorted({*scope, *home})
