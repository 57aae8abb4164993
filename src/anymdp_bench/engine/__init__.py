"""The compiled engine: kernels that take arrays and an explicit generator state.

The engine knows neither Gymnasium nor the rest of the package. A kernel never takes an object and never uses
a global seed. Each module starts with the mathematics that it computes. The folder `tests/` holds a slow
twin of each kernel.
"""
