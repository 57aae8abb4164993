"""`evaluate`: an agent and a suite go in, a frame of results comes out. The command `run` calls it too."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from anymdp_bench.agents import AgentSpec
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.evaluation import CONTEXTS
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.results.metrics import ScoreMode
from anymdp_bench.results.results import Results
from anymdp_bench.runner.agent_spec import explain_no_workers, is_class_of_main, make_spec
from anymdp_bench.runner.executor import Backend, Executor
from anymdp_bench.runner.plan import Plan, PlanError, make_plan
from anymdp_bench.runner.progress import ReportProgress, complain, note, show_progress
from anymdp_bench.runner.run import run_plan
from anymdp_bench.runner.track import track_results
from anymdp_bench.spelling import offer
from anymdp_bench.suites import (
    CUSTOM,
    DEFAULT_SUITE,
    MOST_EPISODES,
    MOST_RUNS,
    MOST_STEPS,
    Limits,
    Suite,
    find_suite,
)
from anymdp_bench.suites.protocols import DEFAULT_PROTOCOL, PROTOCOLS
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.keywords import parse_count
from anymdp_bench.tracking import TRACKERS

MOST_WORKERS = 10**4
_MOST_FAILURES = 5  # failures that are printed in full


def evaluate(
    agent: object,
    suite: AnyPath | TabularMDP | Iterable[str | TabularMDP] = DEFAULT_SUITE,
    *,
    tasks: int | None = None,
    runs: int | None = None,
    steps: int | None = None,
    episodes: int | None = None,
    context: str = "empty",
    protocol: str = DEFAULT_PROTOCOL,
    seed: int = 0,
    task_seed_start: int = 0,
    workers: int | None = None,
    out: AnyPath | None = None,
    progress: bool | ReportProgress | None = None,
    checkpoint: AnyPath | None = None,
    agent_args: Mapping[str, Any] | None = None,
    name: str | None = None,
    score: ScoreMode = "corrected",
    executor: str = "local",
    ray_address: str | None = None,
    time_limit: float | None = None,
    debug: bool = False,
    track: str | None = None,
) -> Results:
    """Evaluates an agent on a suite of tasks, as the command `anymdp-bench run` does.

    The same settings give the same numbers as the command, to the byte. An agent that worker processes
    cannot import, such as a class of a notebook, is played in this process, one run after another; one line
    on stderr says so.

    Args:
        agent: the name of an installed agent, "module:Name", "file.py:Name", a class, a function without
            arguments that makes an agent, or an agent. An agent that is made already plays in this process.
        suite: the name of a published suite, the path of a suite file in TOML, an environment id, a
            `TabularMDP` of your own, or several ids and tasks. Ids may have parameters:
            "AnyMDP-v0?n_states=24&n_actions=3". A task of your own is an environment of its own in the
            results, where its fingerprint names it.
        tasks: number of tasks for each environment whose tasks are sampled; None leaves it to the suite.
        runs: number of runs on each task; None leaves it to the suite.
        steps: environment steps of each run; None leaves the budget to the suite.
        episodes: episodes of each run, instead of `steps`.
        context: what an in-context agent has seen before it starts: "empty", "offline" or "imitation".
        protocol: by which rules tasks are chosen and played: "default", or "paper" for those of the paper's
            released evaluation (`suites.protocols`), under which its figures may stand beside ours.
        seed: the first run seed.
        task_seed_start: the first task seed that is tried.
        workers: number of worker processes; None takes one for each core.
        out: a folder for the result file. The same call with the same folder continues where it stopped.
            None keeps no file.
        progress: None or True shows a progress bar on stderr if that is a terminal. False is quiet. A
            function is called with (share of the evaluation that is done, latest score).
        checkpoint: a file of weights for the agent.
        agent_args: further keywords for the agent's class or function, with values that JSON knows. They
            become part of the settings.
        name: what the records call the agent. By default it is the attribute `name` of the class or agent,
            or else its name as `agent` gives it: "module:Name" for a class.
        score: the score that tables and plots show: "corrected", "raw" or "paper".
        executor: where runs are played, "local" or "ray".
        ray_address: the address of a Ray cluster.
        time_limit: seconds that a run, or a batch of runs, may take before it counts as failed.
        track: "tensorboard" or "wandb" shows the learning curves there, once all runs are played. It needs
            `out`, and the extra of that name.
        debug: whether the traceback of the first exception that the agent raises is printed on stderr.

    Returns:
        One row for each scored episode or test point, with methods `table`, `plot` and `save`. The lines of
        `failed` say which runs failed and why, and stderr says so too.

    Raises:
        ValueError: an agent, a suite, a setting or a folder cannot be used, or every run failed. The message
            is one line that says what is wrong and how to fix it.
    """
    tasks = _check_count("tasks", tasks, 1, MOST_RUNS)
    runs = _check_count("runs", runs, 1, MOST_RUNS)
    episodes = _check_count("episodes", episodes, 1, MOST_EPISODES)
    steps = _check_count("steps", steps, 1, MOST_STEPS)
    workers = _check_count("workers", workers, 1, MOST_WORKERS)
    seed = _check_count("seed", seed, 0, PUBLIC_SEEDS - 1) or 0
    task_seed_start = _check_count("task_seed_start", task_seed_start, 0, PUBLIC_SEEDS - 1) or 0
    _check_choice("context", context, tuple(CONTEXTS))
    _check_choice("protocol", protocol, tuple(PROTOCOLS))
    _check_choice("score", score, get_args(ScoreMode))
    _check_choice("executor", executor, get_args(Backend))
    if episodes is not None and steps is not None:
        raise PlanError("episodes and steps are both given; give one of them")
    if ray_address is not None and executor != "ray":
        raise PlanError("ray_address is given without executor='ray'; give both")
    if time_limit is not None and not (isinstance(time_limit, Real) and time_limit > 0):
        raise PlanError(f"time_limit is {time_limit!r}; give a number of seconds above 0")

    if track is not None:
        _check_tracker(track, out)
    quiet = progress is False
    limits = Limits(episodes, steps) if episodes or steps else None
    chosen = find_suite(suite).with_protocol(protocol).with_overrides(tasks, runs, limits)
    spec = make_spec(agent, name, checkpoint, agent_args)
    note("preparing tasks (the first run ever compiles the engine: about half a minute)", quiet)
    plan = make_plan(chosen, spec, context=context, seed=seed, task_seed_start=task_seed_start)
    on_ray = executor == "ray"
    reason = None if on_ray else explain_no_workers(spec)
    if reason is not None:
        if time_limit is not None:
            raise PlanError(f"time_limit needs worker processes, but {reason}")
        if (workers or available_cores()) > 1 and len(plan.units) > 1 and not quiet:
            complain(f"one worker plays, in this process: {reason}")
        workers = 1
    options = [
        ("tasks", tasks, None), ("runs", runs, None), ("episodes", episodes, None), ("steps", steps, None),
        ("checkpoint", checkpoint, None), ("task-seed-start", task_seed_start, 0), ("seed", seed, 0),
        ("context", context, "empty"), ("protocol", protocol, DEFAULT_PROTOCOL),
    ]  # fmt: skip
    with (
        _open_folder(out) as folder,
        show_progress(progress, f"{spec.name} on {chosen.name}") as display,
    ):
        outcome = run_plan(
            plan,
            folder,
            executor=Executor(workers, on_ray, ray_address, time_limit, is_class_of_main(spec)),
            command=_write_command(spec, suite, chosen, options),
            begin=display.begin,
            report=display.report,
            debug=debug,
        )
        results = Results.from_file(
            outcome.csv,
            path=None if out is None else outcome.csv,
            score=score,
            failed=outcome.failed,
            failed_runs=outcome.failed_runs,
            runs=outcome.runs,
            played=outcome.played,
            seconds=outcome.seconds,
        )
    if track is not None:
        track_results(results, track, outcome.csv.parent, plan.stem, plan.settings)
    _complain_of_failures(outcome.failed, outcome.failed_runs, outcome.runs, results.path)
    if not (outcome.failed or quiet):
        _name_unscored(plan, results)
    return results


def _check_count(name: str, value: object, least: int, most: int) -> int | None:
    """Returns a setting as an int, or None if it is not given.

    Raises:
        PlanError: it is no whole number, or out of range.
    """
    if value is None:
        return None
    try:
        return parse_count(name, value, least, most)
    except ValueError as error:
        raise PlanError(str(error)) from None


def _check_tracker(track: str, out: AnyPath | None) -> None:
    """Raises a ValueError unless the tracker is known and installed, and there is a folder for its files."""
    if out is None:
        raise PlanError("track is given without out; give a folder for its files")
    _check_choice("track", track, TRACKERS)
    if find_spec(track) is None:
        raise PlanError(f"tracking needs {track}: pip install 'anymdp-bench[{track}]'")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises a PlanError unless a setting has one of its known values."""
    if value not in known:
        raise PlanError(f"{name} is {value!r:.40}; {offer(value, known)}")


@contextmanager
def _open_folder(out: AnyPath | None) -> Iterator[Path]:
    """Yields the output folder; without one a temporary folder, which is removed."""
    if out is not None:
        yield expand_home(out)
        return
    with TemporaryDirectory(prefix="anymdp-bench-") as folder:
        yield Path(folder)


def _complain_of_failures(
    failed: tuple[str, ...], failed_runs: int, runs: int, path: Path | None
) -> None:
    """Prints which runs failed, even for a quiet evaluation."""
    if not failed:
        return
    for line in failed[:_MOST_FAILURES]:
        complain(line)
    hidden = len(failed) - _MOST_FAILURES
    more = f"; {hidden} more reasons are not shown" if hidden > 0 else ""
    place = f"{path}{more}; the same command tries them again" if path else f"the results{more}"
    complain(f"{failed_runs} of {runs} runs failed and are not in {place}")


def _name_unscored(plan: Plan, results: Results) -> None:
    """Says how many runs have no row, since their budget ended before their first scored episode or test."""
    scored = results[["env_id", "task_seed", "run_seed"]].drop_duplicates()["env_id"].value_counts()
    planned: Counter[str] = Counter()
    for unit in plan.units:
        planned[unit.env_id] += len(unit.runs)
    for env_id, runs in planned.items():
        missing = runs - int(scored.get(env_id, 0))
        if missing:
            what = "ended before they were first scored and have no row"
            complain(f"{env_id}: {missing} of {runs} runs {what}")


def _write_command(
    spec: AgentSpec, suite: object, chosen: Suite, options: list[tuple[str, Any, Any]]
) -> str:
    """Writes the command line with everything that the result depends on.

    Args:
        spec: the agent.
        suite: the suite as the user named it.
        chosen: the suite itself.
        options: (name, value, default) of each option; those with the default value are left out.
    """
    words = ["anymdp-bench", "run", "--agent", spec.name]
    if chosen.name == CUSTOM:
        for row in chosen.rows:
            words += ["--env", row.env_id]
    else:
        words += ["--suite", str(suite)]
    for name, value, default in options:
        if value != default:
            words += [f"--{name}", str(value)]
    for key, value in sorted(spec.arguments):
        words += ["--agent-arg", f"{key}={json.dumps(value)}"]
    return shlex.join(words)
