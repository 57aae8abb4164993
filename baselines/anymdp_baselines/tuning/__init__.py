"""Hyper-parameter searches of the baselines: each a command and the JSON file that it wrote."""
