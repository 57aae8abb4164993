"""The Gymnasium environments: single and vector environments of tasks, and their registration."""
