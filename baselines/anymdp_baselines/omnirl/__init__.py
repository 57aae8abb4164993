"""OmniRL as a sequence model: `omnirl` (hard-addressed memory) and `omnirl-linear` (learned keys)."""
