"""The leaderboard: results that travel as CSV files, checked, rerun and shown on one static page.

check_file          reads a stranger's file a line at a time, before anything larger touches it
submission          its header, its rows, and the suite that it claims
check_completeness  whether every task, run and test point of the suite is there, and nothing else
check_values        compares every number with the tasks themselves, sampled again from their seeds
rerun, host         the agent in a process of its own
verify              whether the agent's claims hold when it plays again
permutation_test    how often chance alone would make claims exceed reruns so far
entries, page       the leaderboard's rows, and one self-contained HTML file of them
"""
