"""The main module and worker processes.

Python's worker processes import the main module of the program again, so that they find what is defined
there. If that module is a script that calls `evaluate` without an `if __name__ == "__main__":`, the import
would start the evaluation again. Our workers only need the main module if the agent is defined in it:
`hide_main` starts them without it, and `is_main_guarded` tells whether importing it is safe.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, SimpleNamespace

_LOCK = threading.Lock()


@contextmanager
def hide_main() -> Iterator[None]:
    """Lets processes that start inside the block leave the main module alone.

    Multiprocessing imports no main module that is called "__main__", since a package's `__main__.py` has no
    guard. The module's specification has that name for the time of the block.
    """
    main = sys.modules["__main__"]
    with _LOCK:
        before = main.__spec__
        main.__spec__ = SimpleNamespace(name="__main__")  # type: ignore[assignment]
        try:
            yield
        finally:
            main.__spec__ = before


def is_main_guarded() -> bool:
    """Tells whether the main module is a file, and now runs a statement beneath `if __name__ == "__main__":`.

    Such a statement does not run when another process imports the file. In a notebook, a session, a script
    from standard input or `python -c` there is no file to import, so the answer is no. In a thread it is not
    known, so the answer is no too.
    """
    path = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    frame = _find_main_frame()
    if frame is None or path.suffix != ".py":
        return False
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(
        isinstance(statement, ast.If)
        and _is_guard(statement.test)
        and statement.body[0].lineno <= frame.f_lineno <= (statement.body[-1].end_lineno or 0)
        for statement in tree.body
    )


def _find_main_frame() -> FrameType | None:
    """Returns the frame of the main module's own statements, if this thread runs them."""
    frame: FrameType | None = sys._getframe()
    variables = vars(sys.modules["__main__"])
    while frame is not None:
        if frame.f_globals is variables and frame.f_code.co_name == "<module>":
            return frame
        frame = frame.f_back
    return None


def _is_guard(test: ast.expr) -> bool:
    """Tells whether an expression is `__name__ == "__main__"`, or the same the other way round."""
    if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [ast.unparse(side) for side in (test.left, *test.comparators)]
    return sorted(sides) == ["'__main__'", "__name__"]
