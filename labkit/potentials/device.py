"""Where torch work runs: CUDA, else the CPU with one thread for each process; Apple's MPS where it is named."""

from __future__ import annotations

import os

import torch


def resolve_device(device: str = "auto") -> str:
    """`auto` becomes "cuda" where there is one, else "cpu"; any other name is checked.

    MPS has no float64, in which energies are summed, and no labkit benchmark ran on it: it is used when asked for.

    Raises ValueError when the named device is not on this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.split(":")[0]
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in present:
        raise ValueError(f"device {device!r} is unknown; use 'auto', 'cpu', 'cuda' or 'mps'.")
    if not present[kind]:
        raise ValueError(f"device {device!r} is not available on this machine; use 'auto' or 'cpu'.")
    return device


def use_one_thread() -> None:
    """One torch thread for this process unless OMP_NUM_THREADS says otherwise.

    Several threads gain 1.2 times on an idle machine and lose 17 times on a busy one (methods D, section 0).
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
