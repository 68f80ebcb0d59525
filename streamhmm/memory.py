"""How much memory an operation may take by itself."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

LARGEST_DEFAULT = 256 * 2**20


@lru_cache(maxsize=1)
def default_memory_budget() -> int:
    """Bytes: 256 MiB, or a quarter of this process's memory limit where that is less."""
    return min(LARGEST_DEFAULT, memory_limit() // 4)


def memory_limit() -> int:
    """Bytes that this process may use: the control group's limit, else the machine's memory."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_group_limit(Path(path)) for path in _GROUP_FILES]
    return min([physical, *(limit for limit in limits if limit is not None)])


_GROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _group_limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
