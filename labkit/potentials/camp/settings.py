"""What a Cartesian atomic moment potential is made of, as a form can show it; no torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CAMPSettings(BaseModel):
    """Architecture of a Cartesian atomic moment potential, or of its faster variant with linear radial functions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Literal["CAMP", "CAMP-L"] = Field(
        "CAMP-L",
        description="CAMP is the published architecture; CAMP-L takes radial functions linear in their basis and "
        "scalar messages, several times faster on a CPU",
    )
    cutoff_A: float = Field(
        5.0, gt=1, le=20, description="Neighbours within this distance are seen", json_schema_extra={"unit": "Å"}
    )
    channels: int = Field(64, ge=1, le=1024, description="Radial channels u of every moment")
    max_v: int = Field(2, ge=0, le=3, description="Highest rank of the moment tensors: 1 vectors, 2 matrices")
    n_layers: int = Field(2, ge=1, le=6, description="Layers; each lets an atom see one cut-off further")
    radial_degree: int = Field(
        8, ge=2, le=32, description="Highest Chebyshev degree (CAMP) or number of Bessel functions (CAMP-L)"
    )
    radial_hidden: int = Field(32, ge=1, le=1024, description="CAMP only: hidden units of the radial networks")
    message_channels: int = Field(32, ge=1, le=1024, description="CAMP-L only: scalar features that a neighbour sends")
    products: int = Field(
        1, ge=1, le=4, description="CAMP-L only: times that moments of one atom are multiplied in each layer"
    )
    readout_hidden: int = Field(32, ge=1, le=1024, description="Hidden units of the network that gives atomic energies")
    long_range: bool = Field(False, description="Latent charges and their Ewald energy (LES)")
    charge_channels: int = Field(1, ge=1, le=16, description="Latent charges for each atom")
    sigma_A: float = Field(
        1.0, gt=0.1, le=5, description="Width of the latent charges", json_schema_extra={"unit": "Å"}
    )
    dl_A: float = Field(
        2.0,
        gt=0.2,
        le=5,
        description="Resolution of the reciprocal sum, k up to 2π/dl; smaller is finer",
        json_schema_extra={"unit": "Å"},
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="Arithmetic")
