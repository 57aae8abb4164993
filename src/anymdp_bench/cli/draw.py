"""`anymdp-bench draw ENV_ID`: draws a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.paths import write_file_name

_MOST_SEED = 2**32 - 1


def draw(
    env_id: Annotated[
        str, typer.Argument(help="An environment id (see `list envs`), with or without parameters.")
    ],
    task_seed: Annotated[int, typer.Option(min=0, max=_MOST_SEED, help="The task.")] = 0,
    out: Annotated[
        Path | None, typer.Option(callback=expand_home, help="The picture: .png, .svg or .pdf.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a task: states by stationary probability, transitions, start, pitfalls, goal, V*.

    Example: `anymdp-bench draw AnyMDP-64s5a-v0 --task-seed 7 --out task.png`
    """
    from anymdp_bench.rendering.task_figure import draw_task
    from anymdp_bench.rendering.video import VideoError
    from anymdp_bench.tasks.family import task_source

    picture = out or Path(f"{write_file_name(env_id)}-{task_seed}.png")
    if picture.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise VideoError(
            f"{picture} ends in {picture.suffix!r}; give --out a name in .png, .svg or .pdf"
        )
    try:
        source = task_source(env_id)
        name = f"{env_id}, task seed {task_seed}" if source.is_sampled else env_id
        draw_task(source.sample(task_seed), picture, name, source.grid())
    except KeyError as error:
        raise VideoError(str(error.args[0])) from None
    except OSError as error:
        raise VideoError(
            f"cannot write to {error.filename or picture}: {error.strerror}; give another --out"
        ) from None
    if as_json:
        print_value({"file": str(picture), "env_id": env_id, "task_seed": task_seed})
    else:
        print(picture)
