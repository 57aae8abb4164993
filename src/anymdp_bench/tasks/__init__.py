"""Task families. Each family is one folder, and makes a `TabularMDP` or another task from a seed."""
