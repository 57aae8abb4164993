"""The baselines of anymdp-bench, found through the same entry points as anybody's agents."""
