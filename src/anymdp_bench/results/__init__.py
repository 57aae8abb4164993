"""Results: result files, their records, the statistics of the records, tables and plots."""
