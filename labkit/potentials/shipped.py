"""Trained potentials that ship with labkit: each folder under `pretrained/` is one name.

What a folder holds is what `Potential.save` writes, so the names, sentences and cards come from its potential.json.
"""

from __future__ import annotations

from pathlib import Path

from labkit.potentials.cards import Card, card_of_folder

FOLDER = Path(__file__).parent / "pretrained"


def shipped() -> dict[str, Path]:
    """Name -> folder of each potential that lies there, complete."""
    if not FOLDER.is_dir():
        return {}
    folders = (one for one in sorted(FOLDER.iterdir()) if (one / "potential.json").is_file())
    return {one.name: one for one in folders if (one / "model.safetensors").is_file()}


def shipped_card(name: str) -> Card:
    """The card of a shipped potential; its source is the folder's SOURCE.txt, where there is one."""
    from dataclasses import replace

    folder = shipped()[name]
    note = folder / "SOURCE.txt"
    source = note.read_text(encoding="utf-8").strip().splitlines()[0] if note.is_file() else "trained by labkit"
    return replace(card_of_folder(folder), name=name, source=source)
