"""One trainer for all networks: tasks in play, optimizer, checkpoints, log, and the training loop.

Nothing here knows a network. What is special to one is its objective (`objective.Objective`), beside its
model.
"""
