"""The plan of an evaluation: which runs, in which order, with which settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anymdp_bench.agents import (
    AgentSpec,
    AnyAgent,
    describe_training,
    is_privileged,
    is_trained,
    is_tuned,
)
from anymdp_bench.evaluation import Budget
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.paths import keep_folder, write_file_name
from anymdp_bench.results.schema import PROTOCOL
from anymdp_bench.suites import Suite
from anymdp_bench.suites.protocols import DEFAULT_PROTOCOL
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.selection import select_seeds

BATCH = 64
"""Runs that an in-context agent plays side by side. It does not depend on the number of workers, since the
last digits of a network's sums may depend on the batch."""

ARGUMENTS = "arguments"
"""The setting that holds the arguments given to the agent. Results without arguments do not have it."""


@dataclass(frozen=True)
class Unit:
    """The runs that a worker plays in one go.

    A learner that trains plays one run in a unit. An in-context agent plays up to `BATCH` runs of one
    environment in a unit, all at once.

    Attributes:
        env_id: the environment.
        runs: (task seed, run seed) of each run.
        context: what an in-context agent has seen before it starts: a key of `evaluation.CONTEXTS`.
        mdp: the task, if it was given in Python.
    """

    env_id: str
    runs: tuple[tuple[int, int], ...]
    context: str = "empty"
    mdp: TabularMDP | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Plan:
    """Everything that a result depends on.

    Attributes:
        suite: the suite, with its budgets.
        agent: the agent.
        agent_version: the version that the agent declares.
        privileged: whether the agent looks at the task.
        tuned: whether the agent's settings were chosen for each environment.
        context: the starting context as the records name it: "none" for a learner that trains.
        seed: the first run seed.
        task_seed_start: the first task seed that is tried.
        budget: the length of each run.
        units: the work, in the order of the result file.
        skipped: for each environment, the task seeds whose tasks do not count.
        checkpoint: the agent's weights, named by their content.
        training: what the agent says of their training, for the result file.
    """

    suite: Suite
    agent: AgentSpec
    agent_version: str
    privileged: bool
    tuned: bool
    context: str
    seed: int
    task_seed_start: int
    budget: Budget
    units: tuple[Unit, ...]
    skipped: dict[str, list[int]]
    checkpoint: str | None = None
    training: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name of the result file without its suffix."""
        suite, agent = map(write_file_name, (self.suite.name, self.agent.name))
        suffix = f"-{self.context}" if self.context in ("offline", "imitation") else ""
        suffix += f"-{self.suite.protocol}" if self.suite.protocol != DEFAULT_PROTOCOL else ""
        return f"{suite}-{agent}{suffix}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that must agree before a result can be continued, as JSON values."""
        settings: dict[str, Any] = {
            "suite": self.suite.name,
            "suite_hash": self.suite.hash,
            "agent": self.agent.name,
            "agent_version": self.agent_version,
            "checkpoint": self.checkpoint,
            "context": self.context,
            "seed": self.seed,
            "task_seed_start": self.task_seed_start,
            "environments": " ".join(row.env_id for row in self.suite.rows),
        }
        if self.suite.protocol != DEFAULT_PROTOCOL:
            settings[PROTOCOL] = self.suite.protocol
        if self.agent.arguments:
            settings[ARGUMENTS] = json.loads(json.dumps(dict(sorted(self.agent.arguments))))
        return settings


class PlanError(ValueError):
    """Settings do not fit together. The message says which, and how to fix them."""


def make_plan(
    suite: Suite,
    spec: AgentSpec,
    *,
    context: str = "empty",
    seed: int = 0,
    task_seed_start: int = 0,
) -> Plan:
    """Chooses the tasks that count, and divides the runs into units.

    Raises:
        AgentError: there is no such agent, or it cannot be made.
        PlanError: the settings do not fit the agent, or the task seeds leave the public range.
    """
    with keep_folder():
        agent = spec.make()
    is_batched = not is_trained(agent)
    recorded_context = _choose_recorded_context(agent, spec, context)
    units: list[Unit] = []
    skipped: dict[str, list[int]] = {}
    for row in suite.rows:
        seeds, left_out = select_seeds(
            row.source(), row.tasks, task_seed_start, suite.rules.least_gap
        )
        if seeds[-1] >= PUBLIC_SEEDS:
            raise PlanError(
                f"task seeds run beyond {PUBLIC_SEEDS - 1}; start lower with --task-seed-start"
            )
        skipped[row.env_id] = left_out
        runs = [(task, seed + k) for task in seeds for k in range(row.runs)]
        size = BATCH if is_batched else 1
        groups = [tuple(runs[k : k + size]) for k in range(0, len(runs), size)]
        units += [Unit(row.env_id, group, context, row.mdp) for group in groups]
    limits = suite.in_context if is_batched else suite.training
    return Plan(
        suite,
        spec,
        agent.version,
        is_privileged(agent),
        is_tuned(agent) and not spec.is_instance,
        recorded_context,
        seed,
        task_seed_start,
        Budget(limits.episodes, limits.steps),
        tuple(units),
        skipped,
        _name_checkpoint(spec.checkpoint),
        describe_training(agent),
    )


def _name_checkpoint(checkpoint: str | None) -> str | None:
    """Names a checkpoint by its content if it is a file, so that other weights are other settings.

    Raises:
        PlanError: the file cannot be read.
    """
    if checkpoint is None or not Path(checkpoint).is_file():
        return checkpoint
    try:
        with Path(checkpoint).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise PlanError(
            f"cannot read --checkpoint {checkpoint}: {error.strerror}; give another file"
        ) from None


def _choose_recorded_context(agent: AnyAgent, spec: AgentSpec, context: str) -> str:
    """Returns the context that the records name.

    Raises:
        PlanError: a context is given to a learner that trains.
    """
    if is_trained(agent):
        if context != "empty":
            raise PlanError(f"agent {spec.name} trains: it has no context; leave --context out")
        return "none"
    return context
