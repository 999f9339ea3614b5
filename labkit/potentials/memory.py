"""Memory: how much is free, and how to keep what was freed.

glibc maps each large block anew and unmaps it when freed; at 256 atoms that costs CHGNet a factor of 1.2 to 1.7 in page
faults (methods D, section 2 a). Linux with glibc only: elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc to serve blocks up to 1 GiB from its heap and to keep them; True when that was done.

    All three settings belong together: raising the trim threshold alone freezes the mmap threshold at 128 KiB and is
    2.4 times slower than nothing. A user's own MALLOC_ variables win.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt = libc.mallopt
    except (OSError, AttributeError):  # musl and other C libraries have no mallopt
        return False
    return all(
        (mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 2**31 - 1), mallopt(M_TOP_PAD, 256 << 20))
    )


def free_bytes(device: str) -> int | None:
    """Memory that a computation on `device` may take, bytes; None where nobody knows (MPS).

    What this process holds already counts as free: its allocator keeps the memory of the last step for the next one.
    """
    if device.startswith("cuda"):
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + int(kept)
    if device == "cpu":
        import psutil

        return int(psutil.virtual_memory().available) + int(psutil.Process().memory_info().rss)
    return None
