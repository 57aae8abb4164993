"""Plain twins of compiled agents."""

import numpy as np


class SteppedAgent:
    """The functions of a compiled agent, uncompiled, as an agent in plain Python."""

    version, trains, privileged = "1", True, False

    def __init__(self, compiled):
        self.compiled = compiled

    def start(self, batch):
        self.rng = batch.seeds.copy()
        self.size = (batch.n_observations, batch.n_actions)
        self.settings, self.memory = self.compiled.settings(batch), self.compiled.memory(batch)

    def act(self, observation, test=False):
        act = self.compiled.compiled_act.py_func
        return np.array(
            [act(int(observation[0]), self.size[1], self.memory, self.settings, self.rng)]
        )

    def learn(self, transition):
        values = [array[0].item() for array in transition]
        self.compiled.compiled_learn.py_func(
            *values, self.size[1], self.memory, self.settings, self.rng
        )

    def policy(self):
        out = np.zeros(self.size)
        self.compiled.compiled_policy.py_func(*self.size, self.memory, self.settings, out)
        return out[None]
