"""Switch2: two agents change sides through a corridor one cell wide."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="Switch2",
    sampler="anymdp_bench.tasks.switch2.sampler:sample",
    ids={"Switch2-v0": {}},
    sampled=lambda keywords: False,
    env="anymdp_bench.envs.task_env:TaskEnv",  # PettingZoo's is anymdp_bench.switch2_parallel_env()
    vector_env=None,
    task="anymdp_bench.tasks.switch2.game:make_task",
    max_steps=50,
    about=About(
        summary="Two agents change sides of a 3 x 7 grid whose halves are joined by a corridor one cell wide:"
        " one has to wait. A PettingZoo parallel environment, `anymdp_bench.switch2_parallel_env()`; the"
        " evaluation plays it with a copy of the learner for each agent. The rules are ma-gym's,"
        " without its clock.",
        observations="Of each agent: 15 * the other's column + its own cell; the 15 free cells count row"
        " by row.",
        actions="0 down, 1 left, 2 up, 3 right, 4 no-op. Agent 1 moves first; walls and the other"
        " agent stop.",
        rewards="-0.1 a step; 5 for the step of arrival; 0 from then on. The episode's return"
        " is the sum of both.",
        start="Agent 1 in (0, 1), agent 2 in (0, 5); their goals are (0, 6) and (0, 0).",
        end="Terminated when both have arrived (who has stays, and is in the way); truncated after 50 steps.",
        oracle="Exact: the optimum of the joint MDP (210 states, 25 joint actions), which sees all.",
        shaping="Of each agent: 1 on arrival, 0.08 a step closer, -0.12 farther, -0.04 still, 0 once arrived,"
        " by walking distance; both are given the sum.",
    ),
)
