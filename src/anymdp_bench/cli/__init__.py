"""The command line, `anymdp-bench`: one thin file a command.

Tables go to stdout, progress and messages to stderr. Exit codes: 0 done; 2 bad arguments or input, with
one line that says what and how to mend it; 130 interrupted, resumable; 1 anything else.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `anymdp-bench`."""
    from anymdp_bench.cli.interrupt import end_on_signals

    end_on_signals()  # before the imports that take a while
    from anymdp_bench.cli.app import run

    sys.exit(run(sys.argv[1:]))
