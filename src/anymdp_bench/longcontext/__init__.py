"""Long-context modelling: a fixed stream that any sequence model can be scored on, in NumPy arrays.

    data = stream("tau16-v1")
    found = score(data, predict)  # predict(state, steps) -> (state, next-state logits, action logits)
    save_result("mine.json", found, model="mine", version="1")

A model is asked two things at every step of a run: which observation comes next, given the state and the
action taken, and which action the oracle would take in this state. Both losses are in nats, by position in
the context.
"""

from anymdp_bench.longcontext.counting import counting
from anymdp_bench.longcontext.losses import Losses, score
from anymdp_bench.longcontext.results import Result, load_result, save_result
from anymdp_bench.longcontext.streams import STREAMS, Steps, Stream, stream, training

__all__ = [
    "STREAMS",
    "Losses",
    "Result",
    "Steps",
    "Stream",
    "counting",
    "load_result",
    "save_result",
    "score",
    "stream",
    "training",
]
