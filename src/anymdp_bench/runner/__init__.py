"""From a suite and an agent to a result file: planning, workers, resuming."""
