"""Switch2: PettingZoo's own tests, a plain twin of the rules, and episodes by hand."""

import warnings

import numpy as np
import pytest

import anymdp_bench
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_task
from anymdp_bench.tasks.switch2.game import CELLS, joint_states, make_switch2

DOWN, LEFT, UP, RIGHT, STAY = range(5)
PICTURE = ["..   ..", ".......", "..   .."]
GOALS = [(0, 6), (0, 0)]
STEPS = [(1, 0), (0, -1), (-1, 0), (0, 1), (0, 0)]


class Plain:
    """The rules of Switch2, one agent after the other, on a map of characters."""

    def __init__(self):
        self.places, self.steps = [(0, 1), (0, 5)], 0
        free = [(r, c) for r in range(3) for c in range(7) if PICTURE[r][c] == "."]
        self.number = {cell: k for k, cell in enumerate(free)}

    def seen(self):
        return [15 * self.places[1 - i][1] + self.number[self.places[i]] for i in range(2)]

    def step(self, actions):
        rewards = []
        for i in range(2):
            if self.places[i] == GOALS[i]:
                rewards.append(0.0)
                continue
            (r, c), (dr, dc) = self.places[i], STEPS[actions[i]]
            target = (r + dr, c + dc)
            if target in self.number and target != self.places[1 - i]:
                self.places[i] = target
            rewards.append(5.0 if self.places[i] == GOALS[i] else -0.1)
        self.steps += 1
        done = self.places == GOALS
        return self.seen(), rewards, done, not done and self.steps == 50


def test_pettingzoo_has_no_complaint():
    with warnings.catch_warnings():  # of its own, on importing its games
        warnings.simplefilter("ignore", DeprecationWarning)
        from pettingzoo.test import parallel_api_test, parallel_seed_test
    parallel_api_test(anymdp_bench.switch2_parallel_env(), num_cycles=1000)
    parallel_seed_test(anymdp_bench.switch2_parallel_env)


def test_random_episodes_are_the_plain_twins():
    env = anymdp_bench.switch2_parallel_env()
    rng = np.random.default_rng(0)
    for k in range(300):
        plain = Plain()
        seen, _ = env.reset(seed=k)
        assert list(seen.values()) == plain.seen()
        bold = rng.random() < 0.5  # half of the episodes head for the goals, so that some get there
        while env.agents:
            actions = rng.integers(5, size=2)
            if bold:
                toward = [
                    RIGHT if plain.places[0][0] == 1 else DOWN,
                    LEFT if plain.places[1][0] == 1 else DOWN,
                ]
                actions = np.where(rng.random(2) < 0.6, toward, actions)
            given = dict(zip(env.agents, actions, strict=True))
            seen, rewards, terminated, truncated, _ = env.step(given)
            expected = plain.step(actions)
            assert list(seen.values()) == expected[0]
            assert list(rewards.values()) == pytest.approx(expected[1])
            assert set(terminated.values()) == {expected[2]}
            assert set(truncated.values()) == {expected[3]}


def test_the_optimum_by_hand():
    """Alone each needs 7 moves. Agent 1 goes first; agent 2 lets it out of the corridor, five moves late:
    4.4 for 7 moves and 3.9 for 12."""
    env = anymdp_bench.switch2_parallel_env()
    env.reset()
    one = [DOWN, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, UP, STAY, STAY, STAY, STAY, STAY]
    two = [STAY, STAY, STAY, STAY, STAY, DOWN, LEFT, LEFT, LEFT, LEFT, LEFT, UP]
    total = 0.0
    for a, b in zip(one, two, strict=True):
        assert env.agents
        _, rewards, terminated, _, _ = env.step({"agent_1": a, "agent_2": b})
        total += sum(rewards.values())
    assert all(terminated.values())
    assert total == pytest.approx(4.4 + 3.9)
    assert compute_references(make_switch2().mdp).oracle == pytest.approx(4.4 + 3.9)


def test_the_joint_task_is_a_task():
    mdp = sample_task("Switch2-v0")
    assert isinstance(mdp, TabularMDP)
    assert (mdp.n_states, mdp.n_actions, mdp.max_steps) == (15 * 14, 25, 50)
    assert len(CELLS) == 15


def test_shaping_by_hand():
    """Both agents' hints, summed: closer 0.08, farther -0.12, still -0.04, arrival 1, arrived 0."""
    game = make_switch2()
    start = int(game.mdp.start.argmax())
    hints = {(DOWN, DOWN): 0.16, (LEFT, STAY): -0.16, (UP, UP): -0.08, (STAY, RIGHT): -0.16}
    for (a, b), hint in hints.items():
        assert game.shaped_reward[start, 5 * a + b] == pytest.approx(hint)
    where = {cells: k for k, cells in enumerate(joint_states())}
    below = where[CELLS.index((1, 6)), CELLS.index((1, 0))]
    assert game.shaped_reward[below, 5 * UP + STAY] == pytest.approx(1 - 0.04)
    arrived = where[CELLS.index((0, 6)), CELLS.index((1, 0))]
    assert game.shaped_reward[arrived, 5 * LEFT + UP] == pytest.approx(1)
    assert game.reward[arrived, 5 * LEFT + UP].tolist() == [0, 5]


def test_bad_calls_are_refused():
    env = anymdp_bench.switch2_parallel_env()
    with pytest.raises(Exception, match="call reset"):
        env.step({})
    env.reset()
    with pytest.raises(ValueError, match="the action of agent_2 is None"):
        env.step({"agent_1": 0})
    with pytest.raises(ValueError, match="the action of agent_1 is 5"):
        env.step({"agent_1": 5, "agent_2": 0})
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        anymdp_bench.switch2_parallel_env(render_mode="human")


def test_pictures():
    env = anymdp_bench.switch2_parallel_env(render_mode="rgb_array")
    env.reset()
    first = env.render()
    assert first.shape == (3 * 48, 7 * 48, 3)
    env.step({"agent_1": DOWN, "agent_2": STAY})
    assert (env.render() != first).any()
    text = anymdp_bench.switch2_parallel_env(render_mode="ansi")
    text.reset()
    assert text.render() == "b1###2a\n.......\n..###..\n"
