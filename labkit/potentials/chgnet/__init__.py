"""Pretrained CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)), with labkit's own graph and forward pass."""

from labkit.potentials.chgnet.potential import CHGNetPotential

__all__ = ["CHGNetPotential"]
