"""Successive halving of a grid of settings (Jamieson and Talwalkar 2016), for each task family.

The first round plays all points of a grid for some episodes. Each later round plays the best of the round
before for longer and on more tasks; it may play them with other values of some settings too. The tasks are
those that no suite uses, with seeds from 2**32 up; on a fixed task these are runs that no suite uses. A round
ranks points by the end of their runs, and points with equal ends by their speed (`search.rank`).

A JSON file holds both for every point and round, and the choices. It is written after every point, and the
same command continues from it.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from anymdp_baselines.tuning.search import (
    CRITERION,
    FAMILIES,
    family_parser,
    make_runs,
    rank,
    read_search,
    score_curves,
    write_search,
)
from anymdp_bench.evaluation import Curve, Run

Key = tuple[float, ...]
"""The fields of the settings, in order."""
Scores = dict[Key, tuple[float, float]]
"""(end, speed) by key."""

SAMPLED = frozenset({"AnyMDP", "bandit"})
"""The families whose tasks differ much from each other; the others have fewer runs."""
_ONE_LINE = r"\[[^][{}]*\]"  # a list of numbers


class Round(NamedTuple):
    """A round of a search.

    Attributes:
        kept: the number of points that are kept from the round before; 0 in the first.
        episodes: the episodes of a run.
        tasks: the tasks of an environment with sampled tasks, or the runs of one with a fixed task.
        values: values of settings, by their names, with which each kept point is played.
    """

    kept: int
    episodes: int
    tasks: int
    values: Mapping[str, Sequence[float]] = {}  # never changed


@dataclass(frozen=True)
class HalvingSearch:
    """A search of the settings of an agent.

    Attributes:
        path: the JSON file.
        settings: the class of the settings, a frozen dataclass of numbers.
        grid: makes the points of the first round.
        play: plays a run by settings for so many episodes.
        rounds: the rounds of the families of `SAMPLED`.
        fewer_runs: those of the other families.
        costly: families of which the last round keeps one point alone.
    """

    path: Path
    settings: type[Any]
    grid: Callable[[], list[Any]]
    play: Callable[[Any, Run, int], Curve]
    rounds: tuple[Round, ...]
    fewer_runs: tuple[Round, ...]
    costly: tuple[str, ...] = ()

    def rounds_of(self, family: str) -> tuple[Round, ...]:
        """Returns the rounds of a family."""
        *first, last = self.rounds if family in SAMPLED else self.fewer_runs
        return *first, last._replace(kept=1) if family in self.costly else last

    def select_points(self, before: Scores | None, one: Round) -> list[Any]:
        """Returns the points of a round.

        Args:
            before: the scores of the round before; None for the first round.
            one: the round.
        """
        if before is None:
            return self.grid()
        return [
            replace(self._point(key), **dict(zip(one.values, chosen, strict=True)))
            for key in rank(before)[: one.kept]
            for chosen in itertools.product(*one.values.values())
        ]

    def _point(self, key: Key) -> Any:
        names = [field.name for field in fields(self.settings)]
        return self.settings(**dict(zip(names, key, strict=True)))

    def search(self, family: str, file: dict[str, Any]) -> None:
        """Plays the missing points of a family's rounds, and writes its choice."""
        new = {"environments": FAMILIES[family], "rounds": [[] for _ in self.rounds_of(family)]}
        rounds = file["scores"].setdefault(family, new)["rounds"]
        before: Scores | None = None
        scores: Scores = {}
        for k, (played, one) in enumerate(zip(rounds, self.rounds_of(family), strict=True), 1):
            scores = {tuple(row[:-2]): (row[-2], row[-1]) for row in played}
            runs = make_runs(FAMILIES[family], one.tasks, one.tasks)
            points = self.select_points(before, one)
            for j, point in enumerate(points, 1):
                if astuple(point) not in scores:
                    curves = [self.play(point, run, one.episodes) for run in runs]
                    scores[astuple(point)] = score_curves(curves)
                    played[:] = [[*key, *scores[key]] for key in rank(scores)]
                    write_search(self.path, file, _ONE_LINE)
                    print(f"{family}: round {k}, {j} of {len(points)}", file=sys.stderr, flush=True)
            before = scores
        best = rank(scores)[0]
        file["chosen"][family] = asdict(self._point(best))
        write_search(self.path, file, _ONE_LINE)
        print(f"{family:22} {scores[best]}  {self._point(best)}", flush=True)

    def new_file(self) -> dict[str, Any]:
        """Returns the content of the file before the first point."""
        return {
            "command": f"python -m anymdp_baselines.tuning.{self.path.stem}",
            "criterion": CRITERION,
            "rounds (points kept, episodes, tasks, values)": [list(one) for one in self.rounds],
            "rounds of all but AnyMDP and bandit": [list(one) for one in self.fewer_runs],
            "families with one point kept in the last round": list(self.costly),
            "columns of points": [*(field.name for field in fields(self.settings)), "end", "speed"],
            "chosen": {},
            "scores": {},
        }

    def read_file(self) -> dict[str, Any]:
        """Reads the file; starts a new one where there is none or where the search has changed."""
        new, found = self.new_file(), read_search(self.path)
        is_same = found is not None and {**found, "chosen": {}, "scores": {}} == json.loads(
            json.dumps(new)
        )
        return found if found is not None and is_same else new

    def main(self, description: str | None) -> None:
        """Plays the missing points of the families on the command line, and prints the choices."""
        file = self.read_file()
        for family in family_parser(description).parse_args().families or FAMILIES:
            self.search(family, file)
