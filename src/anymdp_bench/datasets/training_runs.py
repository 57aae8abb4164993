"""`TrainingRuns`: an endless stream of labelled runs, for whoever trains a model that learns in context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from anymdp_bench.agents import AgentSpec, CompiledAgent
from anymdp_bench.datasets.batch import TrainingBatch, label_steps
from anymdp_bench.datasets.codes import TAG_UNKNOWN
from anymdp_bench.datasets.learning_histories import record_histories
from anymdp_bench.datasets.mixture import Mixture
from anymdp_bench.datasets.sequences import record_tasks
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.keywords import parse_count
from anymdp_bench.tasks.source import TaskSource

_TASKS_OF_A_SEED = 2**36
_MOST_SEED = 2**26
_MIXTURE = Mixture()


@dataclass(frozen=True, init=False)
class TrainingRuns:
    """Batches of labelled runs on freshly sampled training tasks, without end.

        for batch in TrainingRuns("AnyMDP-16s5a-v0", length=1024, batch_size=32, seed=0):
            ...  # batch.observation [32, 1024], batch.oracle_action [32, 1024], and so on

    A run is played by a mixture of behaviours from an empty memory through `length` steps, so through many
    episodes of its task. The oracle labels every step, whoever acts; see `TrainingBatch`. Each iteration
    begins with the first batch again. The same arguments give the same batches on every machine.

    The task seeds are 2**32 and above, which no suite and no `gym.make` of a published result uses. So no
    task of a benchmark is trained on, where there are more tasks than seeds: in AnyMDP and Garnet. A Darkroom
    has as many tasks as cells; train on `Darkroom-8x8-training-v0` and test on `Darkroom-8x8-heldout-v0`.

    Args:
        env_id: the environment, for example "AnyMDP-16s5a-v0", "AnyMDP-1s5a-v0" (bandits),
            "Garnet-16s5a2b-v0", "Darkroom-8x8-training-v0", "AnyMDP-v0?n_states=24&n_actions=3".
        length: the steps of a run.
        batch_size: the runs of a batch.
        seed: streams of different seeds have different tasks; from 0 to 2**26.
        mixture: the behaviours that act; by default those of the OmniRL paper.
        learner: a compiled learner that acts instead, by the name of its agent, for example "psrl". A run is
            then its learning history, from its first step on, as algorithm distillation trains on; it has no
            tags, and there is one run of each task.
        keep_every: of so many episodes of the learner in a row, only the last one is kept. Then a run shows
            faster learning than the learner's (Laskin et al. 2022).
        tags: whether `tag` says who acted. Otherwise it is 7 everywhere. With tags 15% of the runs, and 15%
            of the episodes of the others, keep theirs hidden, so that a model learns to do without.
        runs_per_task: how many runs of one task follow one another, with different behaviours and chance.
            More of them are made faster, as a task is sampled and solved once. It divides `batch_size`.
        rank: the number of this part among `world`. Part i has the batches i, i + world, i + 2 world, ...
        world: into how many parts the stream is split, for example the processes of a training.
        threads: threads that make a batch; their number changes nothing in it.
        **keywords: those of `gym.make`, instead of parameters in `env_id`.

    Raises:
        ValueError: an argument cannot be used; the message is one line that says how to fix it.
    """

    env_id: str
    length: int
    batch_size: int
    seed: int
    mixture: Mixture
    learner: str | None
    keep_every: int
    tags: bool
    runs_per_task: int
    rank: int
    world: int
    threads: int
    keywords: tuple[tuple[str, Any], ...]

    def __init__(
        self,
        env_id: str,
        *,
        length: int = 1024,
        batch_size: int = 32,
        seed: int = 0,
        mixture: Mixture = _MIXTURE,
        learner: str | None = None,
        keep_every: int = 1,
        tags: bool = True,
        runs_per_task: int = 1,
        rank: int = 0,
        world: int = 1,
        threads: int = 1,
        **keywords: Any,
    ) -> None:
        values = {
            "env_id": env_id,
            "length": parse_count("length", length),
            "batch_size": parse_count("batch_size", batch_size),
            "seed": parse_count("seed", seed, 0, _MOST_SEED),
            "mixture": Mixture(*mixture).checked(),
            "learner": learner,
            "keep_every": parse_count("keep_every", keep_every),
            "tags": bool(tags),
            "runs_per_task": parse_count("runs_per_task", runs_per_task),
            "world": parse_count("world", world),
            "threads": parse_count("threads", threads),
            "keywords": tuple(sorted(keywords.items())),
        }
        values["rank"] = parse_count("rank", rank, 0, world - 1)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if batch_size % runs_per_task:
            raise ValueError(
                f"batch_size is {batch_size} and runs_per_task {runs_per_task}; give a batch of whole tasks"
            )
        if learner is None and keep_every > 1:
            raise ValueError("keep_every is for a learner; name one, for example learner='psrl'")
        if learner is not None:
            if runs_per_task > 1:
                raise ValueError("a learner has one run of each task; leave runs_per_task out")
            self._make_learner()  # refuses a name that is no compiled learner
        training_source(env_id, **keywords).sample(
            PUBLIC_SEEDS
        )  # refuses keywords that make no task

    def __iter__(self) -> Iterator[TrainingBatch]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[TrainingBatch]:
        """Yields the batches from number `start` on, so that a training goes on where it stopped."""
        for k in count(start):
            yield self.batch(k)

    def batch(self, k: int) -> TrainingBatch:
        """Returns batch number `k` of this part of the stream.

        Args:
            k: the number, from 0.
        """
        tasks = self.batch_size // self.runs_per_task
        first = PUBLIC_SEEDS + self.seed * _TASKS_OF_A_SEED + (self.rank + self.world * k) * tasks
        source = training_source(self.env_id, **dict(self.keywords))
        seeds = range(first, first + tasks)
        if self.learner is not None:
            learner = self._make_learner()
            data = record_histories(learner, source, seeds, self.length, self.keep_every)
            return label_steps(data, seeds)
        data = record_tasks(
            source,
            seeds,
            self.length,
            runs_per_task=self.runs_per_task,
            mixture=self.mixture,
            threads=self.threads,
        )
        if not self.tags:
            data.tag[:] = TAG_UNKNOWN
        return label_steps(data, [seed for seed in seeds for _ in range(self.runs_per_task)])

    def _make_learner(self) -> CompiledAgent:
        """Makes the learner, with its settings for the environment where it is tuned.

        Raises:
            ValueError: there is no such agent, or it is no compiled learner.
        """
        assert self.learner is not None
        agent = AgentSpec(self.learner).make(self.env_id)
        if not isinstance(agent, CompiledAgent):
            raise ValueError(
                f"agent {self.learner} is no compiled learner; give one, such as psrl or tql-ucb"
            )
        return agent

    def split(self, rank: int, world: int) -> TrainingRuns:
        """Returns part `rank` of `world` parts of this stream. Together they have each of its batches once.

        Args:
            rank: the number of the part, from 0.
            world: the number of parts.
        """
        parse_count("rank", rank, 0, parse_count("world", world) - 1)
        out = object.__new__(TrainingRuns)
        vars(out).update(vars(self))
        vars(out).update(rank=self.rank + self.world * rank, world=self.world * world)
        return out


def training_source(env_id: str, **keywords: Any) -> TaskSource:
    """Returns the tasks of an environment, if they can be recorded and may be trained on.

    Args:
        env_id: the Gymnasium id.
        **keywords: those of `gym.make`.

    Raises:
        ValueError: the message says why not.
    """
    try:
        source = task_source(env_id, **keywords)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None
    if source.family.task is not None:
        raise ValueError(f"{env_id} is no table of one player; only such tasks are recorded")
    if not source.is_sampled:
        raise ValueError(
            f"{env_id} has one task, the one that agents are tested on; train on sampled tasks"
        )
    if source.family.held_out(dict(source.keywords)):
        raise ValueError(f"the tasks of {env_id} are held out for tests; train on others")
    return source
