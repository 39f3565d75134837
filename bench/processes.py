"""What a tree of processes used, by /proc: CPU seconds count the same whoever else keeps the machine busy."""

import os
from collections import defaultdict
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")  # a second


def cpu_seconds(root: int) -> float:
    """Used so far by a process, its living descendants and those that it has buried."""
    ticks = sum(sum(_stat(pid)[1:3]) for pid in tree(root)) + sum(_stat(root)[3:5])
    return ticks / TICK


def tree(root: int) -> list[int]:
    """The process and all its living descendants."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        children[_stat(int(folder.name))[0]].append(int(folder.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def resident_mb(pid: int) -> float:
    """What the process holds in memory, in megabytes (10^6 bytes), shared libraries included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _stat(pid: int) -> tuple[int, int, int, int, int]:
    """(parent, user, system, buried children's user, buried children's system), in ticks; zeros once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0, 0, 0, 0
    parent, user, system, buried_user, buried_system = (int(fields[i]) for i in (1, 11, 12, 13, 14))
    return parent, user, system, buried_user, buried_system
