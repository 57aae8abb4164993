"""Hyper-parameter searches of the baselines: each is a command with the JSON file that it wrote."""
