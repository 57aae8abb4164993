"""The conformance kit for agents. A test class inherits from one class and makes the agent.

    from anymdp_bench.testing import AgentConformance

    class TestMyAgent(AgentConformance):
        def make_agent(self):
            return MyAgent()

pytest then runs every method `test_*` below, for both kinds of agents. The message of a failure states the
rule that is broken. The tasks are small, and two episodes of each are played. The kit needs neither pytest
nor the baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import (
    Agent,
    AnyAgent,
    CompiledAgent,
    RunBatch,
    Transition,
    check_agent,
    get_parallel,
    is_privileged,
    is_trained,
)
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s
from anymdp_bench.engine.rollout import ACT, EPISODES, LEARN, POLICY, learn_episodes
from anymdp_bench.evaluation import Interaction, Run, make_simulator, run_batch
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_tasks
from anymdp_bench.tasks.tabular import TabularTask

__all__ = ["AgentConformance"]

_EPISODES = 2
_RUNS = 3
_ENVIRONMENTS: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = (
    ("AnyMDP-1s5a-v0", ()),  # one observation, one step an episode
    ("AnyMDP-16s5a-v0", ()),
    ("AnyMDP-v0", (("n_states", 8), ("n_actions", 2))),
)


class AgentConformance:
    """Tests of the contract of `anymdp_bench.agents`, one test for each rule."""

    def make_agent(self) -> AnyAgent:
        """Returns a new agent at every call. A subclass must define this method."""
        raise NotImplementedError("define make_agent(self): return a new agent")

    def test_is_an_agent(self) -> None:
        """The agent has every attribute and method of `Agent` or of `CompiledAgent`."""
        agent: object = self.make_agent()
        names = ("version", "trains", "privileged", "start", "act", "learn", "policy")
        lacks = [name for name in names if not hasattr(agent, name)]
        _require(
            isinstance(agent, (Agent, CompiledAgent)),
            "an agent has all that `Agent` or all that `CompiledAgent` has;"
            f" to be an `Agent`, this one lacks {', '.join(lacks)}",
        )

    def test_version_is_printable(self) -> None:
        """`version` is a printable string, because records hold it."""
        version = self.make_agent().version
        is_printable = isinstance(version, str) and version.strip() != "" and version.isprintable()
        _require(is_printable, f"version must be a printable string, not blank; it is {version!r}")

    def test_plays_every_size(self) -> None:
        """Actions and policies have the right shape, type and range at every step."""
        for env in _ENVIRONMENTS:
            _play(self.make_agent(), _make_runs(env))

    def test_same_seeds_same_actions(self) -> None:
        """All random numbers come from `RunBatch.seeds`."""
        for env in _ENVIRONMENTS:
            first, second = (_play(self.make_agent(), _make_runs(env)) for _ in range(2))
            _require(
                np.array_equal(first, second),
                "the same seeds must give the same actions, in a new agent too: draw all random numbers"
                f" from RunBatch.seeds ({env[0]})",
            )

    def test_start_forgets_everything(self) -> None:
        """A second start gives the same choices as the first, after runs of the same or of another size."""
        agent = self.make_agent()
        first: dict[str, AnyArray] = {}
        for k in (0, 0, 1, 1, 2, 2, 0, 1):
            env = _ENVIRONMENTS[k]
            played = _play(agent, _make_runs(env))
            _require(
                np.array_equal(played, first.setdefault(env[0], played)),
                "a fresh run must owe nothing to the runs before:"
                f" {_FORGETS[_is_compiled(agent)]} ({env[0]})",
            )

    def test_runs_are_independent(self) -> None:
        """A run in a batch has the same choices as the run alone."""
        if is_trained(self.make_agent()):
            return  # it plays one run at a time
        for env in _ENVIRONMENTS:
            runs = _make_runs(env)
            together = _play(self.make_agent(), runs)
            for i, run in enumerate(runs):
                alone = _play(self.make_agent(), [run])[:, 0]
                steps = min(len(alone), len(together))
                _require(
                    np.array_equal(alone[:steps], together[:steps, i]),
                    "a run's choices must depend on its own seed and history alone: run"
                    f" {i} of {len(runs)} plays otherwise in a batch than alone ({env[0]})",
                )

    def test_privileged_where_it_looks(self) -> None:
        """An agent that declares `privileged` looks at the tasks. Other agents never get them."""
        agent = self.make_agent()
        if not is_privileged(agent):
            return  # it played the tests above without the tasks
        _require(
            not _is_compiled(agent),
            "a CompiledAgent never sees the tasks: leave `privileged` out",
        )
        runs = _make_runs(_ENVIRONMENTS[1])
        batch = _ReadNotingBatch(**vars(run_batch(runs, is_privileged(agent))))
        if isinstance(agent, Agent):
            agent.start(batch)
        _require(
            "was_read" in vars(batch),
            "`privileged` is for agents that look at RunBatch.tasks in start(), and this one does not:"
            " set it to False",
        )


_FORGETS = {
    False: "start() must forget everything",
    True: "memory() must return a new array, and settings() depend on the batch alone",
}


class _ReadNotingBatch(RunBatch):
    """A batch that notes when its tasks are read."""

    def __getattribute__(self, name: str) -> Any:
        if name == "tasks":
            object.__setattr__(self, "was_read", True)
        return super().__getattribute__(name)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)


def _is_compiled(agent: AnyAgent) -> bool:
    return isinstance(agent, CompiledAgent)


@cache
def _make_runs(env: tuple[str, tuple[tuple[str, int], ...]]) -> tuple[Run, ...]:
    """Makes runs of an environment: two on its first task, and one on its second."""
    env_id, keywords = env
    tasks = [
        TabularTask(seed, mdp, compute_references(mdp))
        for seed, mdp in enumerate(sample_tasks(env_id, range(2), workers=1, **dict(keywords)))
    ]
    return tuple(Run(env_id, tasks[k % 2], run_seed=k // 2) for k in range(_RUNS))


def _play(agent: AnyAgent, runs: Sequence[Run]) -> AnyArray:
    """Plays at least two episodes of every run.

    Returns:
        The choices of an `Agent`, [steps, runs], or numbers that depend on the choices of a `CompiledAgent`,
        [numbers, runs].

    Raises:
        AssertionError: the agent broke the contract.
    """
    agent = check_agent(agent, "under test")  # an agent of six arrays gets its adapter
    if isinstance(agent, CompiledAgent):
        return np.stack([_play_compiled(agent, run) for run in runs], axis=1)
    if agent.trains:
        parts = [_play_agent(agent, [run]) for run in runs]
        steps = min(len(part) for part in parts)
        return np.concatenate([part[:steps] for part in parts], axis=1)
    return _play_agent(agent, runs)


def _play_agent(agent: Agent, runs: Sequence[Run]) -> Int64s:
    if agent.trains:
        runs = runs[0].copies(get_parallel(agent))
    simulator = make_simulator(runs)
    batch, env_id = run_batch(runs, is_privileged(agent)), runs[0].env_id
    agent.start(batch)
    tabular = _check_policy(agent, batch, env_id)
    play = Interaction(cast("Agent", _ArgumentGuard(agent)), simulator)
    chosen = []
    while play.episodes.min() < _EPISODES:
        chosen.append(_choose_action(agent, simulator.observation, batch, env_id))
        play.play(chosen[-1])
    _require(
        _check_policy(agent, batch, env_id) == tabular,
        "policy() must return a table always or never: it decides before the run how the agent is tested",
    )
    if agent.trains and not tabular:
        _choose_action(agent, simulator.observation, batch, env_id, test=True)
    return np.array(chosen)


class _ArgumentGuard:
    """Passes steps on to the agent, and checks that the agent leaves the arrays as they are."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def learn(self, transition: Transition) -> None:
        before = [array.copy() for array in transition]
        self._agent.learn(transition)
        is_same = all(np.array_equal(a, b) for a, b in zip(before, transition, strict=True))
        _require(
            is_same, "learn() must leave the arrays that it is given as they are: copy them first"
        )


def _choose_action(
    agent: Agent, seen: Int64s, batch: RunBatch, env_id: str, test: bool = False
) -> Int64s:
    before = seen.copy()
    action = np.asarray(agent.act(seen, test=True) if test else agent.act(seen))
    n = batch.n
    _require(
        np.array_equal(before, seen),
        "act() must leave the observations that it is given as they are: copy them first",
    )
    _require(
        action.shape == (n,) and action.dtype.kind in "iu",
        f"act() must return one integer a run, shape [{n}]; it returned shape {list(action.shape)}"
        f" and dtype {action.dtype} ({env_id})",
    )
    _require(
        bool(((action >= 0) & (action < batch.n_actions)).all()),
        f"actions must lie in 0..{batch.n_actions - 1}; act() returned {action.tolist()} ({env_id})",
    )
    return action.astype(np.int64)


def _check_policy(agent: Agent, batch: RunBatch, env_id: str) -> bool:
    """Tells whether policy() is a table, and checks the table."""
    table = agent.policy()
    if table is None:
        return False
    given = np.asarray(table)
    n = 1 if agent.trains else batch.n  # all streams of a learner are one run
    size, n_actions = batch.n_observations, batch.n_actions
    if given.shape == (n, size) and given.dtype.kind in "iu":
        _require(
            bool(((given >= 0) & (given < n_actions)).all()),
            f"a policy's actions must lie in 0..{n_actions - 1} ({env_id})",
        )
        return True
    _require(
        given.shape == (n, size, n_actions) and given.dtype.kind == "f",
        f"policy() must return None, integers [{n}, {size}] or probabilities [{n}, {size}, {n_actions}];"
        f" it returned shape {list(given.shape)} and dtype {given.dtype} ({env_id})",
    )
    _check_rows(given, "policy()", env_id)
    return True


def _check_rows(table: npt.NDArray[Any], owner: str, env_id: str) -> None:
    is_valid = (table >= 0).all() and np.allclose(table.sum(axis=-1), 1.0, atol=1e-6)
    _require(bool(is_valid), f"the rows of {owner} must be probabilities that sum to 1 ({env_id})")


def _play_compiled(agent: CompiledAgent, run: Run) -> Float64s:
    """Plays a compiled learner, and returns numbers that depend on its choices, float64 of any length."""
    for name, signature in (("act", ACT), ("learn", LEARN), ("policy", POLICY)):
        compiled = getattr(getattr(agent, f"compiled_{name}"), "nopython_signatures", [])
        _require(
            any(
                (s.args, s.return_type) == (signature.args, signature.return_type) for s in compiled
            ),
            f"compiled_{name} must be a function under @njit({name.upper()}) of anymdp_bench.engine.rollout",
        )
    mdp, batch = run.task.table, run_batch([run], privileged=False)
    assert mdp is not None
    settings, memory = agent.settings(batch), agent.memory(batch)
    for name, array in (("settings", settings), ("memory", memory)):
        is_flat = isinstance(array, np.ndarray) and array.dtype == np.float64 and array.ndim == 1
        _require(is_flat, f"{name}() must return a float64 array of one dimension ({run.env_id})")
    counts = np.zeros(2, np.int64)
    shape = (mdp.max_steps + 1, mdp.n_states, mdp.n_actions)
    weights = np.random.default_rng(0).standard_normal(shape)
    try:
        choices = learn_episodes(
            agent.compiled_act, agent.compiled_learn, *mdp.step_tables, weights, memory, settings,
            run.streams("agent"), run.streams("environment"), counts, _EPISODES, 2**62,
        )  # fmt: skip
    except ValueError as error:
        raise AssertionError(
            f"actions must lie in 0..{mdp.n_actions - 1}: {error} ({run.env_id})"
        ) from None
    before = memory.copy()
    table = np.full((mdp.n_observations, mdp.n_actions), np.nan)
    agent.compiled_policy(mdp.n_observations, mdp.n_actions, memory, settings, table)
    _check_rows(table, "compiled_policy's `out`, all of which it must write,", run.env_id)
    _require(
        np.array_equal(before, memory, equal_nan=True),
        "compiled_policy must leave the memory as it is: tests never train",
    )
    assert counts[EPISODES] == _EPISODES
    return np.concatenate([[choices], counts, table.ravel()])
