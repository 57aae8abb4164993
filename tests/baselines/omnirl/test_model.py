"""The model as a whole: segments, single steps and carried memories agree; `delta` is equivariant."""

import numpy as np
import pytest
import torch

from anymdp_baselines.omnirl.codes import state_codes
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.tokens import StepInputs

S, A, N, T = 6, 3, 3, 50
SIZES = {
    "delta": ModelSize("delta", 32, 3, 4, 16, 16),
    "delta without bootstrap": ModelSize("delta", 32, 3, 4, 16, 16, bootstrap=False),
    "delta with a plan": ModelSize("delta", 32, 3, 4, 16, 16, averages=True, plan_columns=16),
    "linear": ModelSize("linear", 32, 3, 4, 16, 16, n_observations=8, key_size=12),
    "gated": ModelSize("gated", 32, 2, 2, n_observations=8),
    **{
        k: ModelSize(k, 32, 2, 2, n_observations=8)
        for k in ("gsa", "mamba2", "rwkv7", "window", "lstm")
    },
    "gated, four tokens": ModelSize("gated", 32, 2, 2, tokens=4, n_observations=8),
}


def some_steps(seed=0):
    torch.manual_seed(seed)
    integers = [torch.randint(0, high, (N, T)) for high in (S, S, A, 4, S, 8)]
    seen, left, action, ending, arrival, tag = integers
    return StepInputs(
        seen, left, action, torch.randn(N, T), torch.rand(N, T) + 0.5, ending, arrival, tag
    )


def model_of(name):
    torch.manual_seed(7)
    return SequenceModel(SIZES[name]).eval()


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_steps_one_by_one_are_the_segment(name):
    model, steps, codes = model_of(name), some_steps(), torch.from_numpy(state_codes(S))
    whole, after = model(steps, model.initial_state(N, S, A), codes, A)
    state, logits, values = model.initial_state(N, S, A), [], []
    for t in range(T):
        one = StepInputs(*(x[:, t : t + 1] for x in steps))
        output, state = model(one, state, codes, A, one_step=True)
        logits.append(output.logit)
        values.append(output.value)
    torch.testing.assert_close(torch.cat(logits, 1), whole.logit, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cat(values, 1), whole.value, atol=1e-4, rtol=0)
    for mine, theirs in zip(state, after, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_a_segment_can_be_cut_anywhere(name):
    model, steps, codes = model_of(name), some_steps(), torch.from_numpy(state_codes(S))
    whole, _ = model(steps, model.initial_state(N, S, A), codes, A)
    state, logits = model.initial_state(N, S, A), []
    for low, high in ((0, 1), (1, 20), (20, T)):
        output, state = model(StepInputs(*(x[:, low:high] for x in steps)), state, codes, A)
        logits.append(output.logit)
    torch.testing.assert_close(torch.cat(logits, 1), whole.logit, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["delta", "delta with a plan"])
@torch.no_grad()
def test_the_delta_model_does_not_care_how_states_and_actions_are_numbered(name):
    model, steps, codes = model_of(name), some_steps(), torch.from_numpy(state_codes(S))
    states, actions = torch.randperm(S), torch.randperm(A)
    renamed = steps._replace(
        seen=states[steps.seen], left=states[steps.left], arrival=states[steps.arrival],
        action=actions[steps.action],
    )  # fmt: skip
    recoded = torch.empty_like(codes)
    recoded[states] = codes
    plain, _ = model(steps, model.initial_state(N, S, A), codes, A)
    other, _ = model(renamed, model.initial_state(N, S, A), recoded, A)
    torch.testing.assert_close(other.logit[..., actions], plain.logit, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_run_does_not_depend_on_its_company():
    model, steps, codes = model_of("delta"), some_steps(), torch.from_numpy(state_codes(S))
    whole, _ = model(steps, model.initial_state(N, S, A), codes, A)
    alone, _ = model(StepInputs(*(x[1:2] for x in steps)), model.initial_state(1, S, A), codes, A)
    torch.testing.assert_close(alone.logit[0], whole.logit[1], atol=1e-5, rtol=0)


def test_a_states_code_does_not_depend_on_how_many_there_are():
    np.testing.assert_array_equal(state_codes(100)[:7], state_codes(7))
