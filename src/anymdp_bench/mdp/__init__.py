"""Tabular MDPs: a task as data, its checks, its exact solution, and measures of how hard it is."""

from anymdp_bench.mdp.tabular import TabularMDP, TaskError

__all__ = ["TabularMDP", "TaskError"]
