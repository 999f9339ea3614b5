"""Where CHGNet's parameters come from: the chgnet wheel, or a folder written by `CHGNetPotential.save`.

The package itself is never imported: that would silence every Python warning of the process.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PRETRAINED = {
    "chgnet-0.3.0": ("0.3.0", "PBE/PBE+U (Materials Project)"),
    "chgnet-0.2.0": ("0.2.0", "PBE/PBE+U (Materials Project)"),
    "chgnet-r2scan": ("r2scan", "r2SCAN (Materials Project)"),
}

#: Embeddings beyond Z = 94 do not exist, and these never occurred in MPtrj: 89 elements are trained (Deng et al. 2023).
UNTRAINED = {"Po", "At", "Rn", "Fr", "Ra"}
#: MP-r2SCAN holds no ytterbium: its reference energy in the r2scan checkpoint is exactly zero.
UNTRAINED_R2SCAN = UNTRAINED | {"Yb"}

#: The options that change the mathematics, with the default of chgnet 0.4.2 where a checkpoint is silent.
ARCHITECTURE_DEFAULTS: dict[str, Any] = {
    "n_conv": 4,
    "num_radial": 31,
    "num_angular": 31,
    "atom_graph_cutoff": 6.0,
    "bond_graph_cutoff": 3.0,
    "cutoff_coeff": 8,
    "gMLP_norm": "layer",
    "readout_norm": "layer",
}
#: What labkit's forward pass assumes; a checkpoint that says otherwise is refused rather than computed wrongly.
ASSUMED = {
    "non_linearity": "silu",
    "mlp_first": True,
    "is_intensive": True,
    "angle_layer_hidden_dim": 0,
    "update_bond": True,
    "update_angle": True,
    "conv_norm": None,
}


def read_pretrained(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Architecture and parameters of one of the checkpoints inside the chgnet wheel.

    Raises ModuleNotFoundError when chgnet is not installed and ValueError for an architecture that is not CHGNet's.
    """
    spec = importlib.util.find_spec("chgnet")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("CHGNet's weights ship with the chgnet package: pip install chgnet==0.4.2")
    version, _ = PRETRAINED[name]
    folder = Path(next(iter(spec.submodule_search_locations))) / "pretrained" / version
    (path,) = sorted(folder.glob("*.pth.tar"))
    model = torch.load(path, map_location="cpu", weights_only=True)["model"]
    return architecture_from(model["model_args"]), model["state_dict"]


def architecture_from(arguments: dict[str, Any]) -> dict[str, Any]:
    """The options that matter in a checkpoint; raises ValueError where labkit's forward pass would differ."""
    for key, value in ASSUMED.items():
        if arguments.get(key, value) != value:
            raise ValueError(f"this CHGNet checkpoint has {key}={arguments[key]!r}; labkit computes only {value!r}.")
    return {key: arguments.get(key, default) for key, default in ARCHITECTURE_DEFAULTS.items()}


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description (JSON) and parameters (safetensors) of a potential saved by labkit."""
    from safetensors.torch import load_file

    description = json.loads((folder / "potential.json").read_text(encoding="utf-8"))
    return description, load_file(folder / "model.safetensors")
