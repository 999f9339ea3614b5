"""Batches that do not fit into the memory: how to recognise that, and how much is used.

A batch that fails is computed in parts of half its atoms; the loss is normalised by the whole batch, so it stays the
same.
"""

from __future__ import annotations

import torch

from labkit.errors import BudgetExceeded

#: What torch's allocators say when they are not OutOfMemoryError: CPU, MPS, and cuBLAS or cuDNN on a full GPU.
PHRASES = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether less work at once would have prevented this error."""
    if isinstance(error, torch.cuda.OutOfMemoryError | BudgetExceeded | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in PHRASES)


def free_cache(device: str) -> None:
    """Give back what the allocator keeps, so that smaller blocks fit."""
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


def used_MB(device: str) -> float:
    """Largest memory of the tensors on a GPU so far, or what this process holds now, in MB."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import psutil

    return psutil.Process().memory_info().rss / 1e6
