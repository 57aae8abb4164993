"""A small part of `python -m tests.tools.fuzz`: hostile input is accepted, or refused in one line."""

import pytest
from fuzz import files, options
from fuzz.guard import temporary_cwd
from fuzz.target import fuzz


@pytest.mark.slow
@pytest.mark.parametrize("module", [files, options])
def test_hostile_input_is_accepted_or_refused_in_one_line(module):
    with temporary_cwd() as folder:
        for target in module.targets(folder):
            n_inputs, _ = fuzz(target, 30, 1, folder)
            assert n_inputs > 0
