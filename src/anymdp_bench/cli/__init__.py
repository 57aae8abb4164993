"""The command line, `anymdp-bench`: one thin file for each command.

Tables go to stdout, progress and messages to stderr. Exit codes: 0 done; 2 bad arguments or input, with
one line that says what is wrong and how to fix it; 130 interrupted, can be resumed; 1 anything else.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs `anymdp-bench` with the arguments of this process, and exits."""
    from anymdp_bench.cli.interrupt import end_on_signals
    from anymdp_bench.cli.streams import divert_stdout, prepare_streams

    end_on_signals()  # before the slow imports
    prepare_streams()
    os.environ["MPLBACKEND"] = (
        "Agg"  # pictures go to files; a notebook's backend may be missing here
    )
    from anymdp_bench.cli.app import run

    code = run(sys.argv[1:])
    divert_stdout()  # what libraries print when Python exits is no part of the answer
    sys.exit(code)
