"""What `status` and `up` print."""

import time

from workers.embedded.home import Home
from workers.embedded.state import ClusterState, ProcessState, find
from workers.memory import family_memory, own_share

_MIB = 1 << 20


def print_addresses(state: ClusterState) -> None:
    print()
    for label, where in state.addresses.items():
        print(f"  {label:<14} {where}")
    print()


def print_status(state: ClusterState, home: Home) -> bool:
    """The table of processes; returns whether all of them run."""
    print(f"  {'process':<12} {'pid':>8} {'up for':>10} {'restarts':>8} {'memory':>9}")
    alive = [_print_process(state.supervisor, alone=True)]
    alive += [_print_process(process) for process in state.processes]
    print(f"\n  {state.phase}{': ' if state.message else ''}{state.message}; logs in {home.logs}")
    print_addresses(state)
    return state.phase == "running" and all(alive)


def _print_process(process: ProcessState, *, alone: bool = False) -> bool:
    """One line; `alone`: without the memory of its children, which have lines of their own."""
    found = find(process)
    if found is None:
        print(f"  {process.name:<12} {'-':>8} {'down':>10} {process.restarts:>8}")
        return False
    age = duration(time.time() - process.started_at)
    memory = f"{(own_share(found) if alone else family_memory(found)[0]) / _MIB:.0f} MiB"
    print(f"  {process.name:<12} {process.pid:>8} {age:>10} {process.restarts:>8} {memory:>9}")
    return True


def duration(seconds: float) -> str:
    """`42 s`, `5 min`, `3 h 12 min`."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
