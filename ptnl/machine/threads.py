"""How many threads a command may use."""

import os


def usable_threads() -> int:
    """OMP_NUM_THREADS, which bounds torch's threads too, or the CPUs that this process may run on.

    More threads than these CPUs make computations many times slower, because threads then wait for
    others that do not run. SLURM, containers and `taskset` give a process some of a machine's CPUs.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
