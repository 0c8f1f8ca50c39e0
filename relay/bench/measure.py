"""What processes and the machine used, read from /proc; and how spread out a set of times is."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relay.core.errors import RelayError

NOISE_LIMIT = 0.10
"""From this share of the machine on that others used, figures cannot be relied on."""


def need_proc() -> None:
    """Raises RelayError where there is no /proc to read from."""
    if not Path("/proc/self/stat").exists():
        raise RelayError(
            "the bench reads what processes use from /proc, which this system does not have: run it on Linux"
        )


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, of all its threads, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    """Resident memory of a process: now, or with `VmHWM` the most there ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _machine_s() -> tuple[float, float]:
    """Processor time of everything on this machine, and how much of that the hypervisor took away."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), ticks[7] / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """What was used in a span of time. Shares are of all cores together."""

    span_s: float
    server_cpu_s: float
    others_share: float
    """By neither the server nor the bench, stolen time included: the noise."""
    steal_share: float

    @property
    def reliable(self) -> bool:
        return self.others_share <= NOISE_LIMIT


class Watch:
    """Starts counting when it is made."""

    def __init__(self, server_pid: int, *own_pids: int) -> None:
        """`own_pids` are the helpers: neither the server nor others."""
        self._server_pid = server_pid
        self._own_pids = (*own_pids, os.getpid())
        self._at_s = time.monotonic()
        self._server_s, self._own_s, (self._machine_s, self._steal_s) = self._read()

    def _read(self) -> tuple[float, float, tuple[float, float]]:
        return cpu_s(self._server_pid), sum(map(cpu_s, self._own_pids)), _machine_s()

    def end(self) -> Used:
        """What was used since."""
        server_s, own_s, (machine_s, steal_s) = self._read()
        span_s = time.monotonic() - self._at_s
        cores_s = span_s * (os.cpu_count() or 1)
        server_s -= self._server_s
        others_s = machine_s - self._machine_s - server_s - (own_s - self._own_s)
        return Used(span_s, server_s, max(0.0, others_s / cores_s), (steal_s - self._steal_s) / cores_s)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and greatest, with two decimals; zeros of nothing."""
    ordered = sorted(values) or [0.0]
    return {
        "p50": round(ordered[(len(ordered) - 1) // 2], 2),
        "p99": round(ordered[(len(ordered) - 1) * 99 // 100], 2),
        "max": round(ordered[-1], 2),
    }


def machine_name() -> str:
    """How many of which processor, and the kernel: what a figure has to be read with."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        os.uname().machine,
    )
    return f"{os.cpu_count()} x {model}, {os.uname().sysname} {os.uname().release.partition('-')[0]}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
