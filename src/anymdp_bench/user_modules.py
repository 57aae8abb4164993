"""Modules of agents and of task functions: an installed module, or a file of the user's.

The working directory comes last on the search path, so a file in it that is called like a module of Python or
of a library takes nobody's place. Such a file can still be used: it is loaded under a name of its own.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from anymdp_bench.paths import expand_home

_SUFFIX = ".py"


def import_user_module(name: str) -> ModuleType:
    """Imports the module of an agent or of a task function.

    Args:
        name: the name of a module, or of a module in the working directory, or the path of a file: "mine",
            "package.mine", "mine.py", "./mine.py", "~/agents/mine.py".

    Raises:
        ImportError: there is no such module or file.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # it was removed
        folder = ""
    return _import(name, folder)


@lru_cache(maxsize=64)
def _import(name: str, folder: str) -> ModuleType:
    """Imports a module with `folder` as the working directory; a worker asks for each run."""
    importlib.invalidate_caches()  # the file may be new
    if folder:
        _add_to_path(folder)
    if "/" in name or os.sep in name or name.endswith(_SUFFIX):
        path = expand_home(name if name.endswith(_SUFFIX) else name + _SUFFIX)
        file = Path(os.path.normpath(Path(folder, path)))
        if not file.is_file():
            raise ImportError(f"there is no file {file}")
        return _load_file(file)
    if folder and name != "__main__" and name.isidentifier():
        local = PathFinder.find_spec(name, [folder])
        if (
            local is not None
            and local.origin is not None
            and local.submodule_search_locations is None
        ):
            return _load_file(Path(local.origin))
    return importlib.import_module(name)


def _add_to_path(folder: str) -> None:
    """Puts a folder at the end of the search path, unless it is there."""
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)


def _load_file(file: Path) -> ModuleType:
    """Loads a file as the module that an import finds by its name, or else under a name of its own."""
    _add_to_path(str(file.parent))
    if _is_found(file.stem, file):
        return importlib.import_module(file.stem)
    digest = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:8]
    name = f"{file.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look it up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_found(name: str, file: Path) -> bool:
    """Tells whether an import of `name` gives this file."""
    try:
        loaded = sys.modules.get(name)
        if loaded is not None:
            origin = getattr(loaded, "__file__", None)
        else:
            spec = importlib.util.find_spec(name)
            origin = spec.origin if spec else None
        return origin is not None and os.path.samefile(origin, file)
    except (OSError, ValueError, ImportError):
        return False
