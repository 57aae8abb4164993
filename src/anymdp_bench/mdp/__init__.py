"""Tabular MDPs: a task as data, the checks of its arrays, and its exact solution."""

from anymdp_bench.mdp.tabular import KeywordError, TabularMDP, TaskError

__all__ = ["KeywordError", "TabularMDP", "TaskError"]
