"""Task families: from a seed to a `TabularMDP`, one family a folder, found by looking."""
