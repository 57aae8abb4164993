"""Verification: the named agent plays again, where it cannot have prepared, and the claims are compared.

There are two sets of runs. The submission's SHA-256 and the maintainers' nonce choose both, so that neither
the submitter nor the maintainers can:

- *sampled*: runs of the submission itself. The same seeds should give the same rows, to the last digit. Where
  an agent is not that deterministic, its scores may differ by chance, but not be lower on the whole.
- *fresh*: tasks that nobody had seen, with run seeds of 63 bits. The claimed scores may exceed those by
  chance only. A task that is the same for every seed is renumbered for each of these runs: its observations
  and actions get other numbers, so that an agent which knows the task by heart knows nothing. (An agent that
  breaks ties by the numbers may play a little differently then.)

The claims do not hold where chance alone would make them exceed the rerun so far less often than once in 200.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from anymdp_bench import __version__
from anymdp_bench.agents import AgentError, AgentSpec
from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Budget, Curve, Run, renumber
from anymdp_bench.leaderboard.check_completeness import Tasks
from anymdp_bench.leaderboard.permutation_test import p_fresh, p_of_pairs
from anymdp_bench.leaderboard.receipt import Environment, Receipt
from anymdp_bench.leaderboard.rerun import RemoteAgent, remote_players, replay
from anymdp_bench.leaderboard.submission import Submission
from anymdp_bench.results.schema import RecordError
from anymdp_bench.results.statistics import Array
from anymdp_bench.results.windows import window
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

_SAME = 1e-6  # scores closer than this are the same: other platforms differ in the last digits


class _Pair(NamedTuple):
    """(final, mean) scores of runs [n, 2]: what a claim is about, and how fast it was reached."""

    claimed: Array
    rerun: Array


def verify(
    found: Submission,
    tasks: Tasks,
    nonce: str,
    *,
    fresh: int = 2,
    sample: int = 2,
    episodes: int | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Receipt:
    """Reruns `sample` submitted runs and `fresh` new tasks of every environment.

    Args:
        found: a submission that `validate` accepted.
        tasks: its suite's tasks.
        nonce: a secret of the maintainers until now.
        fresh: new tasks an environment.
        sample: submitted runs an environment.
        episodes: look only at so many first episodes of each run.
        tell: called with what is going on.

    Raises:
        AgentError: the agent is not installed, has another version, or broke the contract.
        RecordError: nothing was scored within the first `episodes` of some environment.
    """
    limits = found.limits
    _check_scored(found, episodes)
    most = [n for n in (episodes, limits.episodes) if n is not None]
    budget = Budget(min(most) if most else None, limits.steps)
    rows, sampled, strata = [], [], []
    spec = AgentSpec(found.agent, found.checkpoint, tuple(found.agent_arguments.items()))
    with remote_players(spec, max(task.players for task in tasks.values())) as agents:
        if agents[0].version != found.version:
            what = f"is version {agents[0].version!r} here and {found.version!r} in the submission"
            raise AgentError(f"agent {found.agent} {what}; install that one")
        if agents[0].trains != (found.context == "none"):
            raise AgentError(f"agent {found.agent} does not play from context {found.context}")
        if agents[0].tuned and not found.is_tuned:
            raise AgentError(
                f"agent {found.agent} is tuned per environment, and the header does not say so;"
                " leave the mark 'tuned' in the metadata as `run` wrote it"
            )
        for row in found.suite.rows:
            tell(f"{found.agent} on {row.env_id}: {sample} submitted runs, {fresh} fresh tasks")
            part = found.frame[(found.frame["env_id"] == row.env_id).to_numpy()]
            curves = _curves(part, episodes)
            same, pair = _compare_sample(
                agents, found, row.env_id, tasks, curves, budget, nonce, sample
            )
            seeds, again = _fresh(agents, found, row.env_id, budget, nonce, fresh)
            claimed = np.array([_claims(*curve, row.env_id) for curve in curves.values()])
            sampled.append(pair)
            strata.append(_Pair(claimed, again))
            means = float(claimed[:, 0].mean()), float(again[:, 0].mean())
            renumbered = not task_source(row.env_id).is_sampled
            rows.append(Environment(row.env_id, len(pair.claimed), same, seeds, *means, renumbered))
    ours, theirs = (np.concatenate([pair[side] for pair in sampled]) for side in range(2))
    p_values = [
        (
            p_of_pairs(ours[:, k], theirs[:, k]),
            p_fresh([p.claimed[:, k] for p in strata], [p.rerun[:, k] for p in strata]),
        )
        for k in range(2)
    ]
    return Receipt(
        found.path.name, found.digest, nonce, found.agent, found.version, __version__,
        episodes, tuple(rows), *(min(2 * min(p), 1.0) for p in zip(*p_values, strict=True)),
    )  # fmt: skip


def _check_scored(found: Submission, episodes: int | None) -> None:
    """Every environment has a scored point to compare; sampled tests come every 100 episodes only."""
    if episodes is None:
        return
    for env_id, first in (
        found.frame.groupby("env_id", sort=False, observed=True)["episode"].min().items()
    ):
        if first > episodes:
            raise RecordError(
                f"{found.path}: column 'episode': {env_id} was first scored after episode {first};"
                f" give --episodes {first} or more"
            )


_Rows = tuple[Array, Array, str]  # episode [n], score [n], measure


def _curves(part: pd.DataFrame, episodes: int | None) -> dict[tuple[int, int], _Rows]:
    """Returns the submitted runs of an environment by (task seed, run seed), cut after `episodes`."""
    out: dict[tuple[int, int], _Rows] = {}
    for key, rows in part.groupby(["task_seed", "run_seed"], sort=False):
        task, run = cast("tuple[int, int]", key)
        kept = rows if episodes is None else rows[rows["episode"] <= episodes]
        if len(kept):
            episode, score = kept["episode"].to_numpy(float), kept["score"].to_numpy()
            out[int(task), int(run)] = (episode, score, str(rows["measure"].iloc[0]))
    return out


def _claims(episode: Array, score: Array, measure: str, env_id: str) -> tuple[float, float]:
    """Returns (final score, mean score over the run's rows)."""
    return float(score[-window(measure, env_id) :].mean()), float(score.mean())


def _claims_of(curve: Curve, env_id: str) -> tuple[float, float]:
    if not len(curve.score):
        raise AgentError(f"the agent finished no episode of {env_id} when it was run again")
    return _claims(curve.episode.astype(float), curve.score, curve.measure, env_id)


def _compare_sample(
    agents: list[RemoteAgent],
    found: Submission,
    env_id: str,
    tasks: Tasks,
    curves: dict[tuple[int, int], _Rows],
    budget: Budget,
    nonce: str,
    count: int,
) -> tuple[int, _Pair]:
    """Returns (runs that gave the same rows, claims and reruns) of submitted runs, chosen by hash."""
    keys = list(curves)
    rng = np.random.default_rng(stream("verify", found.digest, nonce, env_id))
    keys = [keys[k] for k in rng.permutation(len(keys))[:count]]
    runs = [Run(env_id, tasks[env_id, task], run) for task, run in keys]
    again = replay(agents, runs, budget, found.context)
    same = 0
    for key, curve in zip(keys, again, strict=True):
        episode, score, _ = curves[key]
        equal = np.array_equal(episode, curve.episode)
        same += equal and bool((abs(score - curve.score) < _SAME).all())
    claimed = [_claims(*curves[key], env_id) for key in keys]
    return same, _Pair(np.array(claimed), np.array([_claims_of(c, env_id) for c in again]))


def _fresh(
    agents: list[RemoteAgent],
    found: Submission,
    env_id: str,
    budget: Budget,
    nonce: str,
    count: int,
) -> tuple[tuple[int, ...], Array]:
    """Returns (task seeds, reruns) on public tasks that the hash chooses, or on renumbered ones."""
    source, runs = task_source(env_id), []
    for k in range(count):
        begin, run_seed = (
            int(stream("verify", what, found.digest, nonce, env_id, k)[0])
            for what in ("task", "run")
        )
        (task,), _ = select_tasks(source, 1, begin % (PUBLIC_SEEDS - 2**16))
        if not source.is_sampled:
            name = ("verify", "renumber", found.digest, nonce, env_id, k)
            task = renumber(task, [stream(*name, player) for player in range(task.players)])
        runs.append(Run(env_id, task, run_seed % 2**63))
    again = replay(agents, runs, budget, found.context)
    scores = np.array([_claims_of(curve, env_id) for curve in again])
    return tuple(run.task.seed for run in runs), scores
