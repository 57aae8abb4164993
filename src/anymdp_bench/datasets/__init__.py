"""Recorded data of decoupled policy distillation: behaviour policies, and the steps that they took."""
