"""Hostile input for every file that the package reads and every option of its command line.

`python -m tests.tools.fuzz --inputs 100000` gives each target its share of the inputs. A target passes
where it accepts the input or refuses it in one line, within bounds of time and memory. It must not start a
program, and it must write only in its own folder.
"""
