"""Tabular agents: random, oracle, TQL-UCB, PSRL, UCBVI, behaviour cloning and conservative Q-learning."""
