"""Long-context modelling: fixed streams of steps, on which any sequence model can be scored.

    data = stream("tau16-v1")
    found = score(data, predict)  # predict(state, steps) -> (state, next-state logits, action logits)
    save_result("mine.json", found, model="mine", version="1")

All data are NumPy arrays. A model predicts two things at every step of a run: the next observation, given the
current observation and the action taken; and the oracle's action in the current observation. Both losses are
in nats, by position in the context.
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
