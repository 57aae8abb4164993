"""The reference of functions and classes, for docs/api.md, from their signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

SECTION = re.compile(
    r"^(Args|Returns|Raises|Attributes|Yields):\n((?:    .*\n?|\n)+)", re.MULTILINE
)
TITLES = {"Args": "Arguments"}
ENTRY = re.compile(r"^    (\*{0,2}\w+): (.*(?:\n(?:     +.*|$))*)", re.MULTILINE)


def references(paths: str) -> str:
    """Renders the objects with some dotted paths, separated by blanks."""
    return "\n\n".join(reference(path) for path in paths.split())


def reference(path: str) -> str:
    """Renders the object with a dotted path in Markdown; of a class its public methods, too."""
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    shown = _signature(name, found) if not inspect.isclass(found) or _is_made(found) else ""
    parts = [_heading(3, name), shown, describe(inspect.getdoc(found) or "")]
    for method, function in _methods(found) if inspect.isclass(found) else ():
        title = f"{name}.{method}"
        shown = _signature(title, function, skip=1) if callable(function) else ""
        parts += [_heading(4, title), shown, describe(inspect.getdoc(function) or "")]
    return "\n\n".join(part for part in parts if part)


def _heading(level: int, name: str) -> str:
    return f"{'#' * level} `{name}`"


def _is_made(cls: type) -> bool:
    """Whether users call the class, with arguments of its own."""
    is_protocol = getattr(cls, "_is_protocol", False)
    return bool({"__init__", "__new__"} & set(vars(cls))) and not is_protocol


def _methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that the class itself defines, in the order of its source."""
    for name, value in vars(cls).items():
        plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if not name.startswith(("_", "test_")) and (
            inspect.isfunction(plain) or isinstance(value, property)
        ):
            yield name, plain


def _signature(name: str, found: Any, skip: int = 0) -> str:
    """The signature as a code block, one argument a line where it is long."""
    signature = inspect.signature(found)
    shown: list[str] = []
    keyword_only = False
    for each in list(signature.parameters.values())[skip:]:
        if each.kind is each.KEYWORD_ONLY and not keyword_only:
            shown.append("*")
        keyword_only |= each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        prefix = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        kind = "" if each.annotation is each.empty else f": {_type(each.annotation)}"
        default = "" if each.default is each.empty else f" = {each.default!r}"
        shown.append(f"{prefix}{each.name}{kind}{default}")
    returns = signature.return_annotation
    is_told = returns is not signature.empty and not inspect.isclass(found)
    tail = f") -> {_type(returns)}" if is_told else ")"
    line = f"{name}({', '.join(shown)}{tail}"
    if len(line) > 90:
        line = f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + tail
    return f"```text\n{line}\n```"


def _type(annotation: Any) -> str:
    if inspect.isclass(annotation):
        return annotation.__name__
    return str(getattr(annotation, "__forward_arg__", annotation)).replace("typing.", "")


def describe(docstring: str) -> str:
    """Turns a docstring with sections (`Args:` and so on) into Markdown."""
    sections = [(found[1], found[2]) for found in SECTION.finditer(docstring + "\n")]
    parts = [SECTION.sub("", docstring + "\n").strip()]
    for title, text in sections:
        entries = [(name, " ".join(words.split())) for name, words in ENTRY.findall(text)]
        body = "\n".join(f"- `{name}`: {words}" for name, words in entries)
        parts.append(f"**{TITLES.get(title, title)}**\n\n{body or ' '.join(text.split())}")
    return "\n\n".join(part for part in parts if part)
