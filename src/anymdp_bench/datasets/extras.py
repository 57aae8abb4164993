"""Libraries that only some file formats need."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports a module of a library that is optional.

    Args:
        module: the module.
        extra: the extra of the package that brings its library.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the module {error.name} is missing; pip install 'anymdp-bench[{extra}]'",
            name=error.name,
        ) from None
