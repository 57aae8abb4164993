import copy
import math
from dataclasses import replace

import numpy as np
import pytest

from anymdp_bench.agents import Agent, Transition
from anymdp_bench.evaluation import Budget, Interaction, Run, make_simulator, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from anymdp_baselines.planner import presets, train  # noqa: E402
from anymdp_baselines.planner.agent import NeuralPlanner  # noqa: E402
from anymdp_baselines.planner.assemble import assemble  # noqa: E402
from anymdp_baselines.planner.checkpoint import (  # noqa: E402
    FORMAT,
    load_arrays,
    load_weights,
    save_arrays,
    shipped,
)
from anymdp_baselines.planner.evaluate import online_scores  # noqa: E402
from anymdp_baselines.planner.features import SLOT_FEATURES, STATE_FEATURES  # noqa: E402
from anymdp_baselines.planner.model import Planner, PlannerSize  # noqa: E402
from anymdp_baselines.planner.rollout import Playroom  # noqa: E402
from anymdp_baselines.planner.trainer import Trainer  # noqa: E402

ROOMS = (
    presets.anymdp(8, 6, 1.0, n_actions=3),
    presets.worlds(12, 4, 0.5),
    presets.anymdp(1, 4, 0.5, n_actions=3),
)
SMALL = presets.Preset(ROOMS, width=8, loops=2, updates=12, life=3.0)


@pytest.fixture(scope="module")
def runs():
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    tasks, _ = select_tasks(source, 4)
    return [Run("AnyMDP-8s3a-v0", task, 0) for task in tasks]


def test_permuting_states_and_actions_permutes_the_plan():
    torch.manual_seed(0)
    planner = Planner(PlannerSize(8, 3))
    n, states, actions = 2, 5, 3
    onward = torch.rand(n, states, actions, states)
    inward = torch.rand(n, states, actions, states)
    slot = torch.rand(n, states, actions, SLOT_FEATURES)
    state = torch.rand(n, states, STATE_FEATURES)
    p, q = torch.randperm(states), torch.randperm(actions)

    def edges(array):
        return array.reshape(n, states * actions, states)

    plain = planner(edges(onward), edges(inward), slot, state)
    moved = planner(
        edges(onward[:, p][:, :, q][..., p]),
        edges(inward[:, p][:, :, q][..., p]),
        slot[:, p][:, :, q],
        state[:, p],
    )
    assert torch.allclose(plain.logit[:, p][:, :, q], moved.logit, atol=1e-5)
    assert torch.allclose(plain.quantile[:, p][:, :, q], moved.quantile, atol=1e-5)


def test_a_resumed_run_gives_the_same_losses(tmp_path):
    trainer = Trainer(SMALL)
    for _ in range(5):
        trainer.update()
    trainer.save(tmp_path / "state.safetensors")
    expected = [trainer.update() for _ in range(4)]
    resumed = Trainer(SMALL)
    resumed.load(tmp_path / "state.safetensors")
    assert [resumed.update() for _ in range(4)] == expected


def test_a_state_of_other_settings_is_refused(tmp_path):
    trainer = Trainer(SMALL)
    trainer.update()
    trainer.save(tmp_path / "state.safetensors")
    other = Trainer(replace(SMALL, updates=13))
    with pytest.raises(ValueError, match="other settings"):
        other.load(tmp_path / "state.safetensors")


def test_training_writes_weights_that_play(tmp_path, monkeypatch, runs):
    monkeypatch.setitem(presets.PRESETS, "test", SMALL)
    monkeypatch.setattr(train, "_EXAM_TASKS", 2)
    weights = train.main("test", out=tmp_path)
    agent = NeuralPlanner(str(weights))
    assert isinstance(agent, Agent)
    agent.start(_batch(runs))
    before = agent.memory_bytes
    curves = play_in_context(agent, runs, Budget(steps=300))
    assert all(len(curve.score) > 0 for curve in curves)
    assert agent.memory_bytes == before
    assert (tmp_path / "log.csv").read_text().startswith("update,seconds,room,slots,total")
    with pytest.raises(ValueError, match="resume it"):
        train.main("test", out=tmp_path)


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


def test_checkpoints_are_put_together_and_taken_apart_by_size(tmp_path, runs):
    paths = [tmp_path / f"{k}.safetensors" for k in range(3)]
    for seed, path in enumerate(paths):
        Trainer(replace(SMALL, seed=seed)).ship(path)
    assemble(tmp_path / "all.safetensors", paths[0], [(paths[1], 2, 8), (paths[2], 9, 20)])
    together = load_weights(tmp_path / "all.safetensors")
    for path, planner in zip(
        paths,
        (together.planner(False, 8), together.planner(True, 8), together.planner(True, 9)),
        strict=True,
    ):
        for array, alone in zip(planner, load_weights(path).general, strict=True):
            np.testing.assert_array_equal(array, alone)
    assert together.planner(True, 21) is together.general


def test_experts_settle_in_training_as_at_play():
    room = Playroom(
        presets.expert(8, 4, 1.0, (math.inf, 2.0)), 3.0, 0.06, 2**32, np.random.default_rng(0)
    )
    age = np.full(4, 4 * room.slots)
    np.testing.assert_allclose(room._warmth(age), np.where(room.group % 2, 1 / 16, 1.0))
    assert room.memory.assumes_anymdp.all()


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


def test_a_checkpoint_of_wrong_shapes_or_infinite_weights_is_refused(tmp_path):
    trainer = Trainer(SMALL)
    path = tmp_path / "weights.safetensors"
    trainer.average["head.bias"] = torch.full((8,), math.inf)
    trainer.ship(path)
    with pytest.raises(ValueError, match="not finite"):
        NeuralPlanner(str(path))
    trainer.average["head.bias"] = torch.zeros(3)
    trainer.ship(path)
    with pytest.raises(ValueError, match="does not hold a planner") as caught:
        NeuralPlanner(str(path))
    assert "\n" not in str(caught.value)


def test_training_goes_on_from_a_checkpoint(tmp_path):
    trainer = Trainer(SMALL)
    trainer.update()
    trainer.ship(tmp_path / "weights.safetensors")
    other = Trainer(replace(SMALL, seed=1))
    other.start_from(tmp_path / "weights.safetensors")
    for name, tensor in other.planner.state_dict().items():
        assert torch.equal(tensor, trainer.average[name])
    with pytest.raises(ValueError, match="another width"):
        Trainer(replace(SMALL, width=16)).start_from(tmp_path / "weights.safetensors")


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
        other.load_context(shipped())


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
