"""Files of recorded runs: what is written comes back, files from elsewhere are read, damaged ones refused."""

import json

import numpy as np
import pytest

from anymdp_baselines.tabular.offline import Cloning
from anymdp_bench.agents import RunBatch
from anymdp_bench.datasets import (
    NO_LABEL,
    Mixture,
    TrainingRuns,
    read_minari,
    read_parquet,
    read_runs,
    show_demonstrations,
    write_minari,
    write_parquet,
)
from anymdp_bench.datasets.codes import TAG_UNKNOWN

ENV = "AnyMDP-v0?n_states=8&n_actions=3"
RUNS = TrainingRuns(ENV, length=60, batch_size=4, runs_per_task=2)


@pytest.fixture(scope="module")
def batch():
    return RUNS.batch(0)


def assert_same(one, two):
    for name, x, y in zip(one._fields, one, two, strict=True):
        np.testing.assert_array_equal(x, y, name)
        assert x.dtype == y.dtype, name


def assert_demonstrates(batch, length):
    """Behaviour cloning copies what the batch shows, in every observation of which it shows something."""
    agent = Cloning()
    n, n_actions = len(batch.observation), batch.advantage.shape[-1]
    agent.start(RunBatch(8, n_actions, np.arange(n, dtype=np.uint64)))
    show_demonstrations(agent, batch)
    over = (batch.terminated | batch.truncated)[:, :length]
    for run in range(n):
        last = np.flatnonzero(over[run])[-1] + 1  # it learns at the end of an episode
        for seen in np.unique(batch.observation[run, :last]):
            chosen = agent.act(np.full(n, seen))[run]
            taken = batch.action[run, :last][batch.observation[run, :last] == seen]
            assert np.bincount(taken, minlength=n_actions).argmax() == chosen


class TestParquet:
    @pytest.fixture(autouse=True)
    def needs_pyarrow(self):
        pytest.importorskip("pyarrow")

    def test_a_batch_comes_back(self, batch, tmp_path):
        write_parquet(tmp_path / "new" / "one.parquet", batch)
        (found,) = read_parquet(tmp_path / "new")
        assert_same(found, batch)

    def test_pandas_reads_a_row_for_each_step(self, batch, tmp_path):
        pd = pytest.importorskip("pandas")
        write_parquet(tmp_path / "one.parquet", batch)
        table = pd.read_parquet(tmp_path / "one.parquet")
        assert len(table) == 4 * 60
        row = table[(table.run == 2) & (table.step == 7)].iloc[0]
        for name in ("observation", "action", "reward", "terminated", "tag", "oracle_action"):
            assert row[name] == getattr(batch, name)[2, 7]
        np.testing.assert_array_equal(row.advantage, batch.advantage[2, 7])
        assert row.task_seed == batch.task_seed[2]

    def test_a_file_from_elsewhere_is_one_run_of_demonstrations(self, tmp_path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        expert = TrainingRuns(ENV, length=60, batch_size=1, mixture=Mixture.of({"oracle-0.994": 1}))
        made = expert.batch(0)
        names = made._fields[:6]
        pq.write_table(
            pa.table({n: getattr(made, n)[0].tolist() for n in names}), tmp_path / "x.parquet"
        )
        (found,) = read_parquet(tmp_path / "x.parquet")
        for name in names:
            np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
        assert (found.oracle_action == NO_LABEL).all()
        assert np.isnan(found.advantage).all()
        assert (found.tag == TAG_UNKNOWN).all()
        assert found.task_seed.tolist() == [-1]
        assert_demonstrates(found, 60)

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda t: t.drop_columns(["reward"]), "no column reward"),
            (lambda t: t.slice(0, 0), "no rows"),
            (lambda t: t.slice(0, 100), "differ in length"),
            (lambda t: _with(t, "action", -1), "action is not within 0 to 2"),
            (lambda t: _with(t, "action", 3), "action is not within 0 to 2"),
            (lambda t: _with(t, "observation", -1), "observation is negative"),
            (lambda t: _with(t, "reward", float("inf")), "reward is not finite"),
            (lambda t: _with(t, "oracle_action", 9), "oracle_action is not"),
            (lambda t: _with(t, "tag", 8), "tag is not within"),
            (lambda t: _with(t, "reward", None), "column reward has gaps"),
            (lambda t: _with(t, "action", "left"), "cannot be read"),
            (lambda t: _with(t, "advantage", [0.0]), "lists of one length"),
        ],
    )
    def test_damaged_files_are_refused_in_one_line(self, batch, tmp_path, spoil, said):
        import pyarrow.parquet as pq

        path = tmp_path / "x.parquet"
        write_parquet(path, batch)
        pq.write_table(spoil(pq.read_table(path)), path)
        with pytest.raises(ValueError, match=said) as caught:
            list(read_parquet(path))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1" + bytes(64) + b"PAR1"])
    def test_what_is_no_parquet_is_refused_in_one_line(self, tmp_path, content):
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read") as caught:
            list(read_parquet(tmp_path))
        assert "\n" not in str(caught.value)

    def test_an_empty_folder_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"no \.parquet file"):
            list(read_parquet(tmp_path))


def _with(table, name, value):
    """The table with one value in the first row of a column, which takes on its type."""
    import pyarrow as pa

    values = table.column(name).to_pylist()
    values = [str(v) for v in values] if isinstance(value, str) else values
    values[0] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values))


class TestMinari:
    pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own

    @pytest.fixture(autouse=True)
    def needs_minari(self, tmp_path, monkeypatch):
        pytest.importorskip("minari")
        pytest.importorskip("h5py")
        monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))

    def test_a_batch_comes_back(self, batch, tmp_path):
        write_minari("anymdp/tau8-v0", batch)
        assert_same(read_minari("anymdp/tau8-v0"), batch)
        write_minari("tau8-v0", batch, folder=tmp_path / "elsewhere")
        assert_same(read_minari("tau8-v0", tmp_path / "elsewhere"), batch)

    def test_a_folder_may_be_relative(self, batch, tmp_path, monkeypatch):
        """Minari itself joins a relative folder to its paths twice."""
        monkeypatch.chdir(tmp_path)
        write_minari("tau8-v0", batch, folder="here")
        assert_same(read_minari("tau8-v0", "here"), batch)
        assert (tmp_path / "here" / "tau8-v0").is_dir()

    def test_minari_has_an_episode_for_each_episode(self, batch):
        import minari

        write_minari("anymdp/tau8-v0", batch)
        data = minari.load_dataset("anymdp/tau8-v0")
        over = batch.terminated | batch.truncated
        assert data.total_episodes == over.sum() + (~over[:, -1]).sum()
        assert data.total_steps == 4 * 60
        for episode in data.iterate_episodes():
            assert len(episode.observations) == len(episode.actions) + 1
            assert (episode.terminations | episode.truncations)[-1]
            assert len(episode.infos["oracle_action"]) == len(episode.observations)

    def test_a_data_set_from_elsewhere_is_one_run_of_demonstrations(self):
        import gymnasium as gym
        import minari

        env = minari.DataCollector(gym.make("Darkroom-6x6-v0"))
        for seed in range(3):
            env.reset(seed=seed)
            while not any(env.step(env.action_space.sample())[2:4]):
                pass
        env.create_dataset("darkroom/random-v0", algorithm_name="random")
        found = read_minari("darkroom/random-v0")
        assert found.observation.shape[0] == 1
        assert (found.terminated | found.truncated).sum() == 3
        assert found.advantage.shape[-1] == 4
        assert (found.oracle_action == NO_LABEL).all()
        on = ~(found.terminated | found.truncated)[0][:-1]
        np.testing.assert_array_equal(
            found.observation[0][1:][on], found.next_observation[0][:-1][on]
        )

    def test_it_demonstrates(self):
        expert = TrainingRuns(ENV, length=60, batch_size=2, mixture=Mixture.of({"oracle-0.994": 1}))
        write_minari("expert-v0", expert.batch(0))
        assert_demonstrates(read_minari("expert-v0"), 60)

    def test_a_data_set_that_would_make_an_environment_is_refused(self, batch, tmp_path):
        write_minari("tau8-v0", batch)
        path = tmp_path / "tau8-v0" / "data" / "metadata.json"
        about = json.loads(path.read_text())
        del about["action_space"]
        path.write_text(json.dumps(about))
        with pytest.raises(ValueError, match="name no spaces"):
            read_minari("tau8-v0")

    def test_what_is_not_there_is_refused_in_one_line(self):
        with pytest.raises(ValueError, match="cannot be read") as caught:
            read_minari("nothing-v0")
        assert "\n" not in str(caught.value)


def test_a_missing_library_is_named_with_its_extra(batch, tmp_path, monkeypatch):
    import sys

    for name in ("pyarrow", "pyarrow.parquet", "minari"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'anymdp-bench\[parquet\]'"):
        write_parquet(tmp_path / "x.parquet", batch)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'anymdp-bench\[minari\]'"):
        read_minari("x-v0")


def test_an_empty_folder_holds_no_runs(tmp_path):
    with pytest.raises(ValueError, match="no recorded runs"):
        list(read_runs(tmp_path))
