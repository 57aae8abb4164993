"""OmniRL as a sequence model: `omnirl-linear` (learned keys) and `omnirl-delta` (hard-addressed memory)."""
