"""Ids with parameters: they are read and written back, and the same settings have one id."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymdp_bench.mdp import KeywordError, TaskError
from anymdp_bench.tasks.canonical import canonical_id
from anymdp_bench.tasks.family import families, sample_task, task_source
from anymdp_bench.tasks.hardness import task_table
from anymdp_bench.tasks.id_text import join_env_id, split_env_id

SIZES = "n_states=24&n_actions=3"
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(min_size=1),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
NAMES = st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True)

# What results are recorded under: it never changes.
CANONICAL = {
    "AnyMDP-16s5a-v0": "AnyMDP-16s5a-v0",
    "AnyMDP-v0?n_states=64&n_actions=5": "AnyMDP-64s5a-v0",
    "AnyMDP-v0?n_actions=5&n_states=64.0": "AnyMDP-64s5a-v0",
    "AnyMDP-v0?n_states=64&n_actions=5&min_states=null&composite_reward=true": "AnyMDP-64s5a-v0",
    "AnyMDP-v0?n_actions=3&n_states=24": f"AnyMDP-v0?{SIZES}",
    "AnyMDP-16s5a-v0?n_states=24&n_actions=3": f"AnyMDP-v0?{SIZES}",
    f"AnyMDP-v0?composite_reward=false&{SIZES}": f"AnyMDP-v0?{SIZES}&composite_reward=false",
    "AnyMDP-16s5a-v0?min_states=8": "AnyMDP-v0?n_states=16&n_actions=5&min_states=8",
    "Garnet-v0?branching=2&n_states=16&n_actions=5": "Garnet-16s5a2b-v0",
    "Garnet-16s5a2b-v0?branching=3": "Garnet-v0?n_states=16&n_actions=5&branching=3",
    "Darkroom-v0?size=8": "Darkroom-8x8-v0",
    "Darkroom-v0?size=8&goal=corner": "Darkroom-8x8-v0",
    "Darkroom-8x8-v0?goal=heldout": "Darkroom-8x8-heldout-v0",
    "Darkroom-v0?goal=random&size=7": "Darkroom-v0?size=7&goal=random",
    "FrozenLake4x4-v0?slippery=true": "FrozenLake4x4Slippery-v0",
    "DiscretePendulum-g1-v0?gravity=5": "DiscretePendulum-g5-v0",
    "DiscretePendulum-g5-v0?gravity=3": "DiscretePendulum-g1-v0?gravity=3",
}


@given(parameters=st.dictionaries(NAMES, VALUES, min_size=1))
def test_what_is_written_is_read_again(parameters):
    text = join_env_id("AnyMDP-v0", parameters)
    assert text.isprintable()
    assert split_env_id(text) == ("AnyMDP-v0", parameters)


@given(query=st.text(alphabet="ab=&%1.\n\"'[]{}?é\x1b", min_size=1))
def test_any_other_text_is_read_or_refused_in_one_line(query):
    refusal = None
    try:
        parts = split_env_id(f"AnyMDP-v0?{query}")
    except TaskError as error:
        refusal = str(error)
    if refusal is None:
        assert split_env_id(join_env_id(*parts)) == parts
    else:
        assert refusal.isprintable()


@pytest.mark.parametrize(("written", "recorded"), CANONICAL.items())
def test_the_same_settings_have_one_id(written, recorded):
    assert canonical_id(written) == recorded
    assert canonical_id(recorded) == recorded
    base, parameters = split_env_id(recorded)
    assert dict(task_source(recorded).keywords) == dict(task_source(base, **parameters).keywords)


def test_every_id_with_a_name_is_its_own_canonical_id_however_it_is_written():
    for family in families().values():
        for env_id, keywords in family.ids.items():
            assert canonical_id(env_id) == env_id
            if keywords:
                assert canonical_id(join_env_id(next(iter(family.ids)), keywords)) == env_id


def test_parameters_are_the_keywords_of_make():
    sizes = {"n_states": 24, "n_actions": 3}
    task = sample_task("AnyMDP-v0", 5, **sizes)
    assert sample_task(f"AnyMDP-v0?{SIZES}", 5) == task
    assert sample_task("AnyMDP-v0?n_states=9&n_actions=3", 5, n_states=24) == task
    assert sample_task("Darkroom-v0?size=8") == sample_task("Darkroom-8x8-v0")
    table = task_table(f"AnyMDP-v0?{SIZES}", range(2))
    assert table.equals(task_table("AnyMDP-v0", range(2), **sizes))
    assert np.isfinite(table.oracle).all()


@pytest.mark.parametrize(
    ("env_id", "says"),
    [
        ("AnyMDP-v0?", "'' is not NAME=VALUE; write it like AnyMDP-v0?n_states=24&n_actions=3"),
        ("AnyMDP-v0?n_states", "'n_states' is not NAME=VALUE"),
        ("AnyMDP-v0?n_states=", "'n_states=' is not NAME=VALUE"),
        (f"AnyMDP-v0?{SIZES}&n_states=24", "n_states is given twice"),
        (f"AnyMDP-v0?{SIZES}&n_stats=24", "'n_stats'; did you mean 'n_states'? known: n_states"),
        ("AnyMDP-v0?n_states=24", "give n_actions by keyword"),
        ("AnyMDP-v0?n_states=24", "--env takes 'AnyMDP-v0?n_states=...&n_actions=...', in quotes"),
        (f"AnyMDP-v0?{SIZES}&task_seed=1", "task_seed"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(env_id, says):
    with pytest.raises(TaskError) as caught:
        canonical_id(env_id)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_unknown_parameter_is_a_type_error_too_and_an_unknown_id_a_key_error():
    with pytest.raises(KeywordError):
        sample_task("AnyMDP-16s5a-v0?colour=3")
    with pytest.raises(KeyError, match=r"'AnyMPD-v0'; did you mean 'AnyMDP-v0'"):
        canonical_id(f"AnyMPD-v0?{SIZES}")
