"""What a run would lose by settling now: a small network on what a run as a whole looks like.

After nine visits a slot some runs have been wherever they need to, and some sit among states of little
worth without knowing better. `signs` says how a run looks: how sure its plan is where it has been, how much
is little tried, what it gains. A network with one hidden layer predicts from them how far the likeliest
policy is from the oracle's score. A run whose predicted loss is above `schedule.RISKY` goes on exploring.

Run it as `python -m anymdp_baselines.omnirl.risk CHECKPOINT OUT` to fit it: training tasks are played at
temperature 1, and the exact scores of their likeliest policies are the targets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.omnirl.checkpoint import load_arrays, load_weights, save_arrays
from anymdp_baselines.omnirl.memory import Memory, empty_memory
from anymdp_baselines.omnirl.planning import HIDDEN, SIGNS, Network, plan_runs
from anymdp_baselines.omnirl.reading import empty_reading, read
from anymdp_baselines.omnirl.schedule import FAMILIAR
from anymdp_bench.engine.arrays import Float64s, Int64s

_FEW_VISITS = (1.0, 3.0, 10.0)  # of a slot
_FEW_STATE_VISITS = (5.0, 20.0, 50.0)
_RUN_COLUMNS = (12, 13, 15, 17, 18, 20, 21, 22)  # of a reading's `state`: the same in all states
_STATES, _ACTIONS = 16, 5  # of the tasks it is fitted on
_MARKS = (9.0, 11.0, 14.0, 17.0)  # visits a slot
_CLIP = 6.0


def signs(memory: Memory, runs: Int64s, logit: Float64s, known: Float64s) -> Float64s:
    """How `runs` [k] look, [k, SIGNS]; `logit` and `known` are their plans, [k, O, A]."""
    reading = empty_reading(len(runs), *logit.shape[1:])
    read(memory, runs, reading)
    chance = np.exp(logit - logit.max(-1, keepdims=True))
    chance /= chance.sum(-1, keepdims=True)
    visits = memory.visits[runs].astype(float)
    been = visits.sum(-1)
    share = been / np.maximum(been.sum(1, keepdims=True), 1.0)
    likeliest = (logit + FAMILIAR[0].known * known).argmax(-1)
    unsure = 1.0 - chance.max(-1)
    chosen = np.take_along_axis(chance, likeliest[..., None], 2)[..., 0]
    entropy = -(chance * np.log(chance + 1e-9)).sum(-1)
    out = [(unsure * share).sum(1), unsure.mean(1), (entropy * share).sum(1)]
    out += [((1.0 - chosen) * share).sum(1)]
    for few in _FEW_VISITS:
        rare = visits < few
        tempting = (chance * rare).sum(-1)
        out += [rare.mean((1, 2)), (tempting * share).sum(1), tempting.mean(1)]
    out += [(been < few).mean(1) for few in _FEW_STATE_VISITS]
    out += [(memory.arrival[runs, :, 0] < 1.0).mean(1), np.log1p(been.min(1))]
    out += [(share**2).sum(1), share.max(1), np.log1p(visits.mean((1, 2)))]
    out += [reading.state[:, 0, c] for c in _RUN_COLUMNS]
    worth, doubt = reading.state[:, :, 0], reading.state[:, :, 24]
    out += [worth.std(1), worth.max(1), (worth * share).sum(1)]
    out += [doubt.mean(1), (doubt * share).sum(1), reading.slot[..., 21].mean((1, 2))]
    hope = reading.slot[..., 23].max(2)
    out += [hope.mean(1), (hope * share).sum(1)]
    return np.stack(out, 1).astype(float)


def predicted(network: Network, looks: Float64s) -> Float64s:
    """The predicted losses of score, in (0, 1), of runs that look so, [k]."""
    scaled = np.clip((looks - network.risk_mean) / network.risk_sd, -_CLIP, _CLIP)
    hidden = scaled @ network.risk_in + network.risk_in_bias
    hidden /= 1.0 + np.exp(-hidden)
    out: Float64s = 1.0 / (1.0 + np.exp(-(hidden @ network.risk_out + network.risk_out_bias)[:, 0]))
    return out


def examples(network: Network, n: int, first_seed: int) -> tuple[Float64s, Float64s]:
    """(Signs [m, SIGNS], losses [m]) of `n` training tasks of tau(16,5) played at temperature 1."""
    from anymdp_baselines.omnirl.seats import play, seat_task, seats
    from anymdp_bench.scoring import ScoredTask, scored_task
    from anymdp_bench.solution import expected_return
    from anymdp_bench.tasks.family import task_source

    source = task_source("AnyMDP-v0", n_states=_STATES, n_actions=_ACTIONS)
    tasks: list[ScoredTask] = []
    seed = first_seed
    while len(tasks) < n:
        task = scored_task(source, seed)
        seed += 1
        if task.references.counts:
            tasks.append(task)
    room = seats(n, _STATES, _STATES, _ACTIONS, max(task.mdp.max_steps for task in tasks))
    for i, task in enumerate(tasks):
        seat_task(room, i, source, task.seed)
    memory, runs, age = empty_memory(n, _STATES, _ACTIONS), np.arange(n), 0
    memory.familiar[:] = 1.0
    reading, visited, tally = (
        empty_reading(1, _STATES, _ACTIONS),
        np.zeros((n, _STATES)),
        np.zeros((1, 2, 2)),
    )
    logit, known = np.zeros((2, n, _STATES, _ACTIONS))
    looks, losses = [], []
    for mark in _MARKS:
        end = int(mark * _STATES * _ACTIONS)
        while True:
            plan_runs(network, memory, runs, reading, logit, known)
            if age == end:
                break
            steps = min(max(1, int(age * 0.03)), end - age)
            play(
                room, memory, logit, np.full(n, steps), np.zeros(n, np.int64), np.array([1]), tally,
                visited,
            )  # fmt: skip
            age += steps
        looks.append(signs(memory, runs, logit, known))
        table = (logit + FAMILIAR[0].known * known).argmax(-1)
        for policy, task in zip(table, tasks, strict=True):
            value = expected_return(task.mdp, policy[task.mdp.observation])
            losses.append(1.0 - task.references.score(value))
    return np.concatenate(looks), np.clip(losses, 0.0, 1.0)


def fit(looks: Float64s, losses: Float64s, seed: int = 0) -> dict[str, Any]:
    """The layers, by name, that predict `losses` [m] from `looks` [m, SIGNS]."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.manual_seed(seed)
    mean, sd = looks.mean(0), looks.std(0) + 1e-6
    scaled = torch.from_numpy(np.clip((looks - mean) / sd, -_CLIP, _CLIP)).float()
    target = torch.from_numpy(losses).float()
    first, last = torch.nn.Linear(SIGNS, HIDDEN), torch.nn.Linear(HIDDEN, 1)
    parameters = [*first.parameters(), *last.parameters()]
    optimiser = torch.optim.AdamW(parameters, 3e-3, weight_decay=0.3)
    for _ in range(300):
        optimiser.zero_grad()
        answer = last(torch.nn.functional.silu(first(scaled)))[:, 0]
        binary_cross_entropy_with_logits(answer, target).backward()
        optimiser.step()
    layers = {
        "risk_mean": torch.from_numpy(mean).float(), "risk_sd": torch.from_numpy(sd).float(),
        "risk_in.weight": first.weight, "risk_in.bias": first.bias,
        "risk_out.weight": last.weight, "risk_out.bias": last.bias,
    }  # fmt: skip
    return {name: layer.detach().numpy() for name, layer in layers.items()}


def main(checkpoint: Path, out: Path, n: int, first_seed: int) -> None:
    """Fits the risk of the planner in `checkpoint`, and writes both to `out`.

    Raises:
        ValueError: `checkpoint` is none.
    """
    arrays, numbers = load_arrays(checkpoint)
    looks, losses = examples(load_weights(checkpoint).general, n, first_seed)
    save_arrays(out, arrays | fit(looks, losses), numbers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", type=int, default=3000)
    parser.add_argument("--first-seed", type=int, default=2**43)
    given: Any = parser.parse_args()
    main(given.checkpoint, given.out, given.tasks, given.first_seed)
