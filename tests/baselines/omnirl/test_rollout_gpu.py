"""The rollout on a device: the benchmark's own tasks and dynamics, and memories that are the model's.

It is played on the CPU here, kernel by kernel; on CUDA steps and updates are captured, and must be the same.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.mixers import key_scans, slot_scans  # noqa: E402
from anymdp_baselines.omnirl.model import SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.objective import SequenceObjective  # noqa: E402
from anymdp_baselines.omnirl.presets import SCHEDULES, TaskGroup, preset_of_width  # noqa: E402
from anymdp_baselines.omnirl.rollout_gpu import GpuRollout  # noqa: E402
from anymdp_baselines.training.objective import Compute  # noqa: E402
from anymdp_baselines.training.prefetch import (  # noqa: E402
    Prefetcher,
    make_tasks,
)
from anymdp_baselines.training.task_pool import TaskPool  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402
from anymdp_bench.datasets.codes import (  # noqa: E402
    TERMINATED,
    TRUNCATED,
    WENT_ON,
)
from anymdp_bench.datasets.sequences import synthesise  # noqa: E402
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source  # noqa: E402

FIRST = PUBLIC_SEEDS + 5000
SEEDS = (FIRST, FIRST + 1000)


class Rows(NamedTuple):
    seed: np.ndarray


def rollout_of(group, kind="delta", **changes):
    torch.manual_seed(0)
    return GpuRollout(group, SequenceModel(preset_of_width(16, kind).model), SEEDS, **changes)


def device_trainer(device="cpu:0", minibatches=2, **compute):
    groups = (TaskGroup(1, 4, 6, 0, 16, 32, 0.5), TaskGroup(8, 3, 8, 4, 32, 96))
    changes = {"rounds": 12, "minibatches": minibatches, "schedules": SCHEDULES}
    preset = preset_of_width(16, "delta", groups, **changes)
    return Trainer(SequenceObjective(preset, Compute(device, **compute)))


def test_tasks_are_the_benchmarks_own_with_the_labels_of_a_pool():
    made = make_tasks(8, 3, range(FIRST, FIRST + 5))
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    pool = TaskPool(5, source, 8, 3)
    pool.assign(np.arange(5), np.arange(FIRST, FIRST + 5))
    np.testing.assert_array_equal(made.advantage, pool.advantage)
    np.testing.assert_array_equal(made.entropy, pool.entropy)
    for k in range(5):
        mdp = source.sample(FIRST + k)
        prob = np.diff(np.minimum(made.cumulative[k], 1.0), axis=-1, prepend=0.0)
        live = ~mdp.terminal
        np.testing.assert_allclose(prob[live], mdp.transition[live], atol=1e-6)
        np.testing.assert_allclose(
            np.diff(np.minimum(made.start[k], 1.0), prepend=0.0), mdp.start, atol=1e-6
        )
        np.testing.assert_allclose(made.mean[k], mdp.reward, rtol=1e-6)
        assert made.horizon[k] == mdp.max_steps
        assert (made.cumulative[k, live][..., -1] > 1.0).all()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_prefetcher_gives_rows_in_order_whoever_makes_them(workers):
    pool = ThreadPoolExecutor(workers) if workers else None
    rows = Prefetcher(lambda seeds: Rows(np.array(seeds)), 7, 5, pool)
    found = [rows.take(k).seed for k in (1, 40, 3, 16, 17)]
    np.testing.assert_array_equal(np.concatenate(found), np.arange(7, 7 + 77))
    rows.move(100)
    np.testing.assert_array_equal(rows.take(2).seed, [100, 101])
    assert rows.next_seed == 102


def given_step(generator, observations, A, heads, width):
    n = 6
    slot = torch.randint(-1, observations * A, (n, 1), generator=generator)
    seen = torch.randint(0, observations, (n, 1), generator=generator)
    seen[0], slot[0] = 1, A  # it left a slot of the state that it sees
    slot[1] = -1
    floats = (torch.rand(n, 1, *s, generator=generator) for s in ((width,), (heads,), (heads, A)))
    return slot, seen, *floats


@pytest.mark.parametrize("seed", range(5))
def test_one_step_at_once_is_the_scans(seed):
    generator, (N, A, heads, width) = torch.Generator().manual_seed(seed), (5, 3, 2, 8)
    given = given_step(generator, N, A, heads, width)
    memory = torch.randn(6, N, A, width, generator=generator)
    ours, theirs = memory.clone(), memory.clone()
    found, expected = slot_scans.at_once(*given, ours), slot_scans.scan_(*given, theirs)
    for x, y in zip((*found, ours), (*expected[:2], theirs), strict=True):
        torch.testing.assert_close(x, y)
    table = torch.nn.functional.normalize(torch.randn(N * A, 12, generator=generator), dim=-1)
    memory = torch.randn(6, width, 12, generator=generator)
    ours, theirs = memory.clone(), memory.clone()
    found, expected = key_scans.at_once(*given, table, ours), key_scans.scan_(*given, table, theirs)
    for x, y in zip((*found, ours), (*expected[:2], theirs), strict=True):
        torch.testing.assert_close(x, y)


def test_steps_follow_the_task():
    rollout = rollout_of(TaskGroup(8, 3, 6, 0, 64, 256))
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    mdps = [source.sample(FIRST + 1 + k) for k in range(6)]  # the first made the tensors' shapes
    ids = [{int(o): s for s, o in enumerate(m.observation)} for m in mdps]
    left = [None] * 6
    kinds = set()
    for _ in range(2):  # a run ends at 64 steps in some cases, at 256 in none
        ends = rollout.end.copy()
        segment, _ = rollout.advance()
        for i in np.flatnonzero((ends == 0) | (ends > 64)):
            mdp = mdps[i]
            left[i] = mdp.max_steps if left[i] is None else left[i]
            for t in range(64):
                s, a = ids[i][int(segment.seen[i, t])], int(segment.action[i, t])
                j = ids[i][int(segment.arrival[i, t])]
                assert mdp.transition[s, a, j] > 0.0
                off = float(segment.reward[i, t]) - mdp.reward[s, a, j]
                assert abs(off) <= 6.0 * mdp.reward_noise[s, a, j] + 1e-5
                left[i] -= 1
                ended = bool(mdp.terminal[j])
                expected = TERMINATED if ended else (TRUNCATED if left[i] == 0 else WENT_ON)
                assert segment.ending[i, t] == expected
                kinds.add(expected)
                if expected != WENT_ON:
                    left[i] = mdp.max_steps
                if t < 63:
                    now = ids[i][int(segment.seen[i, t + 1])]
                    assert now == j if expected == WENT_ON else mdp.start[now] > 0.0
        if (rollout.end <= 64).any():
            break
    assert WENT_ON in kinds
    assert len(kinds) > 1


def test_successors_are_drawn_by_their_probabilities():
    # Slots of one task, 16 runs of 512 steps: chi-square over each slot with expected counts of 5 or more.
    # A right sampler fails with a probability of 1e-4 (Bonferroni over the slots).
    rollout = rollout_of(TaskGroup(8, 3, 16, 0, 512, 512))
    mdp = task_source("AnyMDP-v0", n_states=8, n_actions=3).sample(FIRST + 1)
    rollout._renew()
    for held in rollout._task:
        held[:] = held[:1].clone()
    rollout._state[:] = int(mdp.start.argmax())
    rollout._left[:] = mdp.max_steps
    rollout._seen[:] = int(mdp.observation[mdp.start.argmax()])
    segment, _ = rollout.advance()
    ids = {int(o): s for s, o in enumerate(mdp.observation)}
    counts = np.zeros((8, 3, 8))
    for o, a, j in zip(*(x.flatten().tolist() for x in segment_parts(segment)), strict=True):
        counts[ids[o], a, ids[j]] += 1
    tested, slots_tested = [], 0
    for s, a in np.ndindex(8, 3):
        expected = counts[s, a].sum() * mdp.transition[s, a]
        fine = expected >= 5.0
        if fine.sum() < 2:
            continue
        rest = expected[~fine].sum(), counts[s, a][~fine].sum()
        e, c = np.append(expected[fine], rest[0]), np.append(counts[s, a][fine], rest[1])
        keep = e > 0.0
        statistic, freedom = (((c - e) ** 2)[keep] / e[keep]).sum(), int(keep.sum()) - 1
        # Laurent and Massart 2000: P(chi2_k >= k + 2 sqrt(k x) + 2 x) <= exp(-x)
        slots_tested += 1
        tested.append((statistic, freedom))
    assert slots_tested >= 5
    x = math.log(slots_tested / 1e-4)
    for statistic, freedom in tested:
        assert statistic <= freedom + 2.0 * math.sqrt(freedom * x) + 2.0 * x


def segment_parts(segment):
    return segment.seen, segment.action, segment.arrival


@pytest.mark.parametrize("kind", ["delta", "linear", "gated"])
def test_what_runs_remember_is_what_the_model_makes_of_their_segment(kind):
    rollout = rollout_of(TaskGroup(8, 3, 5, 0, 32, 64), kind)
    for _ in range(3):
        segment, start = rollout.advance()
        rows = np.arange(5)
        with torch.no_grad():
            _, after = rollout._model(segment.inputs(rows), start, rollout._codes, 3)
        for own, new in zip(rollout.memory, after, strict=True):
            torch.testing.assert_close(own, new, rtol=1e-4, atol=1e-4)


def test_recorded_runs_are_read_segment_by_segment_and_keep_what_was_learned():
    rollout = rollout_of(TaskGroup(8, 3, 2, 2, 32, 64))
    whole = synthesise(8, 3, range(SEEDS[1] + 1, SEEDS[1] + 3), 64)
    ends = []
    for k in range(2):
        segment, start = rollout.advance()
        rollout.keep_memories([torch.full_like(m, float(k + 1)) for m in rollout.memory])
        part = slice(32 * k, 32 * k + 32)
        if rollout.end[2] >= 32 * (k + 1):
            np.testing.assert_array_equal(segment.seen[2], whole.seen[0, part])
            np.testing.assert_array_equal(segment.tag[2], whole.tag[0, part])
            np.testing.assert_allclose(segment.reward[2], whole.reward[0, part])
            assert (start[0][2] == float(k)).all()
        ends.append(rollout.end.copy())
    assert (ends[0][2:] == [64, 32]).all()  # runs begin staggered


def test_a_run_whose_memory_lost_its_numbers_begins_anew():
    rollout = rollout_of(TaskGroup(8, 3, 4, 0, 32, 96))
    rollout.advance()
    held = rollout.age.copy()
    rollout.memory[0][1] = math.nan
    rollout.memory[1][2, 0] = math.inf
    segment, _ = rollout.advance()
    began = np.asarray(segment.age) == 0
    np.testing.assert_array_equal(began, [is_over(held, 0), True, True, is_over(held, 3)])
    assert all(bool(m.isfinite().all()) for m in rollout.memory)


def is_over(held, i):
    return bool(held[i] >= 96 - i % 3 * 32)


def test_training_on_a_device_learns_and_resumes_with_the_tasks_that_follow():
    trainer = device_trainer()
    losses = [update["tau(1,4)"]["policy"] for _ in range(12) for update in trainer.advance()]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert np.isfinite(trainer.objective.rollouts[1].scores()[:, 0]).all()
    tensors, numbers = trainer.state()
    again = device_trainer()
    again.restore(tensors, numbers)
    assert again.round == 12
    assert again.optimizer.updates == 24
    for old, new in zip(trainer.objective.rollouts, again.objective.rollouts, strict=True):
        assert new._tasks.next_seed == old._tasks.next_seed
    for old, new in zip(
        trainer.objective.model.parameters(), again.objective.model.parameters(), strict=True
    ):
        torch.testing.assert_close(old, new)
    segment = again.objective.rollouts[1].advance().segment
    assert (np.asarray(segment.age) == 0).all()
    again.advance()


def test_what_it_makes_does_not_depend_on_who_makes_the_tasks():
    found = []
    for workers in (0, 2):
        trainer = device_trainer(workers=workers)
        torch.manual_seed(3)
        found.append([update for _ in range(2) for update in trainer.advance()])
    assert found[0] == found[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_captured_updates_are_those_of_kernels_launched_one_by_one():
    torch.set_float32_matmul_precision("highest")
    plain, captured = (device_trainer("cuda", uses_graphs=c) for c in (False, True))
    captured.objective.model.load_state_dict(plain.objective.model.state_dict())
    found = plain.objective.rollouts[1].advance()
    rows, gradients = np.arange(12), []
    for trainer in (plain, captured, captured):
        trainer.objective.model.zero_grad(set_to_none=False)
        after = [torch.empty_like(m) for m in found.memory]
        trainer.objective.accumulate(1, found, rows, after)
        gradients.append(
            torch.cat([p.grad.flatten() for p in trainer.objective.model.parameters()])
        )
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-3, atol=1e-5)
    for trainer in (captured, device_trainer("cuda", minibatches=3)):
        rounds = [trainer.advance() for _ in range(3)]
        assert all(np.isfinite(u["tau(8,3)"]["total"]) for updates in rounds for u in updates)
