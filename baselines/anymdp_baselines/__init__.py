"""The baselines of anymdp-bench, found through the same entry points as anybody's agents."""

import anymdp_bench  # noqa: F401 - chooses where compiled code is kept, before the first kernel here
