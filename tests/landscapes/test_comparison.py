"""What a comparison of structures takes, refuses, and leaves as it was."""

import numpy as np
import pytest

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes.alignment import Comparison, bonded_classes


def test_a_comparison_is_carried_over_to_another_order_of_the_atoms():
    one = Comparison(["O", "H", "H"], classes=[7, 1, 2])
    assert one.for_symbols(["H", "O", "H"]).classes == (1, 7, 2)
    assert one.for_symbols(("O", "H", "H")) is one
    assert Comparison(["O", "H", "H"]).for_symbols(["H", "H", "O"]).symbols == ("H", "H", "O")
    with pytest.raises(InvalidTask, match="of H2O, the structures are CO"):
        one.for_symbols(["C", "O"])


def test_classes_that_are_no_whole_numbers_and_other_numbers_of_atoms_are_refused():
    for classes in ([0.5, 0.2], ["a", "b"]):
        with pytest.raises(InvalidTask, match="whole numbers"):
            Comparison(["Ar", "Ar"], classes=classes)
    for mode in ("molecule", "fixed frame"):
        with pytest.raises(InvalidStructure, match="of 3 atoms cannot be compared as 2 atoms"):
            Comparison(["Ar", "Ar"], "elements", mode=mode).distance(np.eye(3), np.eye(3))
    with pytest.raises(InvalidStructure, match="not finite"):
        Comparison(["Ar"], mode="fixed frame").align([[np.nan, 0, 0]], [[0, 0, 0]])


def test_a_bond_graph_leaves_the_log_of_rdkit_as_the_user_has_set_it():
    pytest.importorskip("rdkit")
    from rdkit import RDLogger, rdBase

    before = rdBase.LogStatus()
    try:
        RDLogger.DisableLog("rdApp.*")
        quiet = rdBase.LogStatus()
        bonded_classes(["H", "H"], [[0, 0, 0], [0, 0, 0.7431]])
        assert rdBase.LogStatus() == quiet
        RDLogger.EnableLog("rdApp.error")
        loud = rdBase.LogStatus()
        bonded_classes(["H", "H"], [[0, 0, 0], [0, 0, 0.7432]])
        assert rdBase.LogStatus() == loud != quiet
    finally:
        for line in before.splitlines():
            name, state = line.split(":")
            (RDLogger.EnableLog if state == "enabled" else RDLogger.DisableLog)(name)
