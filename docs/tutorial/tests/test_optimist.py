from optimist import Optimist

from anymdp_bench.testing import AgentConformance


class TestOptimist(AgentConformance):
    def make_agent(self):
        return Optimist()
