"""A slice of `python -m tests.tools.fuzz`: hostile files and options are taken or refused in one line."""

import pytest
from fuzz import files, options
from fuzz.guard import workplace
from fuzz.target import fuzz


@pytest.mark.slow
@pytest.mark.parametrize("module", [files, options])
def test_hostile_input_is_taken_or_refused_in_one_line(module):
    with workplace() as folder:
        for target in module.targets(folder):
            had, _ = fuzz(target, 30, 1, folder)
            assert had > 0
