"""`anymdp-bench record ENV_ID`: records a video of an agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.console import say
from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.streams import stdout_to_stderr
from anymdp_bench.paths import write_file_name

_MOST_SEED = 2**32 - 1


def record(
    env_id: Annotated[str, typer.Argument(help="An environment id (see `list envs`).")],
    agent: Annotated[
        str, typer.Option(help="An agent's name, module:Name or file.py:Name.")
    ] = "oracle",
    task_seed: Annotated[int, typer.Option(min=0, max=_MOST_SEED, help="The task.")] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=_MOST_SEED, help="Seed of the agent and the dynamics.")
    ] = 0,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes in the video.")] = 1,
    after: Annotated[int, typer.Option(min=0, help="Episodes played before them.")] = 0,
    checkpoint: Annotated[
        str | None, typer.Option(callback=expand_home, help="An agent's weights.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(callback=expand_home, help="The video, .gif or .mp4.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record an agent at play to a GIF or MP4.

    The agent starts from an empty memory and learns as it plays; `--after 100` shows what it has learned by
    then. Example: `anymdp-bench record DiscretePendulum-g5-v0 --agent psrl --after 200 --out psrl.gif`.
    """
    from anymdp_bench.evaluation.recording import record_video
    from anymdp_bench.rendering.video import VideoError
    from anymdp_bench.runner.agent_spec import make_spec

    video = out or Path(f"{write_file_name(env_id)}-{agent.replace(':', '.')}.gif")
    try:
        with stdout_to_stderr():  # an agent may print
            returns = record_video(
                env_id, make_spec(agent, checkpoint=checkpoint), video,
                task_seed=task_seed, seed=seed, episodes=episodes, after=after,
            )  # fmt: skip
    except KeyError as error:
        raise VideoError(str(error.args[0])) from None
    except OSError as error:
        raise VideoError(
            f"cannot write to {error.filename or video}: {error.strerror}; give another --out"
        ) from None
    if as_json:
        print_value(
            {"file": str(video), "episode": after + 1, "returns": list(map(float, returns))}
        )
        return
    for k, value in enumerate(returns, after + 1):
        say(f"episode {k}: return {value:.3f}")
    print(video)
