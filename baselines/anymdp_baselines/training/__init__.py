"""Training of the neural agents: configuration, data, loss, rollouts, checkpoints."""
