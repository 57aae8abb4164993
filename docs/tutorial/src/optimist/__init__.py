"""Q-learning that hopes for the best: untried actions look better than anything seen so far."""

import numpy as np


class Optimist:
    """An in-context learner; gamma is its discount, rate its step size."""

    version = "1"  # goes into the records: raise it when behaviour changes
    trains = False  # an in-context learner: every episode it plays is scored
    privileged = False  # it does not look at the task

    def __init__(self, gamma=0.95, rate=0.3):
        self.gamma, self.rate = gamma, rate

    def start(self, streams):
        """Forget everything: streams.n runs begin, each one element of every array below."""
        shape = (streams.n, streams.n_observations, streams.n_actions)
        self.q = np.zeros(shape)
        self.visits = np.zeros(shape)
        self.best_reward = np.zeros(streams.n)
        self.runs = np.arange(streams.n)
        self.rngs = [np.random.default_rng(int(seed)) for seed in streams.seeds]

    def act(self, observation, test=False):
        """One action a run: the best by value plus a bonus that fades with visits; ties by chance."""
        hope = (np.abs(self.best_reward) + 1e-3)[:, None]
        bonus = hope / np.sqrt(1.0 + self.visits[self.runs, observation])
        noise = np.array([rng.random(self.q.shape[2]) for rng in self.rngs])
        return (self.q[self.runs, observation] + bonus + 1e-6 * noise).argmax(axis=1)

    def learn(self, observation, action, reward, next_observation, terminated, truncated):
        """Take in one step of every run."""
        after = np.where(terminated, 0.0, self.q[self.runs, next_observation].max(axis=1))
        place = (self.runs, observation, action)
        self.visits[place] += 1
        self.q[place] += self.rate * (reward + self.gamma * after - self.q[place])
        self.best_reward = np.maximum(self.best_reward, reward)

    def policy(self):
        """No table is asked for: every episode counts."""
        return None
