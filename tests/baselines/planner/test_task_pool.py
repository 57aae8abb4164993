import numpy as np
import pytest

from anymdp_baselines.planner.memory import empty_memory
from anymdp_baselines.planner.task_pool import AGE, demonstrate, play, seat_task, seats
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import oracle_advantages, references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

S, A, H = 8, 3, 101
SOURCE = task_source("AnyMDP-v0", n_states=S, n_actions=A)
FEWER = task_source("AnyMDP-v0", n_states=12, n_actions=A, min_states=8)
BANDIT = task_source("AnyMDP-v0", n_states=1, n_actions=A)


def seated(seed, n=1, source=SOURCE, shape=(S, S, A)):
    room, memory = seats(n, *shape, H), empty_memory(n, *shape[1:])
    for i in range(n):
        seat_task(room, i, source, seed + i)
    return room, memory


def oracle(room):
    return room.answer.argmax(-1)


def run(room, memory, policy, steps):
    n, observations = policy.shape[:2]
    tally, visited = np.zeros((1, 2, 2)), np.zeros((n, observations))
    counts = np.full(n, steps)
    preference = 1e9 * np.eye(room.answer.shape[2])[policy]
    play(room, memory, preference, counts, np.zeros(n, np.int64), np.array([10**9]), tally, visited)
    return tally[0, 0, 0] / tally[0, 0, 1], visited


def test_public_seeds_are_refused():
    with pytest.raises(ValueError, match="is public"):
        seated(PUBLIC_SEEDS - 1)


@pytest.mark.parametrize("source", [SOURCE, FEWER, BANDIT], ids=["full", "fewer", "bandit"])
@pytest.mark.parametrize("seed", range(PUBLIC_SEEDS, PUBLIC_SEEDS + 3))
def test_a_seat_is_the_task_of_its_seed_with_the_oracles_answers(source, seed):
    mdp = source.sample(seed)
    room, _ = seated(seed, 1, source, (max(mdp.n_states, 12), mdp.n_observations, A))
    scale = references(mdp)
    live, n = ~mdp.terminal, mdp.n_states
    assert room.horizon[0] == mdp.max_steps
    assert bool(room.counts[0]) == scale.is_scorable
    chance = np.diff(room.chance[0, :n, :, :n], axis=-1, prepend=0.0)
    np.testing.assert_allclose(chance[live], mdp.transition[live], atol=1e-12)
    answer = room.answer[0][mdp.observation]
    np.testing.assert_array_equal(answer.argmax(1)[live], solve(mdp).policy[live])
    assert (answer[live].max(1) == 0.0).all()
    if scale.is_scorable:
        table = oracle_advantages(mdp, scale.policy) / scale.gap
        np.testing.assert_allclose(room.loss[0, : mdp.max_steps + 1, :n], table, rtol=1e-12)


def test_the_oracle_scores_one_and_the_account_is_whole():
    room, memory = seated(PUBLIC_SEEDS, 32)
    room.counts[:] = True
    best, visited = run(room, memory, oracle(room), 2000)
    assert best == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(visited, memory.visits.sum(2))
    assert (room.play[:, AGE] == 2000).all()
    assert (memory.total[:, 0] == 2000).all()


def test_tasks_with_fewer_states_never_leave_them():
    room, memory = seated(PUBLIC_SEEDS, 16, FEWER, (12, 12, A))
    room.counts[:] = True
    best, visited = run(room, memory, oracle(room), 3000)
    assert best == pytest.approx(1.0, abs=1e-6)
    for i in range(16):
        unknown = np.setdiff1d(np.arange(12), FEWER.sample(PUBLIC_SEEDS + i).observation)
        assert visited[i, unknown].sum() == 0


def test_demonstrations_are_the_oracles_and_are_marked():
    room, memory = seated(PUBLIC_SEEDS, 2)
    demonstrate(room, memory, 0, 7, 0.0)
    demonstrate(room, memory, 1, 200, 0.3)
    np.testing.assert_array_equal(memory.demonstrated, memory.visits)
    assert memory.total[0, 3] == 7
    best = oracle(room)
    for o in range(S):
        assert memory.demonstrated[0, o].sum() == memory.demonstrated[0, o, best[0, o]]
    chosen = memory.demonstrated[1, np.arange(S), best[1]].sum()
    n = memory.demonstrated[1].sum()
    share = 0.7 + 0.3 / A  # false-alarm rate of five standard deviations: 6e-7
    assert abs(chosen / n - share) < 5 * np.sqrt(share * (1 - share) / n)
