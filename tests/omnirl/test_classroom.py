import numpy as np
import pytest

from anymdp_baselines.omnirl.classroom import AGE, new_task, play, seats, training_stream
from anymdp_baselines.omnirl.memory import empty_memory
from anymdp_bench.scoring import references
from anymdp_bench.solution import solve
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

S, A = 8, 3
SOURCE = task_source("AnyMDP-v0", n_states=S, n_actions=A)


def seated(seed, n=1):
    room, memory = seats(n, S, A), empty_memory(n, S, A)
    for i in range(n):
        new_task(room, memory, i, training_stream(S, A, seed + i))
    return room, memory


def run(room, memory, preference, steps):
    n = len(room.play)
    tally, visited = np.zeros((1, 2, 2)), np.zeros((n, S))
    counts = np.full(n, steps)
    play(room, memory, preference, counts, np.zeros(n, np.int64), np.array([10**9]), tally, visited)
    return tally[0, 0, 0] / tally[0, 0, 1], visited


def test_public_seeds_are_refused():
    training_stream(S, A, PUBLIC_SEEDS)
    with pytest.raises(ValueError, match="is public"):
        training_stream(S, A, PUBLIC_SEEDS - 1)


@pytest.mark.parametrize("seed", range(PUBLIC_SEEDS, PUBLIC_SEEDS + 5))
def test_a_seat_is_the_task_of_its_seed_with_the_oracles_answers(seed):
    room, _ = seated(seed)
    mdp = SOURCE.sample(seed)
    scale = references(mdp)
    live = ~mdp.terminal
    assert room.horizon[0] == mdp.max_steps
    assert bool(room.counts[0]) == scale.counts
    np.testing.assert_allclose(
        np.diff(room.chance[0], axis=-1, prepend=0.0)[live], mdp.transition[live], atol=1e-12
    )
    answer = room.answer[0][mdp.observation]
    np.testing.assert_array_equal(answer.argmax(1)[live], solve(mdp).policy[live])
    assert (answer[live].max(1) == 0.0).all()


def test_the_oracle_scores_one_and_the_account_is_whole():
    room, memory = seated(PUBLIC_SEEDS, 32)
    room.counts[:] = True
    best, visited = run(room, memory, 1e9 * (room.answer == 0.0), 2000)
    assert best == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(visited, memory.visits.sum(2))
    assert (room.play[:, AGE] == 2000).all()
    assert (memory.total[:, 0] == 2000).all()
