"""Hostile input for every file that the package reads and every option of its command line.

`python -m tests.tools.fuzz --inputs 100000` gives each target its share. A target passes where it takes the
input or refuses it in one line, within bounds of time and memory, starts no program, and writes nowhere but
in its own folder.
"""
