"""Recorded runs as Minari data sets, an episode for each episode. Needs Minari."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from anymdp_bench.datasets.batch import NO_LABEL, TrainingBatch, check_steps, make_unlabelled
from anymdp_bench.datasets.codes import TAG_UNKNOWN
from anymdp_bench.datasets.extras import import_extra
from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.paths import AnyPath, expand_home

_FOLDER = "MINARI_DATASETS_PATH"
_UNKNOWN = {
    "tag": TAG_UNKNOWN,
    "oracle_action": NO_LABEL,
    "advantage": np.nan,
    "entropy": np.nan,
}
_LABELS, _OPTIONS = tuple(_UNKNOWN), ("task_seed", "run", "cut")


def write_minari(
    dataset_id: str,
    batch: TrainingBatch,
    *,
    n_observations: int | None = None,
    about: Mapping[str, str] = {},
    folder: AnyPath | None = None,
) -> None:
    """Writes a batch as a Minari data set, with an episode for each episode of its runs.

    The infos of an episode hold its labels (`tag`, `oracle_action`, `advantage`, `entropy`). There is one for
    each observation, and that of the last one says that they are not known. The options of an episode hold
    its `task_seed`, the number of its `run`, and `cut`: whether the run ends before the episode does. Minari
    keeps every episode in arrays of its own, so that long episodes take far less time and space than short
    ones.

    Args:
        dataset_id: the id, for example "anymdp/tau16-v0".
        batch: the runs.
        n_observations: O; by default the largest observation plus 1.
        about: the description of the data set, as JSON.
        folder: where it goes; by default Minari's own folder.

    Raises:
        ModuleNotFoundError: Minari is not installed.
        ValueError: Minari refuses the id, or has a data set of this name.
    """
    minari = import_extra("minari", "minari")
    most = int(max(batch.observation.max(), batch.next_observation.max())) + 1
    with _datasets_in(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no environment, author or reference score
        minari.create_dataset_from_buffers(
            dataset_id,
            list(_episodes(batch)),
            observation_space=Discrete(n_observations or most),
            action_space=Discrete(batch.advantage.shape[-1]),
            algorithm_name="anymdp-bench",
            description=json.dumps(dict(about), sort_keys=True),
        )


def _episodes(batch: TrainingBatch) -> Iterator[Any]:
    minari = import_extra("minari.data_collector.episode_buffer", "minari")
    over = batch.terminated | batch.truncated
    length = over.shape[1]
    for run in range(len(over)):
        ends = np.flatnonzero(over[run]) + 1
        if not len(ends) or ends[-1] < length:
            ends = np.append(ends, length)
        begin = 0
        for end in ends.tolist():
            at, part = run, slice(begin, end)
            cut = not over[run, end - 1]
            truncated = batch.truncated[at, part].copy()
            truncated[-1] |= cut
            labels = {name: getattr(batch, name)[at, part] for name in _LABELS}
            seen = np.append(batch.observation[at, part], batch.next_observation[at, end - 1])
            yield minari.EpisodeBuffer(
                observations=seen.astype(
                    np.int32
                ),  # HDF5 keeps at least 1,024 numbers of each array
                actions=batch.action[at, part].astype(np.int16),
                rewards=batch.reward[at, part],
                terminations=batch.terminated[at, part],
                truncations=truncated,
                infos={
                    name: np.concatenate([x, np.full_like(x[:1], _UNKNOWN[name])]).astype(
                        np.int16 if x.dtype.kind == "i" else np.float32
                    )
                    for name, x in labels.items()
                },
                options={"task_seed": int(batch.task_seed[run]), "run": run, "cut": bool(cut)},
            )
            begin = end


def read_minari(dataset: Any, folder: AnyPath | None = None) -> TrainingBatch:
    """Reads a Minari data set with discrete observations and actions.

    A data set of `write_minari` comes back as it was. The episodes of any other become one run without
    labels; see `TrainingBatch`. Nothing in a data set is executed.

    Args:
        dataset: the id of a local data set, or a `MinariDataset`.
        folder: where Minari looks for it; by default its own folder.

    Raises:
        ModuleNotFoundError: Minari is not installed.
        ValueError: there is no such data set, or it holds no discrete steps; the message is one line.
    """
    minari = import_extra("minari", "minari")
    name = dataset if isinstance(dataset, str) else "the data set"
    try:
        if isinstance(dataset, str):
            with _datasets_in(folder):
                _refuse_code(dataset)
                dataset = minari.load_dataset(dataset)
        for space in (dataset.observation_space, dataset.action_space):
            if not isinstance(space, Discrete):
                raise ValueError(f"it has {space!s:.80} where only Discrete is read")
        episodes = list(dataset.iterate_episodes())
        if not episodes:
            raise ValueError("it has no episodes")
        return check_steps(_to_batch(dataset, episodes))
    except ModuleNotFoundError:
        raise
    except Exception as error:  # whatever a damaged file makes HDF5 or Minari raise
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{name} cannot be read: {reason}") from None


def _refuse_code(dataset_id: str) -> None:
    """Refuses a data set without spaces, for which Minari would make the environment that it names."""
    storage = import_extra("minari.dataset.minari_storage", "minari")
    root = import_extra("minari.storage.datasets_root_dir", "minari")
    about = storage.MinariStorage.read_raw_metadata(root.get_dataset_path(dataset_id) / "data")
    if not {"observation_space", "action_space"} <= set(about):
        raise ValueError("its metadata name no spaces")


def _to_batch(dataset: Any, episodes: list[Any]) -> TrainingBatch:
    seen_from, did_from = int(dataset.observation_space.start), int(dataset.action_space.start)
    n_actions = int(dataset.action_space.n)
    found = dataset.storage.get_episode_metadata([int(e.id) for e in episodes])
    options = [about.get("options", {}) for about in found]
    ours = all(set(_OPTIONS) <= set(each) for each in options)
    run = [int(each["run"]) if ours else 0 for each in options]
    n = len(set(run))
    if run != sorted(run):
        raise ValueError("its episodes are not in the order of their runs")

    def join(parts: list[AnyArray]) -> AnyArray:
        whole = np.concatenate(parts)
        return whole.reshape(n, len(whole) // n, *whole.shape[1:])

    truncated = [np.array(e.truncations, np.bool_) for e in episodes]
    if ours:
        for flags, each in zip(truncated, options, strict=True):
            flags[-1] &= not each["cut"]
    batch = make_unlabelled(
        observation=join([e.observations[:-1] - seen_from for e in episodes]),
        action=join([e.actions - did_from for e in episodes]),
        reward=join([e.rewards for e in episodes]),
        terminated=join([e.terminations for e in episodes]),
        truncated=join(truncated),
        next_observation=join([e.observations[1:] - seen_from for e in episodes]),
        n_actions=n_actions,
    )
    if not ours:
        return batch
    for label in _LABELS:
        values = join([e.infos[label][:-1] for e in episodes])
        batch = batch._replace(**{label: values.astype(getattr(batch, label).dtype)})
    seeds = {number: int(each["task_seed"]) for number, each in zip(run, options, strict=True)}
    return batch._replace(task_seed=np.array(list(seeds.values()), np.int64))


def read_metadata(path: Path) -> dict[str, str]:
    """Reads what `write_minari` was given as `about`, from the folder of a data set.

    Raises:
        ValueError: there is nothing of the kind; the message is one line.
    """
    try:
        found = json.loads((path / "data" / "metadata.json").read_text("utf-8"))["description"]
        return {str(key): str(value) for key, value in json.loads(found).items()}
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} cannot be read: {reason}") from None


@contextmanager
def _datasets_in(folder: AnyPath | None) -> Iterator[None]:
    """Lets Minari read and write its data sets in `folder`."""
    before = os.environ.get(_FOLDER)
    if folder is not None:
        # absolute: Minari joins a relative folder to its paths twice
        os.environ[_FOLDER] = os.path.abspath(expand_home(folder))
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop(_FOLDER)
            if before is not None:
                os.environ[_FOLDER] = before
