"""The plan of a command: which runs, in which order, under which settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from anymdp_bench.agents import AgentSpec, AnyAgent, is_privileged, is_trained, is_tuned
from anymdp_bench.evaluation import Budget
from anymdp_bench.suites import Suite
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_seeds

BATCH = 64
"""Runs that an in-context agent plays side by side: whatever the number of workers, since the last digits
of a neural agent's sums may depend on the batch."""


@dataclass(frozen=True)
class Unit:
    """What a worker plays in one go: runs (task seed, run seed) of one environment.

    One run for a learner that trains; up to `BATCH` runs of the environment for an in-context agent,
    which batches them. `context` is what these have seen before they start: a key of `protocol.CONTEXTS`.
    """

    env_id: str
    runs: tuple[tuple[int, int], ...]
    context: str = "empty"


@dataclass(frozen=True)
class Plan:
    """Everything that a result depends on."""

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
    checkpoint: str | None = None  # by its content, see `_content`

    @property
    def stem(self) -> str:
        """The result file's name without its suffix."""
        agent = "".join(c if c.isalnum() or c in "-_." else "." for c in self.agent.name)
        suffix = f"-{self.context}" if self.context in ("offline", "imitation") else ""
        return f"{self.suite.name}-{agent}{suffix}"

    @property
    def settings(self) -> dict[str, str | int | None]:
        """What must agree for a result to be continued."""
        return {
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


class PlanError(ValueError):
    """Settings that make no plan: the message says which, and how to mend it."""


def make_plan(
    suite: Suite,
    spec: AgentSpec,
    *,
    context: str = "empty",
    seed: int = 0,
    task_seed_start: int = 0,
) -> Plan:
    """Chooses the tasks that count and lays out the units.

    Raises:
        AgentError: there is no such agent.
        PlanError: the settings do not fit the agent, or seeds run out of the public range.
    """
    agent = spec.make()
    batched = not is_trained(agent)
    starting = _context(agent, spec, context)
    units: list[Unit] = []
    skipped: dict[str, list[int]] = {}
    for row in suite.rows:
        seeds, left_out = select_seeds(task_source(row.env_id), row.tasks, task_seed_start)
        if seeds[-1] >= PUBLIC_SEEDS:
            raise PlanError(
                f"task seeds run beyond {PUBLIC_SEEDS - 1}; start lower with --task-seed-start"
            )
        skipped[row.env_id] = left_out
        runs = [(task, seed + k) for task in seeds for k in range(row.runs)]
        each = BATCH if batched else 1
        groups = [tuple(runs[k : k + each]) for k in range(0, len(runs), each)]
        units += [Unit(row.env_id, group, context) for group in groups]
    limits = suite.in_context if batched else suite.training
    return Plan(
        suite,
        spec,
        agent.version,
        is_privileged(agent),
        is_tuned(agent),
        starting,
        seed,
        task_seed_start,
        Budget(limits.episodes, limits.steps),
        tuple(units),
        skipped,
        _content(spec.checkpoint),
    )


def _content(checkpoint: str | None) -> str | None:
    """A checkpoint that is a file by its content, so that other weights are other settings; else its name.

    Raises:
        PlanError: the file cannot be read.
    """
    if checkpoint is None or not Path(checkpoint).is_file():
        return checkpoint
    try:
        with Path(checkpoint).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise PlanError(f"cannot read --checkpoint {checkpoint}: {error.strerror}") from None


def _context(agent: AnyAgent, spec: AgentSpec, context: str) -> str:
    """The context that the records carry."""
    if is_trained(agent):
        if context != "empty":
            raise PlanError(f"agent {spec.name} trains: it has no context; leave --context out")
        return "none"
    return context
