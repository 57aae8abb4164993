"""The command line, `anymdp-bench`: one thin file for each command.

Tables go to stdout, progress and messages to stderr. Exit codes: 0 done; 2 bad arguments or input, with
one line that says what is wrong and how to fix it; 130 interrupted, can be resumed; 1 anything else.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Runs `anymdp-bench` with the arguments of this process, and exits."""
    from anymdp_bench.cli.interrupt import end_on_signals

    end_on_signals()  # before the slow imports
    from anymdp_bench.cli.app import run

    sys.exit(run(sys.argv[1:]))
