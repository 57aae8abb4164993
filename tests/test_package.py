"""The wheel and the source archive: they are complete and small, and the wheel installs."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="needs the extra dev")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = {"anymdp_bench": ROOT / "src", "anymdp_baselines": ROOT / "baselines"}
MIB = 2**20


def build(source, out, *targets):
    """Builds with the backend itself, in one process."""
    words = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", *words, "-d", out]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(source archive, wheel made from it, wheel made from the checkout)."""
    out = tmp_path_factory.mktemp("built")
    build(ROOT, out / "a", "sdist", "wheel")
    (sdist,), (direct,) = (out / "a").glob("*.tar.gz"), (out / "a").glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # new in Python 3.11.4
        archive.extractall(out / "source")
    [source] = (out / "source").iterdir()
    build(source, out / "b", "wheel")
    (wheel,) = (out / "b").glob("*.whl")
    return sdist, wheel, direct


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_two_packages_and_nothing_else(built):
    inside = contents(built[1])
    about = {name for name in inside if name.partition("/")[0].endswith(".dist-info")}
    expected = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for package, source in SOURCES.items()
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name: inside[name] for name in inside.keys() - about} == expected
    assert any(name.endswith("licenses/LICENSE") for name in about)
    assert any(name.endswith("/neural-planner.safetensors") for name in inside)
    assert any(name.endswith("/pendulum/oracle.npz") for name in inside)
    assert any(name.endswith("/suites/smoke.toml") for name in inside)
    assert built[1].stat().st_size < 60 * MIB


def test_the_source_archive_makes_the_same_wheel(built):
    sdist, wheel, direct = built
    assert contents(wheel) == contents(direct)
    assert sdist.stat().st_size < 60 * MIB
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "tests/test_package.py"} <= names
    assert not [n for n in names if "__pycache__" in n or n.startswith((".venv", ".git/"))]


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A fresh environment with the wheel; its dependencies are those of this one."""
    venv = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", built[1]], check=True)
    site = sysconfig.get_path("purelib", vars={"base": str(venv)})
    lent = [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    (Path(site) / "lent.pth").write_text("\n".join(lent))
    return venv


def test_the_wheel_installs_and_answers(installed, tmp_path):
    def ask(*words):
        command = [installed / "bin" / words[0], *words[1:]]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path
        ).stdout

    code = """
import anymdp_bench, anymdp_baselines, gymnasium
from anymdp_bench.suites import suite_names
print(anymdp_bench, anymdp_baselines, suite_names(), "AnyMDP-64s5a-v0" in gymnasium.registry)
"""
    answer = ask("python", "-c", code)
    assert answer.count(str(installed)) == 2
    assert "'quick'" in answer
    assert answer.endswith("True\n")
    assert "tql-ucb" in ask("anymdp-bench", "list", "agents")
