"""Installs the package with other versions of its dependencies, and runs its tests with them.

    python tests/tools/supply.py lowest              every dependency of the package at its lower bound
    python tests/tools/supply.py lowest --extra sb3  and the dependencies of these extras
    python tests/tools/supply.py python3.13          the newest versions under another interpreter

Needs `pip install uv` and a package registry. The exit code is that of the tests.
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
# Tests that use every dependency: kernels, environments, files, tables, plots, and the command line.
TESTS = [
    "test_import.py", "tasks/test_family.py", "cli/test_cli.py", "envs", "tasks/pendulum/test_env.py",
    "tasks/switch2/test_env.py", "runner/test_run.py", "results/test_records.py", "mdp/test_file.py",
    "results/test_metrics.py", "results/test_plots.py", "results/test_tables.py", "suites/test_suites.py",
    "tasks/test_golden.py",
]  # fmt: skip


def install(venv, interpreter, extras, lowest):
    """Makes the virtual environment `venv` with the package and the test tools."""
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
    """Installs the package and runs the tests; returns their exit code."""
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
        # An old version may warn about newer versions of other packages; this is no failure.
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
        tests = [ROOT / "tests" / name for name in TESTS]
        return subprocess.run(
            [venv / "bin" / "python", *words, *tests], env=environ, cwd=folder, check=False
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
