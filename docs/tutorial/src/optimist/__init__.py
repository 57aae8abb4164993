"""Q-learning that hopes for the best: untried actions look better than anything seen so far."""

import numpy as np

from anymdp_bench.agents import Agent


class Optimist(Agent):
    """An in-context learner: every episode it plays is scored. gamma is its discount, rate its step size."""

    version = "1"  # goes into the records: raise it when behaviour changes

    def __init__(self, gamma=0.95, rate=0.3):
        self.gamma, self.rate = gamma, rate

    def start(self, batch):
        """Forget everything: batch.n runs begin, each one element of every array below."""
        shape = (batch.n, batch.n_observations, batch.n_actions)
        self.q = np.zeros(shape)
        self.visits = np.zeros(shape)
        self.best_reward = np.zeros(batch.n)
        self.runs = np.arange(batch.n)
        self.rngs = [np.random.default_rng(int(seed)) for seed in batch.seeds]

    def act(self, observation, test=False):
        """One action a run: the best by value plus a bonus that fades with visits; ties by chance."""
        hope = (np.abs(self.best_reward) + 1e-3)[:, None]
        bonus = hope / np.sqrt(1.0 + self.visits[self.runs, observation])
        noise = np.array([rng.random(self.q.shape[2]) for rng in self.rngs])
        return (self.q[self.runs, observation] + bonus + 1e-6 * noise).argmax(axis=1)

    def learn(self, transition):
        """Take in one step of every run: six arrays, one element a run."""
        best = self.q[self.runs, transition.next_observation].max(axis=1)
        after = np.where(transition.terminated, 0.0, best)
        place = (self.runs, transition.observation, transition.action)
        self.visits[place] += 1
        self.q[place] += self.rate * (transition.reward + self.gamma * after - self.q[place])
        self.best_reward = np.maximum(self.best_reward, transition.reward)
