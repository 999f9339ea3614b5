"""Cartesian atomic moment potentials: the published one and a faster one, with latent Ewald terms if wanted."""

from labkit.potentials.camp.settings import CAMPSettings

__all__ = ["CAMP", "CAMPSettings"]


def __getattr__(name: str) -> object:
    # torch loads only when a potential is really made: a form needs no more than the settings
    if name == "CAMP":
        from labkit.potentials.camp.potential import CAMP

        return CAMP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
