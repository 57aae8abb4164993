"""The agent `neural-planner`: counts of what a run saw, and a network over them that plans."""
