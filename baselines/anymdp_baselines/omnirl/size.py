"""The sizes of a sequence model."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from anymdp_baselines.omnirl.codes import CODE, READ_EXTRA, REWARD_FEATURES
from anymdp_bench.datasets.codes import ENDINGS, TAGS


@dataclass(frozen=True)
class ModelSize:
    """The sizes of a model.

    Attributes:
        kind: "delta", "linear", or a mixer: "gated", "gsa", "mamba2", "rwkv7", "window", "lstm".
        width: width of the main stream.
        blocks: number of blocks.
        heads: heads of each mixer.
        per_action: width of the streams of actions (`delta`, `linear`).
        slot_size: columns of the memory (`delta`, `linear`).
        bootstrap: whether the heads may bootstrap (`delta`, `linear`).
        tokens: tokens of a step, 1 or 4 (for a mixer).
        n_observations: number of ids known (all kinds but `delta`).
        n_actions: number of actions known (all kinds but `delta`).
        key_size: size of the learned keys (`linear`).
        averages: whether a write counts the less, the more its slot has seen (`delta`).
        plan_columns: columns of the planning memory before the first block; 0 for none (`delta`).
        plan_turns: known states that the planning memory backs up in turn at each step.
    """

    kind: str = "delta"
    width: int = 128
    blocks: int = 4
    heads: int = 4
    per_action: int = 32
    slot_size: int = 32
    bootstrap: bool = True
    tokens: int = 1
    n_observations: int = 128
    n_actions: int = 5
    key_size: int = 96
    averages: bool = False
    plan_columns: int = 0
    plan_turns: int = 5

    def takes(self, n_observations: int, n_actions: int) -> bool:
        """Returns whether a model of this size can play a task of so many observations and actions."""
        return self.kind == "delta" or (
            n_observations <= self.n_observations and n_actions <= self.n_actions
        )

    def record(self) -> dict[str, int | str | bool]:
        """Returns the sizes as plain values, for a checkpoint."""
        later = {"averages": False, "plan_columns": 0, "plan_turns": 5}
        sizes = asdict(self).items()  # the bytes of older checkpoints stay
        return {name: value for name, value in sizes if later.get(name) != value}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the names and shapes of the weights of a model of kind `delta` or `linear`."""
        width, d, slot, heads = self.width, self.per_action, self.slot_size, self.heads
        tokens = REWARD_FEATURES + ENDINGS + TAGS + 1 + CODE
        layers = {  # (out, in)
            "tokens.embed": (width, tokens),
            "from_main": (2 * d, width),
            "from_actions": (2 * d, d),
            "to_action": (2, 2 * d),
            "ahead": (width, width + d),
            "to_code": (CODE, width),
            "to_reward": (1, width),
            "to_end": (1, width),
        }
        vectors = {"sharpness": (), "norm.weight": (width,), "norm_actions.weight": (d,)}
        out: dict[str, tuple[int, ...]] = dict(vectors)
        for k in range(self.blocks):
            mixer, feed = f"mixers.{k}", f"feeds.{k}"
            layers |= {
                f"{mixer}.to_write": (slot + 2 * heads, width),
                f"{mixer}.from_slots": (2 * d, slot + d),
                f"{mixer}.to_actions": (d, 2 * d),
                f"{mixer}.to_main": (width, slot + 2 * d),
                f"{feed}.widen": (2 * width, width),
                f"{feed}.narrow": (width, 2 * width),
            }
            out |= {
                f"{mixer}.norm_main.weight": (width,),
                f"{mixer}.norm_actions.weight": (d,),
                f"{mixer}.policy.weight": (heads, d),
                f"{mixer}.from_main.weight": (2 * d, width),
                f"{feed}.norm.weight": (width,),
            }
            if self.kind == "linear":
                out[f"{mixer}.of_state"] = (self.n_observations, self.key_size)
                out[f"{mixer}.of_action"] = (self.n_actions, self.key_size)
            elif self.averages:
                out[f"{mixer}.power"] = (heads,)
        if self.plan_columns:
            columns = self.plan_columns
            layers |= {
                "plan.to_write": (columns, width),
                "plan.from_rows": (2 * d, 2 * columns + READ_EXTRA),
                "plan.to_actions": (d, 2 * d),
                "plan.to_main": (width, columns + 2 * d),
            }
            for name in ("discount", "sharpness", "prior", "pseudo"):
                out[f"plan.{name}"] = (columns,)
            out |= {"plan.from_main.weight": (2 * d, width), "plan.norm_main.weight": (width,)}
        for name, shape in layers.items():
            out |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return out
