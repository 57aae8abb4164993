"""PyTorch's models as networks that play: compiled where `inference` supports them, else by PyTorch."""

from __future__ import annotations

import torch

from anymdp_baselines.omnirl.inference import CompiledNetwork
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.play import SequenceNetwork
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_bench.engine.arrays import AnyArray, Float64s


def network_of(model: SequenceModel) -> SequenceNetwork:
    """Returns what plays the weights that a model has now, on the CPU."""
    if not CompiledNetwork.supports(model.size.kind):
        return TorchNetwork(model)
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    return CompiledNetwork(model.size, tensors)


class TorchNetwork:
    """A network that plays through PyTorch, on the CPU (see `play.SequenceNetwork`).

    Args:
        model: the model.
    """

    def __init__(self, model: SequenceModel) -> None:
        self._model = model.eval()

    @property
    def size(self) -> ModelSize:
        """The size of the model."""
        return self._model.size

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> list[AnyArray]:
        """Returns the memories of `n` runs that have seen nothing."""
        with torch.no_grad():
            state = self._model.initial_state(n, n_observations, n_actions)
        return [memory.numpy() for memory in state]

    def logits(
        self,
        steps: tuple[AnyArray, ...],
        state: list[AnyArray],
        n_observations: int,
        n_actions: int,
    ) -> Float64s:
        """Writes a step to memory; returns preferences of actions, float64 [n, A]. Changes `state`."""
        inputs = StepInputs(*(torch.from_numpy(x[:, None].copy()) for x in steps))
        codes = self._model.codes(n_observations)
        memories = [torch.from_numpy(memory) for memory in state]
        with torch.no_grad():
            output, after = self._model(inputs, memories, codes, n_actions, one_step=True)
        state[:] = [memory.numpy() for memory in after]
        out: Float64s = output.logit[:, 0].double().numpy()
        return out
