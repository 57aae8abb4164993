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
        summary="Two agents change sides of a 3 x 7 grid. A corridor one cell wide joins its halves, so"
        " one agent has to wait. `anymdp_bench.switch2_parallel_env()` is the PettingZoo environment. The"
        " evaluation plays it with a copy of the learner for each agent. The rules are those of ma-gym,"
        " but observations do not count the steps.",
        observations="Each agent observes 15 * the other's column + its own cell. The 15 free cells are"
        " counted row by row.",
        actions="0 down, 1 left, 2 up, 3 right, 4 no-op. Agent 1 moves first. Walls and the other agent"
        " stop a move.",
        rewards="A step pays -0.1, the step of arrival 5, and every step after it 0. The return of an"
        " episode is the sum over both agents.",
        start="Agent 1 is in (0, 1) and agent 2 in (0, 5). Their goals are (0, 6) and (0, 0).",
        end="An episode terminates when both agents have arrived. An agent that has arrived stays in the"
        " way. The episode is truncated after 50 steps.",
        oracle="The oracle is exact: the optimum of the joint MDP (210 states, 25 joint actions).",
        shaping="for each agent 1 on arrival, 0.08 for a step closer to its goal by walking distance,"
        " -0.12 for a step away, -0.04 for no change, and 0 after its arrival. Both agents get the sum.",
    ),
)
