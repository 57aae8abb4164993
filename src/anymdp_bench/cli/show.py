"""`anymdp-bench show ENV_ID`: the picture of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.machine import AsJson, print_value

_MOST = 2**32 - 1


def show(
    env_id: Annotated[str, typer.Argument(help="An environment id (see `list envs`).")],
    task_seed: Annotated[int, typer.Option(min=0, max=_MOST, help="The task.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The picture: .png, .svg or .pdf.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a task: states by stationary probability, transitions, start, pitfalls, goal, V*.

    Example: `anymdp-bench show AnyMDP-64s5a-v0 --task-seed 7 --out task.png`
    """
    from anymdp_bench.recording import RecordingError
    from anymdp_bench.task_picture import draw_task

    picture = out or Path(f"{env_id}-{task_seed}.png")
    if picture.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise RecordingError(
            f"{picture} ends in {picture.suffix!r}; give --out a name in .png, .svg or .pdf"
        )
    try:
        draw_task(env_id, task_seed, picture)
    except KeyError as error:
        raise RecordingError(str(error.args[0])) from None
    except OSError as error:
        raise RecordingError(
            f"cannot write to {error.filename or picture}: {error.strerror}; give another --out"
        ) from None
    if as_json:
        print_value({"file": str(picture), "env_id": env_id, "task_seed": task_seed})
    else:
        print(picture)
