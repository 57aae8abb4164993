"""Compiled code is kept wherever a folder can be written, and its folder is no stranger's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anymdp_bench
from anymdp_bench.engine import compile_cache

KERNEL = """
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x
"""
CODE = """
import numba, subprocess, sys
import anymdp_bench
from anymdp_bench.engine import rng  # kernels of the package
import kernel
assert kernel.double(4) == 8
if sys.argv[1:]:
    subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


def drop_rights():
    """The words that take from root the right to write everywhere."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def test_where_nothing_can_be_written_a_private_folder_is_used(tmp_path):
    """A package and a home that are read-only, as in a container: one line, in the first process alone."""
    package, home, temporary = (tmp_path / name for name in ("package", "home", "temporary"))
    shutil.copytree(
        Path(anymdp_bench.__file__).parent,
        package / "anymdp_bench",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (package / "kernel.py").write_text(KERNEL)
    home.mkdir()
    temporary.mkdir()
    for folder in (package, home):
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    environment = {
        k: v for k, v in os.environ.items() if k not in (compile_cache.VARIABLE, "XDG_CACHE_HOME")
    }
    environment |= {"HOME": str(home), "TMPDIR": str(temporary)}
    environment["PYTHONPATH"] = f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    try:
        done = subprocess.run(
            [*drop_rights(), sys.executable, "-c", CODE, CODE],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        subprocess.run(["chmod", "-R", "u+w", package, home], check=True)
    assert (done.returncode, done.stdout) == (0, "")
    (folder,) = temporary.iterdir()
    assert done.stderr.count("\n") == 1
    assert f"compiled code is kept in {folder}; set NUMBA_CACHE_DIR" in done.stderr
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.suffix for path in sorted(folder.rglob("kernel*"))] == [".nbc", ".nbi"]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Only the folder for temporary files can be written."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(compile_cache, "_is_writable", lambda folder: False)
    monkeypatch.setenv(compile_cache.VARIABLE, "/read/only")
    return tmp_path


def test_a_folder_that_somebody_else_prepared_is_not_trusted(nowhere):
    """Numba loads the code that it finds there."""
    ours = nowhere / f"anymdp-bench-{os.getuid()}"
    ours.mkdir(mode=0o777)
    ours.chmod(0o777)
    compile_cache.choose_folder()
    chosen = Path(os.environ[compile_cache.VARIABLE])
    assert chosen.parent == nowhere
    assert chosen != ours
    assert chosen.stat().st_mode & 0o077 == 0


def test_a_folder_that_can_be_written_is_kept_without_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(compile_cache.VARIABLE, str(tmp_path / "new"))
    compile_cache.choose_folder()
    assert os.environ[compile_cache.VARIABLE] == str(tmp_path / "new")
    assert capsys.readouterr().err == ""


def test_a_full_disk_and_a_file_are_no_folder_for_code(tmp_path, monkeypatch):
    assert compile_cache._is_writable(tmp_path / "to" / "be" / "made")
    (tmp_path / "file").write_text("")
    assert not compile_cache._is_writable(tmp_path / "file" / "below")
    monkeypatch.setattr(compile_cache, "LEAST_FREE_BYTES", shutil.disk_usage(tmp_path).total + 1)
    assert not compile_cache._is_writable(tmp_path)
