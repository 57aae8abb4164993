"""Pictures of tasks: frames of single states, and the figure of a whole task."""
