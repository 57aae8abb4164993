"""Installs the package as others may have it, in a fresh environment, and runs its tests there.

    python tests/tools/supply.py lowest              every dependency of the package at its lower bound
    python tests/tools/supply.py lowest --extra sb3  and of these extras
    python tests/tools/supply.py python3.13          the newest of everything under another interpreter

Needs `pip install uv`, and a registry of packages. The exit code is that of the tests.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ["pytest", "hypothesis"]
# What touches every dependency: the kernels, the environments, files, tables, plots, the command line.
TESTS = [
    "test_import.py", "test_families.py", "test_cli.py", "envs/test_registration.py", "envs/test_switch2.py",
    "execution/test_run.py", "test_records.py", "test_mdp_file.py", "test_metrics.py", "test_plots.py",
    "test_tables.py", "test_suites.py", "tasks/test_golden.py",
]  # fmt: skip


def install(venv, interpreter, extras, lowest):
    """Makes the environment `venv`."""
    uv = shutil.which("uv") or sys.exit("needs uv: pip install uv")
    subprocess.run([uv, "venv", "-q", "-p", interpreter, venv], check=True)
    pip = [uv, "pip", "install", "-q", "-p", venv / "bin" / "python"]
    wanted = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    subprocess.run(
        [*pip, *(["--resolution", "lowest-direct"] if lowest else []), wanted], check=True
    )
    frozen = venv / "installed.txt"
    freeze = [uv, "pip", "freeze", "-p", venv / "bin" / "python", "--exclude", "anymdp-bench"]
    frozen.write_text(subprocess.run(freeze, check=True, capture_output=True, text=True).stdout)
    subprocess.run([*pip, "-c", frozen, *TOOLS], check=True)


def main():
    """Installs and tests; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", help="`lowest`, or an interpreter")
    parser.add_argument("--extra", action="append", default=[])
    given = parser.parse_args()
    lowest = given.what == "lowest"
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder) / "venv"
        install(venv, sys.executable if lowest else given.what, given.extra, lowest)
        environ = os.environ | {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        # Old versions warn of new ones that they came to be installed with: that is no failure.
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
        tests = [ROOT / "tests" / name for name in TESTS]
        return subprocess.run(
            [venv / "bin" / "python", *words, *tests], env=environ, cwd=folder, check=False
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
