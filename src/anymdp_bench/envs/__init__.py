"""The Gymnasium skin over the engine: single and vector environments, rendering, registration."""
