"""The import of the package loads nothing heavy, asks no network, and has the public names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import anymdp_bench

HEAVY = {
    "numba",
    "torch",
    "pandas",
    "scipy",
    "matplotlib",
    "stable_baselines3",
    "pettingzoo",
    "anymdp_baselines",
}
EXTRAS = {"torch", "stable_baselines3", "ray", "moviepy", "tensorboard"}


def loaded_after(statement):
    """Returns the top-level modules of a fresh interpreter after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_registers_every_id_and_loads_nothing_heavy():
    code = "import anymdp_bench, gymnasium; assert 'AnyMDP-64s5a-v0' in gymnasium.registry"
    assert loaded_after(code) & HEAVY == set()


LIGHT = ["--version", "list envs", "list agents", "list suites", "list studies", "list envs --json"]


@pytest.mark.parametrize("line", LIGHT)
def test_a_command_that_computes_nothing_loads_nothing_heavy(line):
    """Only the small modules of baselines that declare `train` and `data` are loaded."""
    code = (
        "import os, sys; from anymdp_bench.cli.app import run\nsys.stdout = open(os.devnull, 'w')\n"
    )
    loaded = loaded_after(f"{code}assert run({line.split()}) == 0; sys.stdout = sys.__stdout__")
    assert loaded & HEAVY == {"anymdp_baselines"}
    assert loaded & {"rich", "ray", "jinja2", "filelock"} == set()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("run --agent omnirl-l", "omnirl-linear"),
        ("run --suite table1-", "table1-small"),
        ("li", "list"),
    ],
)
def test_completion_loads_nothing_heavy(words, found):
    """What a shell runs at each press of Tab."""
    script = Path(sys.executable).with_name("anymdp-bench")
    given = {"_ANYMDP_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": f"anymdp-bench {words}"}
    given["COMP_CWORD"] = str(len(words.split()))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", script],
        env=os.environ | given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found in done.stdout.split()
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "gymnasium" in loaded
    assert loaded & HEAVY == {"anymdp_baselines"}


def test_the_engine_is_loaded_when_it_is_needed():
    loaded = loaded_after("import anymdp_bench; anymdp_bench.TabularMDP")
    assert "numba" in loaded
    assert loaded.isdisjoint(HEAVY - {"numba", "scipy"})  # numba looks for scipy


def test_omnirl_plays_without_pytorch():
    code = (
        "import anymdp_bench; anymdp_bench.evaluate('omnirl', 'AnyMDP-1s5a-v0', tasks=1, steps=5,"
        " workers=1, progress=False)"
    )
    loaded = loaded_after(code)
    assert "anymdp_baselines" in loaded
    assert "torch" not in loaded


# Prints the modules that cannot be imported without an extra. Ends at the first use of the network, and fails
# where a module imports rliable, which is a dependency of the tests only.
WITHOUT_A_NETWORK = """
import importlib, os, pkgutil, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        os.write(2, f"{event} {arguments}".encode())
        os._exit(3)

sys.addaudithook(watch)
import anymdp_bench, anymdp_baselines
for package in (anymdp_bench, anymdp_baselines):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        except ModuleNotFoundError as missing:
            print(module.name, missing.name)
if "rliable" in sys.modules:
    sys.exit("rliable is imported")
"""


@pytest.mark.slow
def test_no_import_asks_the_network_or_loads_rliable():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_NETWORK], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    missing = {line.split()[1].partition(".")[0] for line in done.stdout.splitlines()}
    assert missing <= EXTRAS


def test_every_public_name_resolves():
    for name in anymdp_bench.__all__:
        assert getattr(anymdp_bench, name) is not None
    assert set(anymdp_bench.__all__) <= set(dir(anymdp_bench))
    assert sorted(anymdp_bench.__all__) == anymdp_bench.__all__


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(anymdp_bench, "nothing_of_the_kind")
