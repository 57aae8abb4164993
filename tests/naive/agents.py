"""Plain agents that stand beside the fused ones."""

import numpy as np


class SteppedAgent:
    """TQL-UCB's own functions, uncompiled, as an agent in plain Python: the twin of the fused loop."""

    version, trains, privileged = "1", True, False

    def __init__(self, fused):
        self.fused = fused

    def start(self, streams):
        self.rng = streams.seeds.copy()
        self.size = (streams.n_observations, streams.n_actions)
        self.settings, self.memory = self.fused.settings(streams), self.fused.memory(streams)

    def act(self, observation, test=False):
        act = self.fused.compiled_act.py_func
        return np.array(
            [act(int(observation[0]), self.size[1], self.memory, self.settings, self.rng)]
        )

    def learn(self, step):
        values = [array[0].item() for array in step]
        self.fused.compiled_learn.py_func(
            *values, self.size[1], self.memory, self.settings, self.rng
        )

    def policy(self):
        out = np.zeros(self.size)
        self.fused.compiled_policy.py_func(*self.size, self.memory, self.settings, out)
        return out[None]
