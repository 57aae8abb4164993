"""Windy gridworld for two walkers: a task family that lives outside the package, in one folder."""

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="WindyPair",
    sampler="windy.game:sample",
    ids={"WindyPair-v0": {}},
    sampled=lambda keywords: False,
    env="anymdp_bench.envs.task_env:TaskEnv",
    vector_env=None,
    task="windy.game:make_task",
)
