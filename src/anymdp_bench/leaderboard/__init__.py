"""The leaderboard: results that travel as CSV files, checked, rerun and shown on one static page.

scan        a stranger's file, read a line at a time before anything larger touches it
submission  its header, its rows, the suite that it claims
complete    every task, run and test point of the suite is there, and nothing else
plausible   every number against the tasks themselves, sampled again from their seeds
rerun       the agent in a process of its own, on tasks that nobody could have known
verify      whether reruns bear the claims out
page        one self-contained HTML file
"""
