"""`TrainingBatch`: runs with the oracle's labels at every step, in the arrays that a trainer needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, Transition
from anymdp_bench.datasets.codes import TAG_UNKNOWN, TAGS, TERMINATED, TRUNCATED
from anymdp_bench.datasets.sequences import Sequences
from anymdp_bench.engine.arrays import Bools, Float32s, Int64s
from anymdp_bench.evaluation.loop import observe

NO_LABEL = -100
"""Stands for an oracle's action that is not known. The losses of PyTorch leave it out by default."""


class TrainingBatch(NamedTuple):
    """`n` runs of `T` steps, each on one task, through all episodes; arrays [n, T] unless said otherwise.

    A model that learns in context reads the steps of a run from left to right. At step t it may use
    `observation[:, : t + 1]`, and the actions, rewards and flags of the steps before t. It learns to give the
    oracle's action at t.

    Attributes:
        observation: the observation in which the action was taken, int64.
        action: the action, int64.
        reward: its reward, float32.
        terminated: whether the step ended the episode in a terminal state, bool.
        truncated: whether the step ended the episode at the time limit, bool.
        next_observation: the observation that the step led to, int64. Where it ended an episode, the next
            `observation` is the first one of another episode.
        tag: who chose the action, int64: 0 to 3 an oracle of discount 0, 0.5, 0.93, 0.994; 4 the model-based
            learner, 5 the Q learner, 6 a random choice; 7 not told.
        oracle_action: the action of the oracle (discount 0.994) in this observation, int64; -100 in data from
            elsewhere, where it is not known.
        advantage: the oracle's advantage of every action in this observation, float32 [n, T, A]. It is 0 for
            the oracle's own action, and else negative. The unit is gap / H, the mean gain a step of the
            oracle over random actions. NaN where it is not known.
        entropy: the entropy of the next observation after this action, in nats, float32: the lowest mean loss
            of a model that predicts it. NaN where it is not known.
        task_seed: the task seed of each run, int64 [n]; -1 where it is not known.
    """

    observation: Int64s
    action: Int64s
    reward: Float32s
    terminated: Bools
    truncated: Bools
    next_observation: Int64s
    tag: Int64s
    oracle_action: Int64s
    advantage: Float32s
    entropy: Float32s
    task_seed: Int64s

    def soft_labels(self, temperature: float = 0.1) -> Float32s:
        """Returns softmax(advantage / temperature), float32 [n, T, A]: targets in which near-ties share.

        Args:
            temperature: in units of gap / H, above 0.
        """
        weight = np.exp(self.advantage / np.float32(temperature))  # at most exp(0)
        out: Float32s = weight / weight.sum(-1, keepdims=True)
        return out

    def transitions(self) -> Iterator[Transition]:
        """Yields the T steps of all runs, in the form in which agents learn from them."""
        reward = self.reward.astype(np.float64)
        for t in range(self.observation.shape[1]):
            yield Transition(
                np.ascontiguousarray(self.observation[:, t]),
                np.ascontiguousarray(self.action[:, t]),
                np.ascontiguousarray(reward[:, t]),
                np.ascontiguousarray(self.next_observation[:, t]),
                np.ascontiguousarray(self.terminated[:, t]),
                np.ascontiguousarray(self.truncated[:, t]),
            )


def label_steps(data: Sequences, seeds: Sequence[int]) -> TrainingBatch:
    """Looks up the labels of every step of recorded sequences.

    Args:
        data: the sequences.
        seeds: the task seed of each.
    """
    seen, action = data.seen.astype(np.int64), data.action.astype(np.int64)
    n, n_observations, n_actions = data.advantage.shape
    row = seen + n_observations * np.arange(n)[:, None]
    best = data.advantage.argmax(-1)
    return TrainingBatch(
        seen,
        action,
        data.reward,
        data.ending == TERMINATED,
        data.ending == TRUNCATED,
        data.arrival.astype(np.int64),
        data.tag.astype(np.int64),
        best.ravel().take(row),
        data.advantage.reshape(-1, n_actions).take(row, 0),
        data.entropy.ravel().take(row * n_actions + action),
        np.array(seeds, np.int64),
    )


def make_unlabelled(
    observation: npt.ArrayLike,
    action: npt.ArrayLike,
    reward: npt.ArrayLike,
    terminated: npt.ArrayLike,
    truncated: npt.ArrayLike,
    next_observation: npt.ArrayLike,
    n_actions: int,
) -> TrainingBatch:
    """Makes a batch of steps from elsewhere, without labels.

    Args:
        observation: integers [n, T], as all of them but for `reward` and the flags.
        action: see `TrainingBatch`.
        reward: see `TrainingBatch`.
        terminated: see `TrainingBatch`.
        truncated: see `TrainingBatch`.
        next_observation: see `TrainingBatch`.
        n_actions: A.
    """
    seen = np.asarray(observation, np.int64)
    return TrainingBatch(
        seen,
        np.asarray(action, np.int64),
        np.asarray(reward, np.float32),
        np.asarray(terminated, np.bool_),
        np.asarray(truncated, np.bool_),
        np.asarray(next_observation, np.int64),
        np.full(seen.shape, TAG_UNKNOWN, np.int64),
        np.full(seen.shape, NO_LABEL, np.int64),
        np.full((*seen.shape, n_actions), np.nan, np.float32),
        np.full(seen.shape, np.nan, np.float32),
        np.full(len(seen), -1, np.int64),
    )


def check_steps(batch: TrainingBatch) -> TrainingBatch:
    """Returns a batch that was read from a file.

    Raises:
        ValueError: its steps are none: a number is out of range, or a reward is not finite.
    """
    n_actions = batch.advantage.shape[-1]
    for name in ("observation", "next_observation"):
        if getattr(batch, name).min() < 0:
            raise ValueError(f"{name} is negative")
    if not (batch.action.min() >= 0 and batch.action.max() < n_actions):
        raise ValueError(f"action is not within 0 to {n_actions - 1}")
    known = batch.oracle_action != NO_LABEL
    best = batch.oracle_action[known]
    if best.size and not (best.min() >= 0 and best.max() < n_actions):
        raise ValueError(f"oracle_action is not within 0 to {n_actions - 1}")
    if not (batch.tag.min() >= 0 and batch.tag.max() < TAGS):
        raise ValueError(f"tag is not within 0 to {TAGS - 1}")
    if not np.isfinite(batch.reward).all():
        raise ValueError("reward is not finite")
    return batch


def show_demonstrations(agent: Agent, batch: TrainingBatch) -> None:
    """Shows a started agent the steps of a batch, as the contexts `offline` and `imitation` do.

    The agent has as many runs as the batch. Before every step its `act` is called, and the answer is not
    used. An agent with a method `demonstrate` is told that these are demonstrations.

    Args:
        agent: the agent.
        batch: what it is shown.
    """
    demonstrated = np.ones(len(batch.observation), np.bool_)
    for transition in batch.transitions():
        agent.act(transition.observation)
        observe(agent, transition, demonstrated)
