"""Learning histories: those of the learner itself, step for step, and of k episodes one is kept."""

import numpy as np
import pytest

from anymdp_baselines.tabular.psrl import PSRL
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.agents import RunBatch
from anymdp_bench.datasets.codes import TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.datasets.learning_histories import record_histories
from anymdp_bench.engine.alias_tables import draw_start, draw_transition, unpack
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.step import add_noise
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

SOURCE = task_source("AnyMDP-v0", n_states=8, n_actions=3)
SEEDS = range(PUBLIC_SEEDS + 7, PUBLIC_SEEDS + 10)


def play(agent, seed, episodes):
    """The steps of whole episodes, one list each: the learner's own functions and the engine's draws."""
    mdp = SOURCE.sample(seed)
    row, cells, values = mdp.step_tables.rows[0], *mdp.step_tables[1:]
    names = ("agent", "environment")
    own, env = (stream("training", "histories", name, seed) for name in names)
    batch = RunBatch(mdp.n_observations, mdp.n_actions, own)
    memory, settings, A = agent.memory(batch), agent.settings(batch), mdp.n_actions
    out = []
    for _ in range(episodes):
        state, seen, _ = unpack(draw_start(row, cells, env, 0))
        steps, left, over = [], mdp.max_steps, False
        while not over:
            action = agent.compiled_act(seen, A, memory, settings, own)
            word, mean, noise = draw_transition(row, cells, values, state * A + action, env, 0)
            reward = add_noise(mean, noise, env, 0)
            state, following, terminated = unpack(word)
            left -= 1
            truncated = left == 0 and not terminated
            agent.compiled_learn(
                seen, action, reward, following, terminated, truncated, A, memory, settings, own
            )
            over = terminated or truncated
            ending = TERMINATED if terminated else TRUNCATED if truncated else WENT_ON
            steps.append((seen, action, np.float32(reward), ending, following))
            seen = following
        out.append(steps)
    return out


@pytest.mark.parametrize("make", [PSRL, TQLUCB])
@pytest.mark.parametrize("keep_every", [1, 3])
def test_a_history_is_what_the_learner_did(make, keep_every):
    length = 150
    history = record_histories(make(), SOURCE, SEEDS, length, keep_every)
    for i, seed in enumerate(SEEDS):
        episodes = play(make(), seed, 200)[keep_every - 1 :: keep_every]
        steps = [step for episode in episodes for step in episode][:length]
        assert len(steps) == length
        for found, expected in zip(history[:5], zip(*steps, strict=True), strict=True):
            np.testing.assert_array_equal(found[i], expected)


def test_histories_do_not_depend_on_what_they_are_recorded_with():
    whole = record_histories(PSRL(), SOURCE, SEEDS, 100)
    for i, seed in enumerate(SEEDS):
        alone = record_histories(PSRL(), SOURCE, [seed], 100)
        for mine, other in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(mine[i], other[0])


@pytest.mark.parametrize(("seed", "keep_every"), [(PUBLIC_SEEDS - 1, 1), (PUBLIC_SEEDS, 0)])
def test_public_tasks_and_no_episodes_are_refused(seed, keep_every):
    with pytest.raises(ValueError, match=r"public|keep_every is 0"):
        record_histories(PSRL(), SOURCE, [seed], 10, keep_every)
