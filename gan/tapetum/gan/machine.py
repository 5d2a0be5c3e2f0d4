"""What this machine has: cores, the processor's name and abilities, memory; on any system."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


_most_threads: int | None = None


def limit_threads(most: int) -> None:
    """Have this process compute in so many threads at once: it is one of several that share cores.

    To be called once, before anything is loaded.
    """
    global _most_threads  # noqa: PLW0603 - it is of the process, as its cores are
    _most_threads = most


def thread_limit() -> int | None:
    """The threads that this process may compute in; None for as many as it likes."""
    return _most_threads


def usable_cores() -> int:
    """Cores that this process may run on, which a container can make fewer than there are."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        cores = len(os.sched_getaffinity(0))
    return min(cores, _most_threads or cores)


def cpu_name() -> str:
    """The processor as its maker calls it; its architecture where the system does not say."""
    named = _cpu_fields().get("model name") or (_mac_cpu() if sys.platform == "darwin" else "")
    return named or platform.processor() or platform.machine()


def cpu_features() -> list[str]:
    """Instruction sets as Linux names them, like "avx512_bf16"; empty on other systems."""
    fields = _cpu_fields()
    return (fields.get("flags") or fields.get("Features", "")).split()


def memory_mb() -> tuple[int, int]:
    """Megabytes that programs can still get, and megabytes in all."""
    import psutil  # takes long to import, and few ask

    memory = psutil.virtual_memory()
    return memory.available >> 20, memory.total >> 20


@cache
def _cpu_fields() -> dict[str, str]:
    """The first processor's fields in Linux's list; none where there is no such list."""
    if not _CPU_INFO.exists():
        return {}
    first = _CPU_INFO.read_text().split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _mac_cpu() -> str:
    import subprocess

    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
