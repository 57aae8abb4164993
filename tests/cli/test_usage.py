"""A name that nobody knows is answered with the nearest known one and with the help of its own command."""

import re

import pytest
import typer

import anymdp_bench
from anymdp_baselines import train_command
from anymdp_baselines.omnirl import presets as sequence
from anymdp_baselines.planner import presets as planner
from anymdp_bench.cli.app import app, run
from anymdp_bench.results.results import Results

RUN = "run --agent random --env AnyMDP-1s5a-v0 --tasks 1 --episodes 2 --workers 1"
NEAREST = {
    "runn": ("run", "anymdp-bench"),
    "list env": ("envs", "anymdp-bench list"),
    "run --agent omnirll": ("omnirl", None),
    "run --agent TQL-UBC": ("tql-ucb", None),
    "run --agent random --suite quikc": ("quick", None),
    "run --agent random --suite darkroom-8x8": ("Darkroom-8x8-v0", None),
    "run --agent random --env AnyMDP-16s5-v0": ("AnyMDP-16s5a-v0", None),
    "run --agent random --env darkroom-8X8-v0": ("Darkroom-8x8-v0", None),
    f"{RUN} --context emtpy": ("empty", "anymdp-bench run"),
    f"{RUN} --score correct": ("corrected", "anymdp-bench run"),
    f"{RUN} --executor rey": ("ray", "anymdp-bench run"),
    f"{RUN} --episode 3": ("--episodes", "anymdp-bench run"),
    "table x --format makdown": ("markdown", "anymdp-bench table"),
    "plot x --out a.png --kind curvs": ("curves", "anymdp-bench plot"),
    "study stationry": ("stationary", None),
    "study stationary --scale tinny": ("tiny", "anymdp-bench study"),
    "record Darkroom-8x8": ("Darkroom-8x8-v0", None),
    "draw Darkroom-8x8": ("Darkroom-8x8-v0", None),
    "list tasks AnyMDP-1s5a-v0 --tasks 1 --sort diametr": ("diameter", "anymdp-bench list tasks"),
    "leaderboard validat x": ("validate", "anymdp-bench leaderboard"),
}


@pytest.mark.parametrize("line", NEAREST)
def test_the_nearest_name_is_offered(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name, path = NEAREST[line]
    assert run(line.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(rf"(Did you mean|did you mean|Possible options:) '?{name}['?),]", err), err
    if path:
        assert err.endswith(f" See {path} --help.\n")
        assert "?." not in err
        assert "Value error" not in err


@pytest.mark.parametrize(
    ("line", "path"),
    [("run", "run"), ("list", "list"), ("leaderboard verify", "leaderboard verify"), ("", "")],
)
def test_the_hint_is_the_help_of_the_command(line, path, capsys):
    assert run(line.split()) == 2
    assert capsys.readouterr().err.endswith(
        f" See {' '.join(f'anymdp-bench {path}'.split())} --help.\n"
    )


def test_presets_are_offered_and_the_help_lists_those_that_exist(capsys):
    root = typer.main.get_command(app)
    for network in train_command.NETWORKS:
        presets = (planner if network == "neural-planner" else sequence).PRESETS
        command = root.commands["train"].commands[network]
        [option] = [each for each in command.params if each.name == "preset"]
        assert all(re.search(rf"[ ]{name}[,.]", option.help) for name in presets)
        context = typer.Context(command, info_name=network)
        assert [each.value for each in option.shell_complete(context, "b")] == ["base"]
    for find, words in ((sequence.find_preset, ("smal", "delta")), (planner.find_preset, ["smal"])):
        with pytest.raises(
            ValueError, match=r"no preset 'smal'; did you mean 'small'\? known: tiny"
        ):
            find(*words)


def test_python_offers_the_same():
    evaluate = anymdp_bench.evaluate
    for keywords, name in [
        ({"agent": "randm"}, "random"),
        ({"suite": "smok"}, "smoke"),
        ({"suite": ["AnyMDP-1sa-v0"]}, "AnyMDP-1s5a-v0"),
        ({"context": "emty"}, "empty"),
        ({"score": "papr"}, "paper"),
        ({"executor": "locl"}, "local"),
    ]:
        with pytest.raises(ValueError, match=rf"did you mean '{name}'\? known: "):
            evaluate(**{"agent": "random", "suite": "smoke"} | keywords)
    results = evaluate("random", "AnyMDP-1s5a-v0", tasks=1, steps=2, workers=1)
    assert isinstance(results, Results)
    for call, name in [
        (lambda: results.table("markdwn"), "markdown"),
        (lambda: results.table("htm", overall=True), "html"),
        (lambda: results.table(score="correct"), "corrected"),
        (lambda: results.plot("curve"), "curves"),
        (lambda: results.plot(x="episodes"), "episode"),
    ]:
        with pytest.raises(ValueError, match=rf"did you mean '{name}'\? known: "):
            call()
    with pytest.raises(KeyError, match=r"did you mean 'Garnet-16s5a2b-v0'\? known: "):
        anymdp_bench.sample_task("Garnet-16s5a2-v0")
