"""Files that can be read: every format comes back as it was written."""

import io
import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter

from labkit import structures
from labkit.errors import InvalidStructure
from labkit.structures import read, read_frames
from labkit.structures.read_guards import MAX_BYTES, safe_name

SYMMETRIC = [
    "LiCoO2",
    "LiMnO2",
    "LiFePO4",
    "Li6PS5Cl",
    "LiTi2(PO4)3",
    "Si",
    "graphite",
    "Li2CO3",
    "Ba3Fe3O8",
    "Li14Mn2S9",
]


def written(atoms, format, **options):
    buffer = io.BytesIO() if format in ("traj", "cif") else io.StringIO()
    ase.io.write(buffer, atoms, format=format, **options)
    value = buffer.getvalue()
    return value if isinstance(value, bytes) else value.encode()


def same(first, second, tolerance=1e-5):
    assert sorted(first.get_chemical_symbols()) == sorted(second.get_chemical_symbols())
    assert np.allclose(first.cell.cellpar(), second.cell.cellpar(), atol=tolerance)
    assert structures.space_group(first) == structures.space_group(second)


@pytest.mark.parametrize("format", ["cif", "vasp", "extxyz", "traj"])
@pytest.mark.parametrize("named_file", [True, False])
def test_a_crystal_survives_each_format(format, named_file):
    atoms = structures.named("LiFePO4")
    names = {"cif": "a.cif", "vasp": "CONTCAR", "extxyz": "a.xyz", "traj": "a.traj"}
    back = read(written(atoms, format), filename=names[format] if named_file else None)
    same(back, atoms)
    # Formats may sort the atoms by element.
    first, second = (s[np.lexsort((*np.round(s.positions, 4).T, s.numbers))] for s in (back, atoms))
    assert np.allclose(first.positions, second.positions, atol=1e-4)
    assert back.info["source"] == (f"file {names[format]}" if named_file else "pasted text")


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_cif_with_symmetry_operations_gives_the_full_cell(name):
    atoms = structures.named(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib's notice to pymatgen
        text = str(CifWriter(AseAtomsAdaptor.get_structure(atoms), symprec=1e-2))
    back = read(text, filename=f"{name}.cif")
    assert len(back) == len(atoms)
    assert structures.space_group(back) == structures.space_group(atoms)
    assert back.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-4)


QUARTZ = """data_quartz
_cell_length_a 4.916(1)
_cell_length_b 4.916(1)
_cell_length_c 5.4054
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Si1 0.4697 0 0.66667
O1 0.4135 0.2669 0.7857
"""


@pytest.mark.parametrize("group", ["P 32 2 1", "P3_221"])
def test_a_cif_without_operations_takes_those_of_the_named_group_and_says_so(group):
    # Levien, Prewitt, Weidner, Am. Mineral. 65, 920 (1980): z(Si) = 2/3 in P3_2 21 of that setting.
    atoms = read(QUARTZ.format(group=group))
    assert atoms.get_chemical_formula("metal") in ("Si3O6", "O6Si3")
    assert structures.space_group(atoms)[1] == 154
    assert "lists no symmetry operations" in atoms.info["mended"][0]


def test_coordinates_printed_with_three_digits_return_to_their_special_position():
    graphite = """data_x
_cell_length_a 2.461
_cell_length_b 2.461
_cell_length_c 6.708
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_IT_number 194
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
C4+ 0 0 0.25
C 0.333 0.667 0.250
"""
    atoms = read(graphite)
    assert len(atoms) == 4
    assert structures.space_group(atoms, symprec_A=1e-4)[1] == 194


@pytest.mark.parametrize(
    ("word", "symbol"), [("Li1+", "Li"), ("O2-", "O"), ("Fe2A", "Fe"), ("CL", "Cl"), ("D", "H"), ("si", "Si")]
)
def test_a_cif_type_symbol_begins_with_its_element(word, symbol):
    text = QUARTZ.format(group="P 1").replace("_atom_site_label", "_atom_site_type_symbol").replace("Si1", word)
    assert symbol in read(text).get_chemical_symbols()


@pytest.mark.parametrize(("word", "symbol"), [("CA", "C"), ("Ca1", "Ca"), ("SI", "S"), ("li2", "Li")])
def test_a_cif_label_in_capitals_is_an_element_with_a_letter(word, symbol):
    assert symbol in read(QUARTZ.format(group="P 1").replace("Si1", word)).get_chemical_symbols()


SILICON = (
    QUARTZ.split("_cell_length_a")[0]
    + """_cell_length_a 5.43
_cell_length_b 5.43
_cell_length_c 5.43
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Si1 {x} {x} {x}
"""
)


def test_a_group_with_two_origins_is_refused_unless_the_file_says_which():
    with pytest.raises(InvalidStructure, match="two origins in use"):
        read(SILICON.format(group="F d -3 m", x=0.125))
    for group, x in (("F d -3 m :2", 0.125), ("F d -3 m :1", 0)):
        atoms = read(SILICON.format(group=group, x=x))
        assert len(atoms) == 8
        assert structures.space_group(atoms)[1] == 227


def test_symmetry_that_does_not_fit_the_cell_is_refused():
    text = SILICON.format(group="F m -3 m", x=0).replace("_cell_length_c 5.43", "_cell_length_c 8.0")
    with pytest.raises(InvalidStructure, match="'Fm-3m' does not fit the cell"):
        read(text)
    with pytest.raises(InvalidStructure, match="operations of The text do not fit its cell"):
        read(text + "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'z, x, y'\n")


def test_a_poscar_is_read_with_scale_volume_and_selective_dynamics():
    poscar = "Li Cl\n{scale}\n2.0 0 0\n0 2.0 0\n0 0 2.0\n{species}1 1\nSelective\nCartesian\n0 0 0 T T T\n1 1 1 F F F\n"
    atoms = read(poscar.format(scale="2.0", species="Li_sv Cl/0a\n"), format="vasp")
    assert atoms.cell.lengths().tolist() == [4, 4, 4]
    assert atoms.positions[1].tolist() == [2, 2, 2]
    assert "fixed atoms" in atoms.info["mended"][0]
    assert read(poscar.format(scale="-64", species="Li Cl\n"), filename="POSCAR").get_volume() == pytest.approx(64)
    vasp4 = read(poscar.format(scale="2.0", species=""), filename="POSCAR_old.vasp")
    assert vasp4.get_chemical_symbols() == ["Li", "Cl"]


def test_a_plain_xyz_is_read_with_names_or_numbers_and_any_comment():
    text = '3\nwater, "quoted = odd {\nO 0 0 0\n1 0.96 0 0 extra columns\nH -0.24 0.93 0\n'
    atoms = read(text, filename="w.xyz")
    assert atoms.get_chemical_formula() == "H2O"
    assert not atoms.pbc.any()


def frames_with_results(count=3):
    frames = []
    for i in range(count):
        atoms = structures.named("Cu")
        atoms.positions += 10.0 * i
        atoms.calc = SinglePointCalculator(atoms, energy=-1.5 * i, forces=np.full((4, 3), 0.25))
        frames.append(atoms)
    return frames


@pytest.mark.parametrize("format", ["extxyz", "traj"])
def test_a_trajectory_keeps_unwrapped_positions_energies_and_forces(format):
    back = read_frames(
        written(frames_with_results(), format), filename=f"run.{'xyz' if format == 'extxyz' else 'traj'}"
    )
    assert len(back) == 3
    assert back[2].positions[0].tolist() == pytest.approx([20, 20, 20])
    assert back[2].get_potential_energy() == -3.0
    assert np.allclose(back[1].get_forces(), 0.25)
    single = read(
        written(frames_with_results(), format), filename=f"run.{'xyz' if format == 'extxyz' else 'traj'}", index=1
    )
    assert single.cell.scaled_positions(single.positions).max() < 1
    assert single.get_potential_energy() == -1.5


def test_an_index_beyond_the_file_is_named():
    with pytest.raises(InvalidStructure, match="has 3 structures; there is no number 7"):
        read(written(frames_with_results(), "extxyz"), index=7)


def test_a_path_is_read_and_a_string_is_text(tmp_path):
    path = tmp_path / "x@1.xyz"  # ASE would read "@1" as an index
    path.write_bytes(written(structures.named("water"), "xyz"))
    assert read(path).info["name"] == "x@1"
    with pytest.raises(InvalidStructure, match=r"pathlib\.Path"):
        read(str(path))


@pytest.mark.parametrize(
    ("hostile", "label"),
    [
        ("x@1.xyz", "x@1.xyz"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\a.cif", "a.cif"),
        ("<img src=x onerror=alert(1)>.xyz", "img src_x onerror_alert(1)_.xyz"),
        ("", "structure"),
        ("...", "structure"),
        ("a\nb\x00c.cif", "a_b_c.cif"),
        ("Å" * 500 + ".cif", "Å" * 80),
    ],
)
def test_a_file_name_is_only_ever_a_label(hostile, label):
    assert safe_name(hostile) == label
    atoms = read(written(structures.named("water"), "xyz"), filename=hostile, format="xyz")
    assert not set("<>/\\\"'&\n\0") & set(atoms.info["name"] + atoms.info["source"])


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_file_name_keeps_a_character_that_acts(name):
    assert not set("<>/\\\"'&`;\n\r\0") & set(safe_name(name))
    assert 0 < len(safe_name(name)) <= 80


def test_what_a_file_says_about_itself_is_not_taken_for_our_words():
    text = '1\nLattice="4 0 0 0 4 0 0 0 4" name="<b>x</b>" mended="all fine" source=me step=7 occupancy=1\nCu 0 0 0\n'
    atoms = read(text, filename="a.xyz")
    assert atoms.info == {"step": 7, "name": "a", "source": "file a.xyz"}


def test_latin_1_and_byte_order_marks_are_read():
    data = QUARTZ.format(group="P 32 2 1").replace("data_quartz", "# Müller\ndata_quartz").encode("latin-1")
    assert len(read(data)) == 9
    assert len(read(b"\xef\xbb\xbf" + written(structures.named("water"), "xyz"))) == 3


def test_twenty_megabytes_are_the_limit():
    assert MAX_BYTES == 20_000_000


def test_ten_thousand_atoms_of_a_cif_are_read_in_seconds():
    import time

    big = structures.repeat(structures.named("NaCl"), (11, 11, 11))
    data = written(big, "cif")
    start = time.perf_counter()
    assert len(read(data)) == len(big)
    assert time.perf_counter() - start < 10


def test_the_working_folder_is_never_looked_into(tmp_path, monkeypatch):
    # ASE's POSCAR reader falls back on a POTCAR beside the file.
    monkeypatch.chdir(tmp_path)
    Path("POTCAR").write_text("TITEL = PAW_PBE Cu\n")
    with pytest.raises(InvalidStructure, match="unknown element"):
        read("comment\n1\n3 0 0\n0 3 0\n0 0 3\n1\nDirect\n0 0 0\n", filename="POSCAR")


def test_a_molecule_in_a_cell_keeps_its_open_directions():
    atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]], cell=[8, 8, 8], pbc=[True, False, False])
    assert read(written(atoms, "extxyz")).pbc.tolist() == [True, False, False]
