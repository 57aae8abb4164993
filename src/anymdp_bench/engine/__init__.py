"""The compiled engine: arrays in, arrays out, an explicit generator state, never an object or a global seed.

It knows neither Gymnasium nor the rest of the package. Each module starts with the mathematics
that it computes; a slow twin of each kernel stands in `tests/`.
"""
