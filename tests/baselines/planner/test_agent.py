import copy
from dataclasses import replace

import numpy as np
import pytest

from anymdp_bench.agents import Transition
from anymdp_bench.evaluation import Budget, Interaction, Run, make_simulator, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from anymdp_baselines.planner.agent import NeuralPlanner, planner_no_network  # noqa: E402
from anymdp_baselines.planner.checkpoint import FORMAT, find_shipped, load_arrays, save_arrays  # noqa: E402
from anymdp_baselines.planner.finite_horizon import NO_ACTION  # noqa: E402
from anymdp_baselines.training.evaluate import online_scores  # noqa: E402


@pytest.fixture(scope="module")
def runs():
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    tasks, _ = select_tasks(source, 4)
    return [Run("AnyMDP-8s3a-v0", task, 0) for task in tasks]


def _batch(runs):
    from anymdp_bench.evaluation import run_batch

    return run_batch(runs, privileged=False)


def test_a_run_does_not_depend_on_its_company(runs):
    together = play_in_context(NeuralPlanner(), runs, Budget(steps=400))
    alone = play_in_context(NeuralPlanner(), runs[1:2], Budget(steps=400))[0]
    np.testing.assert_array_equal(together[1].steps, alone.steps)
    np.testing.assert_array_equal(together[1].score, alone.score)


def test_tasks_known_to_be_anymdps_are_played_by_their_expert(runs):
    for familiar, n_observations in ((True, 16), (True, 2), (True, 128), (False, 16), (True, 1)):
        agent = NeuralPlanner(assumes_anymdp=familiar)
        (expert,) = (expert.planner for expert in agent._weights.experts)
        agent.start(replace(_batch(runs), n_observations=n_observations))
        has_expert = familiar and n_observations > 1
        assert agent._by_observation.planner is (expert if has_expert else agent._weights.general)


def test_demonstrations_are_read_by_the_weights_that_know_them(runs, tmp_path):
    agent, other = NeuralPlanner(), NeuralPlanner()
    for each in (agent, other):
        each.start(_batch(runs))
    n = len(runs)
    zero, none = np.zeros(n, np.int64), np.zeros(n, bool)
    agent.act(zero)
    agent.demonstrate(Transition(zero, zero, np.zeros(n), zero, none, none), np.ones(n, bool))
    assert agent._by_observation.planner is agent._weights.general
    agent.save_context(tmp_path / "context.safetensors")
    other.load_context(tmp_path / "context.safetensors")
    assert other._by_observation.planner is other._weights.general


@pytest.mark.slow
def test_the_shipped_weights_learn_unseen_tasks():
    score = online_scores(NeuralPlanner(), 16, 5, [1000], n_tasks=16)
    assert np.nanmean(score) > 0.7


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x10" + b"\x00" * 7 + b"{}              "])
def test_a_bad_checkpoint_gets_one_clear_line(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no neural-planner checkpoint") as caught:
        NeuralPlanner(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_type_that_numpy_lacks_is_refused(tmp_path, dtype):
    path = tmp_path / "other.safetensors"
    save_file({"head.bias": torch.zeros(8, dtype=dtype)}, path, {"format": FORMAT, "numbers": "{}"})
    with pytest.raises(ValueError, match="no neural-planner checkpoint") as caught:
        NeuralPlanner(str(path))
    assert "\n" not in str(caught.value)


def play_steps(agent, simulator, steps):
    seen, play = [], Interaction(agent, simulator)
    for _ in range(steps):
        play.step()
        seen.append(simulator.observation)
    return np.array(seen)


@pytest.mark.parametrize("familiar", [True, False])
def test_a_saved_context_goes_on_as_if_never_interrupted(runs, tmp_path, familiar):
    path = tmp_path / "context.safetensors"
    agent, simulator = NeuralPlanner(assumes_anymdp=familiar), make_simulator(runs)
    agent.start(_batch(runs))
    play_steps(agent, simulator, 500)
    agent.save_context(path)
    other, twin = NeuralPlanner(assumes_anymdp=familiar), copy.deepcopy(simulator)
    expected = play_steps(agent, simulator, 150)
    other.start(_batch(runs))
    other.load_context(path)
    np.testing.assert_array_equal(play_steps(other, twin, 150), expected)
    other.start(_batch(runs[:2]))
    with pytest.raises(ValueError, match="context of other runs"):
        other.load_context(path)
    with pytest.raises(ValueError, match="no context"):
        other.load_context(find_shipped())


RUN_ARRAYS = """onward paid visits reward square ends paid_end shown arrival total familiar preference logit
    known scouted rng scout_rng age next_plan branching refuted value clock limit ending renewal_begin"""
HISTORY_ARRAYS = "evidence hidden before ids known whose"


def test_the_names_of_arrays_in_saved_contexts_stay(runs, tmp_path):
    """Contexts were saved by them before the code had other names."""
    agent = NeuralPlanner()
    agent.start(_batch(runs))
    agent.save_context(tmp_path / "context.safetensors")
    arrays, _ = load_arrays(tmp_path / "context.safetensors")
    expected = {f"{part}.{name}" for part in ("mind", "deep") for name in RUN_ARRAYS.split()}
    assert arrays.keys() == expected | {f"history.{name}" for name in HISTORY_ARRAYS.split()}


def test_a_context_of_version_8_goes_on(runs, tmp_path):
    """It lacks the times of exploring anew, and is played on by those that were drawn at the start."""
    path, old = tmp_path / "context.safetensors", tmp_path / "old.safetensors"
    agent, simulator = NeuralPlanner(assumes_anymdp=True), make_simulator(runs)
    agent.start(_batch(runs))
    play_steps(agent, simulator, 200)
    agent.save_context(path)
    arrays, numbers = load_arrays(path)
    del arrays["mind.renewal_begin"]
    save_arrays(old, arrays, numbers)
    other, twin = NeuralPlanner(assumes_anymdp=True), copy.deepcopy(simulator)
    other.start(_batch(runs))
    other.load_context(old)
    np.testing.assert_array_equal(play_steps(other, twin, 150), play_steps(agent, simulator, 150))
    del arrays["mind.age"]
    save_arrays(old, arrays, numbers)
    with pytest.raises(ValueError, match="no context"):
        other.load_context(old)


def test_a_saved_context_keeps_its_times_of_exploring_anew(runs, tmp_path):
    path = tmp_path / "context.safetensors"
    agent, other = NeuralPlanner(assumes_anymdp=True), NeuralPlanner(assumes_anymdp=True)
    agent.start(_batch(runs))
    agent.save_context(path)
    other.start(replace(_batch(runs), seeds=np.arange(len(runs), dtype=np.uint64)))
    before = other._by_observation._renewal_begin.copy()
    other.load_context(path)
    np.testing.assert_array_equal(
        other._by_observation._renewal_begin, agent._by_observation._renewal_begin
    )
    assert (before != agent._by_observation._renewal_begin).all()


def test_the_scale_of_rewards_does_not_matter(runs):
    agents = NeuralPlanner(), NeuralPlanner()
    simulator = make_simulator(runs)
    for agent in agents:
        agent.start(_batch(runs))
    for _ in range(300):
        action = agents[0].act(simulator.observation)
        agents[1].act(simulator.observation)
        step = simulator.step(action).transition
        agents[0].learn(step)
        agents[1].learn(step._replace(reward=1000.0 * step.reward))
    planned = [agent._by_observation for agent in agents]
    for each in planned:
        each.plan(np.arange(len(runs)))
    np.testing.assert_allclose(planned[0].preference, planned[1].preference, atol=1e-2)


def test_without_the_network_it_samples_and_then_plans_by_the_steps_left(runs):
    """The first steps of a run follow sampled tasks; a settled run plays the plan of `finite_horizon`."""
    agent, simulator = planner_no_network(), make_simulator(runs)
    agent.start(_batch(runs))
    play_steps(agent, simulator, 3)
    own = agent._by_observation
    assert own.planner is None
    every = np.arange(len(runs))
    assert own._is_sampling(every).all()
    assert (own._timed_action == NO_ACTION).all()
    play_steps(agent, simulator, 4000)
    assert not own._is_sampling(every).any()
    assert (own._logit == 0.0).all()
    has_plan = own._episode_limit > 1  # a run whose episodes were never truncated knows no limit
    assert has_plan.sum() >= 3
    seen = own.memory.visits[has_plan].sum(-1) > 0.0
    assert (own._timed_action[has_plan, 0][seen] != NO_ACTION).all()


def test_without_the_network_it_learns_unseen_tasks():
    """The best stationary policy has 1."""
    score = online_scores(planner_no_network(), 16, 5, [6000], n_tasks=8, start=2**32)
    assert np.nanmean(score) > 0.95
