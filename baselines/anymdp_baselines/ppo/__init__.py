"""PPO: the agent with Stable-Baselines3's update, and our vector environments for Stable-Baselines3."""
