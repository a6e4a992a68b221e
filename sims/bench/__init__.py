"""Real agents measured next to each other: swim and Serf, same profile, same machine, same run.

``python -m sims.bench SCENARIO --nodes N --against serf`` starts the processes, measures from outside
(``/proc``, and log lines stamped on arrival), prints medians with ranges and the ratio, and ends what it
started. Linux only.
"""
