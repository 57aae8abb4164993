"""Training presets, all derived from one dial: the width of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from anymdp_baselines.sequence.model import ModelSize


@dataclass(frozen=True)
class Preset:
    """What `train` needs to know.

    Attributes:
        model: what is trained.
        n_states: S of the training tasks tau(S, A).
        n_actions: A of them.
        students: runs that the student plays itself, labelled by the oracle.
        behaviours: recorded runs of the behaviour mixture beside them.
        segment: steps of a run between two updates; gradients stop at its start, the memory does not.
        life: steps that a run lasts, a multiple of `segment`.
        minibatches: updates a round, each on an equal share of the runs.
        micro: gradient accumulation, parts of a minibatch.
        rounds: of play and updates.
        learning_rate: peak of AdamW's; warm-up over 2% of the updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: of weights, choices and tasks.
    """

    model: ModelSize
    n_states: int = 16
    n_actions: int = 5
    students: int = 32
    behaviours: int = 16
    segment: int = 256
    life: int = 2304
    minibatches: int = 2
    micro: int = 1
    rounds: int = 800
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0

    def record(self) -> dict[str, Any]:
        """The settings as plain values, for a checkpoint."""
        return asdict(self)


def dial(width: int, kind: str, **changes: Any) -> Preset:
    """The preset of a width: a wider model is deeper, sees more runs, and trains for longer."""
    if kind == "delta":
        model = ModelSize(
            kind, width, max(2, min(width // 16, 18)), 4, max(16, width * 3 // 8), width // 2
        )
    else:
        width *= 2  # it has no streams of actions beside the main one
        model = ModelSize(kind, width, max(2, min(width // 32, 18)), max(2, width // 32))
    base = Preset(model, students=width // 2, behaviours=width // 4, rounds=6 * width)
    if kind == "linear":
        base = replace(base, students=width // 4, behaviours=width // 8, rounds=4 * width)
    return replace(base, **changes)


PRESETS = {
    "tiny": {"width": 16, "n_states": 8, "n_actions": 3, "segment": 128, "life": 512, "rounds": 60},
    "small": {"width": 64},
    "base": {"width": 128, "students": 512, "behaviours": 256, "rounds": 3000},
    "paper": {"width": 256, "students": 512, "behaviours": 512, "segment": 2048, "life": 12288},
}
"""The dial and what it leaves to be said, by preset."""


def preset(name: str, kind: str) -> Preset:
    """A preset of PRESETS for a kind of model.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return dial(kind=kind, **PRESETS[name])
