"""Receipts of verifications: what was played again, what came out, and how that is said in words."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from anymdp_bench.paths import AnyPath, make_parent
from anymdp_bench.results.csv_bytes import remove_suffix
from anymdp_bench.results.schema import RecordError

LEVEL = 0.005
"""Claims are refused where chance alone would make them exceed a rerun so far less often than this."""

_SUFFIX = ".verified.json"


def receipt_path(submission: Path) -> Path:
    """Where the receipt of a submission lies, whether the submission is compressed or not: beside it."""
    return submission.with_name(remove_suffix(submission.name) + _SUFFIX)


@dataclass(frozen=True)
class Environment:
    """What was rerun of one environment, and how it came out.

    Attributes:
        env_id: the environment.
        sampled: number of submitted runs that were played again.
        reproduced: number of those that gave the same rows.
        fresh_seeds: the task seeds of the fresh runs.
        claimed: the submission's mean final score.
        fresh: the mean final score of the fresh runs.
        renumbered: whether the fresh runs were of a fixed task with other numbers.
    """

    env_id: str
    sampled: int
    reproduced: int
    fresh_seeds: tuple[int, ...]
    claimed: float
    fresh: float
    renumbered: bool = False


@dataclass(frozen=True)
class Receipt:
    """What a verification found; kept beside the submission, and shown on the page."""

    submission: str
    sha256: str
    nonce: str
    agent: str
    agent_version: str
    package: str
    episodes: int | None
    environments: tuple[Environment, ...]
    p_sampled: float
    p_fresh: float

    @property
    def holds(self) -> bool:
        """Whether the claims hold."""
        return min(self.p_sampled, self.p_fresh) >= LEVEL

    @property
    def replayed(self) -> str:
        """What playing submitted runs again has shown, as a sentence."""
        sampled = sum(each.sampled for each in self.environments)
        same = sum(each.reproduced for each in self.environments)
        cut = f", in their first {self.episodes:,} episodes" if self.episodes else ""
        if same == sampled:
            return f"All {sampled} submitted runs that were played again gave the same rows{cut}."
        return (
            f"{same} of the {sampled} submitted runs that were played again gave the same rows{cut}; chance"
            f" alone lets the others' claims exceed the rerun by as much in {say_chance(self.p_sampled)}."
        )

    @property
    def renewed(self) -> str:
        """What tasks that nobody had seen have shown, in a few sentences."""
        fresh = sum(len(each.fresh_seeds) for each in self.environments)
        count = max(len(self.environments), 1)
        claimed = 100 * sum(each.claimed for each in self.environments) / count
        found = 100 * sum(each.fresh for each in self.environments) / count
        within = f"score within {self.episodes:,} episodes" if self.episodes else "final score"
        numbers = any(each.renumbered for each in self.environments)
        return (
            f"On {fresh} new {'task' if fresh == 1 else 'tasks'} the agent's mean {within} was"
            f" {found:.1f}, where {claimed:.1f} was claimed. Chance alone lets claims exceed new runs by as"
            f" much in {say_chance(self.p_fresh)}; fewer than {1000 * LEVEL:g} of 1,000 would refute them."
            + (" Fixed tasks were renumbered." if numbers else "")
        )

    @property
    def summary(self) -> str:
        """All of it in words."""
        return f"{self.replayed} {self.renewed}"

    def save(self, path: AnyPath) -> None:
        """Writes the receipt as JSON."""
        text = json.dumps(dataclasses.asdict(self) | {"holds": self.holds}, indent=1)
        make_parent(path).write_text(text + "\n", encoding="utf-8")


def load_receipt(path: Path) -> Receipt:
    """Reads what `Receipt.save` wrote.

    Raises:
        RecordError: the file is no receipt.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        del data["holds"]
        rows = [row | {"fresh_seeds": tuple(row["fresh_seeds"])} for row in data["environments"]]
        receipt = Receipt(**data | {"environments": tuple(Environment(**row) for row in rows)})
        _check_kinds(receipt)
        return receipt
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RecordError(f"{path}: is no receipt; write one with leaderboard verify") from None


def _check_kinds(receipt: Receipt) -> None:
    """Raises TypeError or ValueError where a field holds something of another kind."""
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int)}
    kinds |= {"int | None": (int, type(None))}
    parts: tuple[Receipt | Environment, ...] = (receipt, *receipt.environments)
    for part in parts:
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise TypeError(field.name)
            if field.type not in kinds:
                continue
            if isinstance(value, bool) or not isinstance(value, kinds[str(field.type)]):
                raise TypeError(field.name)
            if isinstance(value, (int, float)) and not abs(value) < 2**63:
                raise ValueError(field.name)
    for row in receipt.environments:
        if any(type(seed) is not int for seed in row.fresh_seeds):
            raise TypeError("fresh_seeds")


def say_chance(p: float) -> str:
    """Returns a probability as a number of honest submissions: of 100, or of 1,000 where it is small."""
    if p >= 0.995:
        return "nearly all honest submissions"
    count, of = (100 * p, "100") if p >= 0.1 else (1000 * p, "1,000")
    return f"up to {max(round(count), 1)} of {of} honest submissions"
