"""Plain, slow twins of the compiled kernels: dense arrays, loops, NumPy's generator, nothing shared."""
