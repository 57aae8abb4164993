"""`python -m anymdp_bench` is the command `anymdp-bench`."""

from anymdp_bench.cli import main

if __name__ == "__main__":
    main()
