"""Recorded data of decoupled policy distillation (SPEC section 5): behaviours, and what they did."""
