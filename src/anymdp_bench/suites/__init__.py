"""Suites: each is a small file that lists environments, numbers of tasks and runs, and budgets.

A published suite is frozen: a change is a new file with a new name. The hash of a suite is that of its
definition, so a suite that is run with `--tasks 4` has another hash than the published one. A suite of one's
own is a file of the same format; `read_suite` says what it holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.spelling import offer
from anymdp_bench.suites.protocols import DEFAULT_PROTOCOL, PROTOCOLS, Protocol
from anymdp_bench.tasks.canonical import canonical_id, name_source
from anymdp_bench.tasks.family import TaskSource, env_ids, task_source
from anymdp_bench.tasks.id_text import join_env_id, split_env_id

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP

OWN = "TabularMDP-v0"
"""The environment of tasks that the user gives."""
CUSTOM = "custom"
DEFAULT_SUITE = "quick-v2"
SUFFIX = ".toml"
MOST_RUNS, MOST_EPISODES, MOST_STEPS = 10**6, 10**7, 10**10
"""Upper bounds, so that a plan and its curves fit into memory."""
_DIGITS = 12  # of a fingerprint
SAMPLED_TASKS, SAMPLED_RUNS, FIXED_RUNS = 64, 1, 3


class SuiteError(ValueError):
    """A suite cannot be used. The message says which one, and how to fix it."""


@dataclass(frozen=True)
class Row:
    """One environment of a suite.

    Attributes:
        env_id: its canonical id.
        tasks: the number of tasks.
        runs: the number of runs on each task.
        mdp: the task itself, if it was given in Python.
        fingerprint: the beginning of the fingerprint of its first task, if that is the user's own.
    """

    env_id: str
    tasks: int
    runs: int
    mdp: TabularMDP | None = field(default=None, repr=False)
    fingerprint: str | None = None

    def source(self) -> TaskSource:
        """Returns the source of the environment's tasks."""
        return task_source(self.env_id) if self.mdp is None else task_source(OWN, mdp=self.mdp)


@dataclass(frozen=True)
class Limits:
    """The budget of a run, in episodes and in environment steps; None is no limit."""

    episodes: int | None
    steps: int | None


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        name: its name.
        description: one line about it.
        rows: its environments, in the order of its tables.
        training: the budget of an agent that trains.
        in_context: the budget of an in-context agent.
        protocol: by which tasks are chosen and played, a key of `protocols.PROTOCOLS`.
    """

    name: str
    description: str
    rows: tuple[Row, ...]
    training: Limits
    in_context: Limits
    protocol: str = DEFAULT_PROTOCOL

    @property
    def rules(self) -> Protocol:
        """The protocol itself."""
        return PROTOCOLS[self.protocol]

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the rows, the budgets and the protocol."""
        content: dict[str, Any] = {
            "rows": [_row_content(row) for row in self.rows],
            "training": asdict(self.training),
            "in_context": asdict(self.in_context),
        }
        if self.protocol != DEFAULT_PROTOCOL:
            content["protocol"] = self.protocol
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def with_protocol(self, name: str) -> Suite:
        """Returns the suite under a protocol. Environments that it plays in another way get another id.

        Raises:
            SuiteError: there is no such protocol, or an environment has another value of a parameter that
                the protocol sets.
        """
        if name not in PROTOCOLS:
            raise SuiteError(f"protocol is {name!r:.40}; {offer(name, PROTOCOLS)}")
        keywords = PROTOCOLS[name].keywords
        rows = tuple(_set_keywords(row, name, keywords) if keywords else row for row in self.rows)
        _check_unique(rows)
        return replace(self, rows=rows, protocol=name)

    def with_overrides(
        self,
        tasks: int | None = None,
        runs: int | None = None,
        limits: Limits | None = None,
    ) -> Suite:
        """Returns the suite with other numbers; an environment with one fixed task keeps one task.

        Args:
            tasks: the number of tasks of each environment, or None for the suite's own.
            runs: the number of runs on each task, or None.
            limits: the budget of both kinds of agent, or None.
        """
        rows = tuple(
            replace(
                row,
                tasks=tasks if tasks is not None and row.source().is_sampled else row.tasks,
                runs=runs or row.runs,
            )
            for row in self.rows
        )
        return replace(
            self,
            rows=rows,
            training=limits or self.training,
            in_context=limits or self.in_context,
        )


def _set_keywords(row: Row, protocol: str, keywords: Mapping[str, Mapping[str, Any]]) -> Row:
    """Returns a row whose environment has the keywords that a protocol sets for its family."""
    source = row.source()
    wanted = keywords.get(source.family.name, {})
    if not wanted:
        return row
    _, given = split_env_id(row.env_id)
    for key, value in wanted.items():
        if given.get(key, value) != value:
            raise SuiteError(
                f"{row.env_id}: protocol {protocol} plays it with {key}={value}; leave {key} out"
            )
    merged = tuple(sorted((dict(source.keywords) | dict(wanted)).items()))
    return replace(row, env_id=name_source(replace(source, keywords=merged)))


def _row_content(row: Row) -> dict[str, Any]:
    own = {} if row.fingerprint is None else {"fingerprint": row.fingerprint}
    return {"env_id": row.env_id, "tasks": row.tasks, "runs": row.runs} | own


def is_sampled(env_id: str) -> bool:
    """Returns whether different task seeds give different tasks on an environment.

    Raises:
        SuiteError: there is no such environment.
    """
    try:
        return task_source(env_id).is_sampled
    except KeyError as error:
        raise SuiteError(str(error.args[0])[:300]) from None


def suite_names() -> list[str]:
    """Returns the names of the suites in the package, sorted."""
    return sorted(
        path.name.removesuffix(".toml")
        for path in files("anymdp_bench.suites").iterdir()
        if path.name.endswith(".toml")
    )


def load_suite(name: str) -> Suite:
    """The published suite called `name`.

    Raises:
        SuiteError: there is no suite of that name.
    """
    if name not in suite_names():
        raise SuiteError(f"no suite {name!r}; {offer(name, suite_names())}")
    text = (files("anymdp_bench.suites") / f"{name}.toml").read_text(encoding="utf-8")
    return parse_suite(name, text)


def find_suite(suite: str | os.PathLike[str] | TabularMDP | Iterable[str | TabularMDP]) -> Suite:
    """The suite that a user means.

    Args:
        suite: the name of a published suite, the path of a suite file (a string that ends in .toml, or a
            path), an environment id, a task, or several ids and tasks. Ids may have parameters.

    Raises:
        SuiteError: there is no such suite, file or environment, or the parameters of an id cannot be used.
    """
    if isinstance(suite, os.PathLike):
        return read_suite(suite)
    if not isinstance(suite, str):
        from anymdp_bench.mdp import TabularMDP

        environments = list(suite) if isinstance(suite, Iterable) else [suite]
        for each in environments:
            if callable(each):
                raise SuiteError(
                    f"suite is the function {getattr(each, '__name__', each)!s:.60}; name it by its file,"
                    f' "{OWN}?mdp=file.py:function", so that worker processes find it'
                )
            if not isinstance(each, str | TabularMDP):
                raise SuiteError(
                    f"suite is {suite!r:.80}; give a suite's name, a file, or environment ids and tasks"
                )
        return custom_suite(environments)
    if suite.lower().endswith(SUFFIX):
        return read_suite(suite)
    if suite in suite_names():
        return load_suite(suite)
    if re.search(r"-v\d+(\?|$)", suite):
        return custom_suite([suite])
    raise SuiteError(
        f"no suite {suite!r}; {offer(suite, suite_names(), env_ids())};"
        f" or give an environment id, or a file that ends in {SUFFIX}"
    )


def read_suite(path: AnyPath) -> Suite:
    """The suite that a file defines. The file's name without `.toml` is the suite's name.

    The file holds what the published ones do: a `description`; the tables `training` and `in_context` with
    `episodes`, `steps` or both; and for each environment a table `[[rows]]` with `env_id` and, if need be,
    `tasks` and `runs`. An `env_id` may have parameters: "AnyMDP-v0?n_states=24&n_actions=3".

    Args:
        path: the file; `~` is the home directory.

    Raises:
        SuiteError: the file cannot be read, or defines no suite, or has the name of a published suite and
            other content.
    """
    file = expand_home(path)
    name = file.name.removesuffix(SUFFIX)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SuiteError(f"{file}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise SuiteError(
            f"{file}: cannot be read: {error.strerror}; give a suite's name or file"
        ) from None
    if not name.strip() or not name.isprintable() or name == CUSTOM:
        raise SuiteError(f"{file}: a suite cannot be called {name!r}; rename the file")
    suite = parse_suite(name, text, str(file))
    if name in suite_names() and suite.hash != load_suite(name).hash:
        raise SuiteError(
            f"{file}: {name} is a published suite, and this file defines another one; rename the file"
        )
    return suite


def parse_suite(name: str, text: str, source: str | None = None) -> Suite:
    """The suite that a file's text defines.

    Args:
        name: the suite's name.
        text: TOML.
        source: what messages call the file; by default "suite NAME".

    Raises:
        SuiteError: the text does not define a suite.
    """
    where = source or f"suite {name}"
    try:
        data = tomllib.loads(text)
        _check_keys(data, "description", "training", "in_context", "rows")
        for entry in data["rows"]:
            _check_keys(entry, "env_id", "tasks", "runs")
        rows = tuple(
            _row(entry["env_id"], entry.get("tasks"), entry.get("runs")) for entry in data["rows"]
        )
        limits = (_limits(data["training"]), _limits(data["in_context"]))
        suite = Suite(name, str(data["description"]), rows, *limits)
    except SuiteError as error:
        raise SuiteError(f"{source}: {error}" if source else str(error)) from None
    except KeyError as error:
        raise SuiteError(f"{where} cannot be read: {error} is missing; add it") from None
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SuiteError(
            f"{where} cannot be read: {reason}; write it like a published one"
        ) from None
    if not rows:
        raise SuiteError(f"{where} has no rows; add a table [[rows]] for each environment")
    for limit in limits:
        if limit == Limits(None, None):
            raise SuiteError(
                f"{where} sets no limit for a kind of agent; give episodes or steps under"
                " [training] and [in_context]"
            )
    return suite


def custom_suite(environments: Sequence[str | TabularMDP]) -> Suite:
    """Makes a suite of the given environments, ids or tasks, with the full budget.

    Raises:
        SuiteError: there is no such environment, none is named, or one is named twice.
    """
    if not environments:
        raise SuiteError("no environment is named; name one or more")
    rows = tuple(_row(each, None, None) for each in environments)
    _check_unique(rows)
    return Suite(
        CUSTOM,
        "environments named on the command line",
        rows,
        Limits(10_000, None),
        Limits(10_000, 100_000),
    )


def _check_unique(rows: Sequence[Row]) -> None:
    """Raises a `SuiteError` where two rows have the same environment."""
    ids = [row.env_id for row in rows]
    for env_id in ids:
        if ids.count(env_id) > 1:
            raise SuiteError(f"{env_id} is named twice; name each environment once")


def _row(environment: str | TabularMDP, tasks: int | None, runs: int | None) -> Row:
    _check_count("tasks", tasks, MOST_RUNS)
    _check_count("runs", runs, MOST_RUNS)
    if isinstance(environment, str):
        env_id, mdp = _find_canonical_id(environment), None
        sampled = is_sampled(env_id)
        own = task_source(env_id).sample(0).fingerprint() if env_id.startswith(OWN) else None
    else:
        mdp, sampled, own = environment, False, environment.fingerprint()
        env_id = join_env_id(OWN, {"fingerprint": own[:_DIGITS]})
    return Row(
        env_id,
        (tasks or SAMPLED_TASKS) if sampled else 1,
        runs or (SAMPLED_RUNS if sampled else FIXED_RUNS),
        mdp,
        own and own[:_DIGITS],
    )


def _find_canonical_id(env_id: object) -> str:
    """Returns the canonical form of an environment id; see `tasks.canonical`.

    Raises:
        SuiteError: there is no such environment, or its parameters cannot be used.
    """
    if not isinstance(env_id, str):
        raise SuiteError(f"env_id is {env_id!r:.40}; give an environment id in quotes")
    try:
        return canonical_id(env_id)
    except KeyError as error:
        raise SuiteError(str(error.args[0])[:300]) from None
    except ValueError as error:
        raise SuiteError(str(error)) from None


def _check_count(what: str, value: object, most: int) -> None:
    if value is not None and not (type(value) is int and 1 <= value <= most):
        raise SuiteError(f"{what} is {value!r:.40}; give a whole number from 1 to {most}")


def _check_keys(entry: dict[str, object], *known: str) -> None:
    for key in entry:
        if key not in known:
            raise SuiteError(f"there is no setting {key!r:.40}; {offer(key, known)}")


def _limits(entry: dict[str, int]) -> Limits:
    _check_keys(dict(entry), "episodes", "steps")
    _check_count("episodes", entry.get("episodes"), MOST_EPISODES)
    _check_count("steps", entry.get("steps"), MOST_STEPS)
    return Limits(entry.get("episodes"), entry.get("steps"))
