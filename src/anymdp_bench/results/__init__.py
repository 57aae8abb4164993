"""Results: the schema of a result file, its records, the numbers from them, tables and plots."""
