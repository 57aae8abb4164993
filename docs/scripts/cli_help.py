"""The help of every command, for docs/cli.md; the text is the program's own."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import typer

MARK = "<!-- commands: "


def commands(_: str = "all") -> str:
    """Renders the help of every command in Markdown."""
    from anymdp_bench.cli.app import app

    root = typer.main.get_command(app)
    return "\n".join(_section(root, "anymdp-bench"))


def _section(command: Any, name: str) -> list[str]:
    lines: list[str] = []
    inner = getattr(command, "commands", None)
    if not inner:
        lines += [
            f"\n## {name}\n",
            _plain(command.help),
            "",
            "| | | default |",
            "| --- | --- | --- |",
        ]
        lines += [_row(parameter) for parameter in command.params]
    for key in sorted(inner or {}):
        lines += _section(inner[key], f"{name} {key}")
    return lines


def _plain(text: str | None) -> str:
    return (text or "").strip().replace("\f", "")


def _row(parameter: Any) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = parameter.name.upper() + (" ..." if parameter.nargs == -1 else "")
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    choices = getattr(getattr(parameter, "type", None), "choices", None)  # Typer before 0.29
    if get_origin(kind) is Literal:
        choices = get_args(kind)
    help_ = getattr(parameter, "help", None) or ""
    if choices:
        help_ += f" One of {', '.join(choices)}."
    value = parameter.default
    text = "" if value is None or value is False or value == () else f"`{value}`"
    default = "required" if parameter.required else text
    return f"| `{names}` | {help_.replace('|', chr(92) + '|')} | {default} |"
