"""Voltages at 0 K: pymatgen's, conserved charge and ions, restarts, CHGNet's LiFePO4 and LiCoO2."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from labkit.errors import InvalidStructure, InvalidTask, LabkitError, NotConverged
from labkit.phase_diagrams.hull_entry import HullEntry
from labkit.phase_diagrams.voltage import voltage_curve
from labkit.phase_diagrams.voltage_measured import measured_voltage
from labkit.phase_diagrams.voltage_task import VoltageCurve, from_result, voltages
from labkit.runs import RunContext, Store
from labkit.runs.worker import work
from labkit.simulators import Relaxation
from labkit.structures import conventional, named, primitive, space_group
from tests.phase_diagrams.hull_toys import toy

LI = toy("Li2", -1.9, "Li")


def random_states(seed, units=4, repeats=3):
    """States of (CoO2)4 with 0 to 4 Li, several of each content, energies around a slope of 4 V."""
    rng = np.random.default_rng(seed)
    states = []
    for lithium in range(units + 1):
        for number in range(repeats):
            formula = (f"Li{lithium}" if lithium else "") + f"Co{units}O{2 * units}"
            energy = -20 * units - lithium * (4 + 1.9) + rng.normal(0, 0.3)
            atoms = lithium + 3 * units
            states.append(toy(formula, energy / atoms, f"{formula} {number}", volume_A3_atom=10 + lithium / 10))
    return states


def test_random_voltages_are_pymatgens():
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedStructureEntry
    from pymatgen.io.ase import AseAtomsAdaptor

    for seed in range(5):
        states = random_states(seed)
        curve = voltage_curve(states, LI)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = InsertionElectrode.from_entries(
                [ComputedStructureEntry(AseAtomsAdaptor.get_structure(one.atoms), one.energy_eV) for one in states],
                PDEntry(Composition("Li"), LI.energy_eV_atom),
            )
        assert [step.voltage_V for step in curve.steps] == pytest.approx(
            sorted((pair.voltage for pair in theirs.voltage_pairs), reverse=True), abs=1e-9
        )
        assert curve.average_V == pytest.approx(theirs.get_average_voltage(), abs=1e-9)
        assert curve.capacity_mAh_g == pytest.approx(theirs.get_capacity_grav(), rel=1e-3)


def test_charge_energy_and_ions_are_conserved():
    states = random_states(11)
    curve = voltage_curve(states, LI)
    steps = curve.steps_table()
    assert steps["capacity_mAh_g"].sum() == pytest.approx(curve.capacity_mAh_g)
    work = ((steps["x_high"] - steps["x_low"]) * steps["voltage_V"]).sum()
    poorest, richest = curve.states[curve.hull[0]], curve.states[curve.hull[-1]]
    assert 4 * work == pytest.approx(poorest.energy_eV + 4 * LI.energy_eV_atom - richest.energy_eV)
    assert work == pytest.approx(curve.average_V)
    assert steps["voltage_V"].is_monotonic_decreasing
    assert (steps["x_low"].iloc[1:].to_numpy() == steps["x_high"].iloc[:-1].to_numpy()).all()
    table = curve.table()
    assert (table["above_hull_eV_fu"] > -1e-9).all()
    assert list(table["stable"]) == [above < 1e-9 for above in table["above_hull_eV_fu"]]
    assert table["formation_eV_fu"].iloc[0] == 0
    assert curve.between(0.25, 0.75) == pytest.approx(curve.between(0.75, 0.25))
    halves = (curve.between(0, 0.5) + curve.between(0.5, 1)) / 2
    assert halves == pytest.approx(curve.average_V)
    np.testing.assert_allclose(curve.at([(s.x_low + s.x_high) / 2 for s in curve.steps]), steps["voltage_V"])


def test_the_volume_change_is_that_of_the_lowest_states():
    states = [toy("CoO2", -6.0, volume_A3_atom=12), toy("LiCoO2", -6.2, volume_A3_atom=10)]
    metastable = [toy("CoO2", -5.0, volume_A3_atom=30), toy("LiCoO2", -6.0, volume_A3_atom=40)]
    curve = voltage_curve([*states, *metastable], toy("Li", -1.9))
    assert curve.volume_change == pytest.approx(36 / 40 - 1)
    assert curve.volume_change == pytest.approx(curve.table()["volume_change"][0])


def test_capacities_are_the_published_ones():
    # Methods B 1.2: LiCoO2 273.8, LiFePO4 169.9, LiC6 371.9 mAh/g, the last for each gram of C6.
    cobalt = voltage_curve([toy("CoO2", -6), toy("LiCoO2", -6)], LI)
    iron = voltage_curve([toy("Fe4P4O16", -6), toy("Li4Fe4P4O16", -6)], LI)
    graphite = voltage_curve([toy("C6", -9), toy("LiC6", -8)], LI)
    assert cobalt.capacity_mAh_g == pytest.approx(273.8, abs=0.1)
    assert iron.capacity_mAh_g == pytest.approx(169.9, abs=0.1)
    assert graphite.capacity_mAh_g * (6 * 12.011 + 6.94) / (6 * 12.011) == pytest.approx(371.9, abs=0.1)
    assert iron.host == "FePO4"
    # ΔG = E(LiCoO2) - E(CoO2) - E(Li) by hand.
    assert cobalt.average_V == pytest.approx(4 * 6 - 3 * 6 - 1.9)
    assert cobalt.energy_density_Wh_kg == pytest.approx(cobalt.average_V * cobalt.capacity_mAh_g)
    magnesium = voltage_curve([toy("Mn2O4", -6), toy("MgMn2O4", -6)], toy("Mg", -1.5), valence=2)
    assert magnesium.average_V == pytest.approx((7 * 6 - 6 * 6 - 1.5) / 2)


def test_states_of_different_hosts_or_theories_are_refused():
    full = toy("LiCoO2", -6)
    with pytest.raises(InvalidStructure, match=r"Co2O3 without Li is Co2O3, LiCoO2 is CoO2: between them more than Li"):
        voltage_curve([full, toy("Co2O3", -6)], LI)
    with pytest.raises(ValueError, match="never compared"):
        voltage_curve([full, toy("CoO2", -6, level="PBE")], LI)
    with pytest.raises(InvalidStructure, match="needs two contents"):
        voltage_curve([full, toy("LiCoO2", -5.9)], LI)
    with pytest.raises(InvalidStructure, match="no metal of one ion"):
        voltage_curve([full, toy("CoO2", -6)], toy("LiAl", -2))
    with pytest.raises(InvalidStructure, match="no state of a host"):
        voltage_curve([], LI)
    with pytest.raises(InvalidStructure, match="molecule has no cell"):
        voltage_curve([full, HullEntry(Atoms("CoO2", positions=np.eye(3)), -18, "toy", "molecule")], LI)
    with pytest.raises(ValueError, match="charge of the ion is nan e"):
        voltage_curve([full, toy("CoO2", -6)], LI, valence=float("nan"))
    curve = voltage_curve([full, toy("CoO2", -6)], LI)
    with pytest.raises(ValueError, match=r"contents from 1.2 to 1.2 were asked for; the states reach from 0 to 1 Li"):
        curve.at(1.2)


@pytest.fixture(scope="module")
def chgnet(tmp_path_factory):
    """The curves of both electrodes, that of LiCoO2 with the orders at half of the charge."""
    store = tmp_path_factory.mktemp("voltages")
    cobalt = VoltageCurve(structure="LiCoO2", cells=2, device="cpu").run(store=store)
    iron = VoltageCurve(structure="LiFePO4", between=False, fmax_eV_A=0.05, device="cpu").run(store=store)
    return voltages(cobalt), voltages(iron)


def test_average_voltages_of_chgnet_are_those_of_the_methods(chgnet):
    cobalt, iron = chgnet
    # Methods B 3.2 (CHGNet 0.3.0): 3.49 V (3.28 from x = 1 to 0.5, 3.69 from 0.5 to 0) and 3.43 V, volume change of
    # LiFePO4 -5.4 %. Measured: 4.0-4.1 and 3.45 V.
    assert cobalt.average_V == pytest.approx(3.49, abs=0.03)
    assert iron.average_V == pytest.approx(3.43, abs=0.03)
    assert [step.voltage_V for step in cobalt.steps] == pytest.approx([3.69, 3.28], abs=0.03)
    assert iron.volume_change == pytest.approx(-0.054, abs=0.005)
    assert cobalt.ion_energy_eV == pytest.approx(-1.8803, abs=1e-3)
    measured = measured_voltage("LiFePO4"), measured_voltage("LiCoO2")
    assert [one.text for one in measured] == ["3.45 V", "4.0 to 4.1 V"]
    assert all("doi 10.1149" in one.source for one in measured)
    assert abs(iron.average_V - measured[0].low_V) < 0.05 < measured[1].low_V - cobalt.average_V
    with pytest.raises(InvalidStructure, match="no measured voltage of LiMnO2"):
        measured_voltage("LiMnO2")


def test_the_emptied_cobalt_oxide_keeps_its_layers(chgnet):
    # O3: the emptied site is an octahedron of oxygen between Co layers, beside Co and not above it as in O1.
    empty = chgnet[0].states[0].atoms
    assert empty.get_chemical_formula("metal") == "CoO2"
    assert space_group(empty)[1] == 166
    cell = conventional(empty)
    cobalt = cell.positions[cell.symbols == "Co"][0]
    site = Atoms("Li", positions=[cobalt + np.array([0, 0, cell.cell[2, 2] / 2])])
    whole = cell + site
    distances = {one: np.sort(neighbours(whole, len(cell), one)) for one in ("O", "Co")}
    assert np.ptp(distances["O"][:6]) < 0.01
    assert distances["O"][0] < 2.3 < 2.7 < distances["Co"][0]
    assert distances["O"][6] > distances["O"][0] + 1


def neighbours(atoms, index, symbol):
    """Distances (Å) from one atom to all images of the atoms of an element within 5 Å."""
    first, second, lengths = neighbor_list("ijd", atoms, 5.0)
    return lengths[(first == index) & (atoms.symbols[second] == symbol)]


def silver_and_copper(**parameters):
    crystal = primitive(named("Cu")).repeat((2, 2, 1))
    crystal.numbers[:2] = 47
    settings = {"potential": "emt", "relax_cell": False, "cells": 2, "orders": 2, "rattle_A": 0.1, "fmax_eV_A": 0.01}
    return VoltageCurve(structure=crystal, ion="Cu", **settings | parameters)


def test_a_run_that_breaks_off_resumes_to_the_same_curve(tmp_path, monkeypatch):
    task = silver_and_copper(checkpoint_interval=1)
    whole = task.run(store=tmp_path / "whole")
    original, calls = RunContext.checkpoint, []

    def break_off(self, *arguments):
        original(self, *arguments)
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunContext, "checkpoint", break_off)
    with pytest.raises(KeyboardInterrupt):
        task.run(store=tmp_path / "broken")
    monkeypatch.setattr(RunContext, "checkpoint", original)
    (run,) = Store(tmp_path / "broken").runs()
    assert work(run.folder, own_process=False)[0] == "finished"
    first, second = voltages(whole), voltages(run.folder)
    assert first.level_of_theory == "emt for effective medium theory (Jacobsen 1996)"  # who said it, too
    with pytest.raises(LabkitError, match="no result of a VoltageCurve: it lacks level_of_theory, metal, states"):
        from_result({})
    twice = from_result(whole.result() | {"valence": 2})
    assert twice.average_V == pytest.approx(first.average_V / 2)
    assert twice.capacity_mAh_g == pytest.approx(2 * first.capacity_mAh_g)
    np.testing.assert_allclose(first.energies_eV, second.energies_eV, atol=1e-9)
    assert first.average_V == pytest.approx(run.result()["average_V"], abs=1e-9)
    assert list(run.table("states")["x"]) == list(whole.table("states")["x"])
    assert list(run.table("steps")["voltage_V"]) == pytest.approx([step.voltage_V for step in second.steps])
    assert "continuing from the checkpoint at step 5" in (run.folder / "log.txt").read_text()


def test_an_order_that_does_not_converge_is_left_out_and_a_missing_end_stops_the_run(tmp_path):
    steps = {row["index"]: row["steps"] for row in lengths_of(silver_and_copper().run(store=tmp_path))}
    inner = max(list(steps)[2:-1], key=steps.get)
    needed = max(steps[0], steps[1], steps[max(steps)])
    assert steps[inner] > needed, "choose another seed: the ends must converge first"
    run = silver_and_copper(max_steps=needed).run(store=tmp_path)
    assert len(run.result()["left_out"]) >= 1
    assert all("not converged" in reason for reason in run.result()["left_out"].values())
    assert len(voltages(run).states) == len(steps) - 1 - len(run.result()["left_out"])
    with pytest.raises(NotConverged, match=r"no voltage without the (empty|full) host|none of"):
        silver_and_copper(max_steps=1).run(store=tmp_path)


def lengths_of(run):
    return run.table("structures").sort_values("index").to_dict("records")


def test_what_a_task_cannot_do_is_said_before_it_starts(tmp_path):
    with pytest.raises(InvalidTask, match="graphite is no crystal of Li in a host"):
        VoltageCurve(structure="graphite")
    with pytest.raises(InvalidTask, match="the library has no crystal of Na: give its metal"):
        VoltageCurve(structure="NaCl", ion="Na")
    with pytest.raises(InvalidTask, match="the metal holds MgO; voltages of Na"):
        VoltageCurve(structure="NaCl", ion="Na", metal=primitive(named("MgO")))
    with pytest.raises(InvalidTask, match="the metal, Li2, is a molecule"):
        VoltageCurve(metal=Atoms("Li2", positions=[[0, 0, 0], [0, 0, 2.7]]))
    other = Relaxation(structures=[named("Cu")], potential="emt").run(store=tmp_path)
    with pytest.raises(LabkitError, match="is a Relaxation; only a VoltageCurve"):
        voltages(other)


def test_an_entry_remembers_its_name_and_refuses_nothing_at_all():
    assert HullEntry(named("Li"), -3.8, "toy").name == "Li"
    with pytest.raises(InvalidStructure, match="has 0 atoms"):
        HullEntry(Atoms(), 0.0, "toy")
