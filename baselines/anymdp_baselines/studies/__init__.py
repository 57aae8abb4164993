"""Studies that need baselines: one module each, found through the entry points `anymdp_bench.studies`."""
