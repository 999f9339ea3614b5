"""Files that cannot be read: each fault has its own sentence, at once, and keeps what is readable."""

import contextlib
import gzip
import io
import os
import struct
import time

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import structures
from labkit.errors import BudgetExceeded, InvalidStructure, LabkitError, UnreadableFile
from labkit.structures import read, read_frames

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
CRYSTAL = '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nNa 0 0 0\nCl 2 2 2\n'
CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
"""
POSCAR = "x\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"

FAULTS = {
    "empty": (b"", "a.xyz", "a.xyz is empty"),
    "blank": (b" \n\n", "a.cif", "a.cif is empty"),
    "too few atoms": (WATER.replace("3", "4", 1), "a.xyz", "claims 4 atoms, but 3 complete lines follow"),
    "too many atoms": (WATER.replace("3", "2", 1), "a.xyz", "should begin at line 5 with its number of atoms"),
    "no count": ("hello\n" + WATER, "a.xyz", "should begin with the number of atoms"),
    "zero atoms": ("0\n\n", "a.xyz", "has 0 atoms"),
    "a torn line": (WATER[:-12] + "\n", "a.xyz", "claims 3 atoms, but 2 complete lines"),
    "html in a cif": (b"<!DOCTYPE html><html><body>Log in</body>", "a.cif", "web page"),
    "unknown element in xyz": (WATER.replace("O", "Xq"), "a.xyz", "unknown element 'Xq'"),
    "unknown element in extxyz": (CRYSTAL.replace("Na", "Qq"), "a.xyz", "unknown element 'Qq'"),
    "unknown element in cif": (CIF.replace("Na", "Xx"), "a.cif", "unknown element 'Xx'"),
    "unknown element in poscar": (POSCAR.replace("Na", "Xx"), "POSCAR", "unknown element 'Xx'"),
    "nan in xyz": (WATER.replace("0.96", "nan"), "a.xyz", "Atom 1 (H) has the position (nan, 0, 0)"),
    "nan in extxyz": (CRYSTAL.replace("2 2 2", "2 nan 2"), "a.xyz", "Atom 1 (Cl) has the position"),
    "nan in cif": (CIF.replace("0.5 0.5", "nan 0.5"), "a.cif", "not a number"),
    "a question mark in cif": (CIF.replace("0.5 0.5", "? 0.5"), "a.cif", "not a number"),
    "nan in poscar": (POSCAR.replace("0.5 0.5 0.5", "nan 0 0"), "POSCAR", "Atom 1 (Cl) has the position"),
    "a word for a number": (WATER.replace("0.96", "zero"), "a.xyz", "not a number"),
    "singular cell": (CRYSTAL.replace("4 0 0 0 4 0", "4 0 0 4 0 0"), "a.xyz", "flat"),
    "zero cell": (POSCAR.replace("0 0 4", "0 0 0"), "POSCAR", "zero length"),
    "impossible angles": (CIF.replace("alpha 90", "alpha 10").replace("beta 90", "beta 100"), "a.cif", "close no cell"),
    "an angle of 0": (CIF.replace("alpha 90", "alpha 0"), "a.cif", "impossible cell"),
    "no cell": (CIF.replace("_cell_length_a 4\n", ""), "a.cif", "lacks a complete cell"),
    "overlap": (CRYSTAL.replace("2 2 2", "0 0 0.3"), "a.xyz", "Atoms 0 (Na) and 1 (Cl) are 0.30 Å apart"),
    "tiny cell": (POSCAR.replace("\n1\n", "\n0.075\n"), "POSCAR", "The cell repeats after 0.3 Å"),
    "no atoms in a cif": ("data_x\n_cell_length_a 4\n", "a.cif", "no atoms"),
    "a torn cif": (CIF[:-8], "a.cif", "cannot be read as CIF"),
    "a lost row in a cif": (CIF.replace("0 0 0", "0 0 0 0"), "a.cif", "a row of sites that does not fit"),
    "occupancies outside of the loop": (CIF + "_atom_site_occupancy 0.5\n", "a.cif", "have different lengths"),
    "an endless lattice": (POSCAR.replace("4 0 0", "4 1e999 0"), "POSCAR", "something else than lengths"),
    "an endless cell": (CRYSTAL.replace('"4', '"4e300'), "a.xyz", "Are the units right?"),
    "an overfull site": (CIF + "K 0 0 0\n", "a.cif", "filled 2.00 times"),
    "a wrong operation": (CIF + "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,__import__'\n", "a.cif", "symmetry operation"),
    "an unknown group": (CIF + "_symmetry_space_group_name_H-M 'Q 4'\n", "a.cif", "space group 'Q4' is unknown"),
    "two cifs' tags": (CIF.replace("data_x", "junk"), "a.cif", "cannot be read as CIF"),
    "short poscar": ("x\n1\n4 0 0\n", "POSCAR", "at least 8"),
    "poscar with few positions": (POSCAR.replace("1 1\n", "1 3\n"), "POSCAR", "claims 4 atoms, but 2 positions"),
    "poscar without a mode": (POSCAR.replace("Direct", "0 0 0"), "POSCAR", "must say Direct or Cartesian"),
    "poscar with a wrong scale": (POSCAR.replace("\n1\n", "\nabc\n"), "POSCAR", "should hold the scale"),
    "poscar with odd counts": (POSCAR.replace("1 1\n", "1\n"), "POSCAR", "names 2 elements but gives 1"),
    "gzip": (gzip.compress(WATER.encode()), "a.xyz.gz", "compressed (gzip)"),
    "binary": (os.urandom(64) + b"\0" * 64, "a.cif", "binary file"),
    "a traj that is none": (WATER, "a.traj", "does not begin like an ASE trajectory"),
    "unknown content": ("lorem ipsum\ndolor\n", None, "not recognised"),
    "a huge column claim": (CRYSTAL.replace("pos:R:3", "pos:R:9999"), "a.xyz", "does not fit its lines"),
    "an odd properties string": (CRYSTAL.replace("species:S:1:pos:R:3", "a:b"), "a.xyz", "does not fit its lines"),
}


@pytest.mark.parametrize("case", list(FAULTS))
def test_each_fault_has_its_own_sentence(case):
    content, filename, sentence = FAULTS[case]
    with pytest.raises(InvalidStructure) as caught:
        read(content, filename=filename)
    assert sentence in str(caught.value)
    assert all(reason[-1] in ".?" for reason in caught.value.reasons)


@pytest.mark.parametrize(
    "text",
    [
        "10000000\n\nH 0 0 0\n",
        "99999999999999\n\nH 0 0 0\n",
        POSCAR.replace("1 1\n", "5000000 5000000\n"),
        "9" * 400 + "\n\nH 0 0 0\n",
    ],
)
def test_a_header_claiming_ten_million_atoms_is_refused_in_less_than_a_second(text):
    start = time.perf_counter()
    with pytest.raises(LabkitError):
        read(text, format="poscar" if text.startswith("x") else "xyz")
    assert time.perf_counter() - start < 1


def test_an_honest_but_huge_file_is_a_question_of_budget():
    text = "30000\n\n" + "H 0 0 0\n" * 30000
    with pytest.raises(BudgetExceeded, match="max_atoms=30000"):
        read(text, filename="a.xyz")


def test_a_truncated_last_frame_offers_the_readable_ones():
    with pytest.raises(UnreadableFile, match=r"Frame 2 .* cut off") as caught:
        read_frames(CRYSTAL * 2 + CRYSTAL[:-8], filename="a.xyz")
    assert len(caught.value.frames) == 2
    assert "2 frames before it can be read" in caught.value.reasons[-1]
    assert caught.value.frames[0].get_chemical_symbols() == ["Na", "Cl"]


def traj(count=3):
    buffer = io.BytesIO()
    ase.io.write(buffer, [structures.named("NaCl")] * count, format="traj")
    return buffer.getvalue()


def test_a_damaged_trajectory_offers_the_frames_before_the_damage():
    data = bytearray(traj())
    table = struct.unpack("<q", data[40:48])[0]
    last = struct.unpack("<3q", data[table : table + 24])[2]
    data[last + 8 : last + 20] = b"{ not json! "
    with pytest.raises(UnreadableFile) as caught:
        read_frames(bytes(data), filename="a.traj")
    assert len(caught.value.frames) == 2


@pytest.mark.parametrize("keep", [10, 47, 60, 400])
def test_a_cut_trajectory_is_refused(keep):
    with pytest.raises(UnreadableFile):
        read(traj()[:keep], filename="a.traj")


def test_a_trajectory_claiming_a_trillion_frames_is_refused_at_once():
    data = bytearray(traj())
    data[32:40] = struct.pack("<q", 10**12)
    start = time.perf_counter()
    with pytest.raises(UnreadableFile, match="claims 1,000,000,000,000 frames"):
        read(bytes(data))
    assert time.perf_counter() - start < 1


def test_a_file_over_the_limit_is_refused_before_it_is_loaded(tmp_path):
    path = tmp_path / "big.xyz"
    with path.open("wb") as file:
        file.truncate(10**12)
    start = time.perf_counter()
    with pytest.raises(UnreadableFile, match=r"big\.xyz has 1000000\.0 MB; at most 20 MB"):
        read(path)
    with pytest.raises(UnreadableFile, match=r"at most 20 MB"):
        read(b"x" * 20_000_001)
    assert time.perf_counter() - start < 1


def test_a_missing_path_a_folder_and_a_pipe_are_refused(tmp_path):
    pipe = tmp_path / "pipe.xyz"
    os.mkfifo(pipe)
    for path in (tmp_path / "none.xyz", tmp_path, pipe):
        with pytest.raises(UnreadableFile, match="not a file"):
            read(path)


def test_utf_16_is_refused_with_the_way_out():
    with pytest.raises(UnreadableFile):
        read(WATER.encode("utf-16"), filename="a.xyz")
    with pytest.raises(UnreadableFile, match="UTF-16"):
        read("测试一二三四".encode("utf-16"), filename="a.xyz")


def test_an_unknown_format_or_ordering_is_named():
    with pytest.raises(InvalidStructure, match="format 'docx'"):
        read(WATER, format="docx")
    with pytest.raises(InvalidStructure, match="ordering 'best'"):
        read(WATER, ordering="best")
    with pytest.raises(InvalidStructure, match="not from int"):
        read(7)


def test_a_bad_frame_in_the_middle_is_named_and_those_before_it_are_kept():
    with pytest.raises(UnreadableFile, match=r"Structure 1 of a\.xyz: Atoms 0") as caught:
        read_frames(CRYSTAL + CRYSTAL.replace("2 2 2", "0 0 0.1") + CRYSTAL, filename="a.xyz")
    assert len(caught.value.frames) == 1


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([CRYSTAL, CIF, POSCAR, WATER]).flatmap(
        lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.integers(0, 12), st.text(max_size=12))
    ),
    st.sampled_from(["cif", "poscar", "xyz", "extxyz", None]),
)
def test_whatever_is_typed_into_a_file_gives_atoms_or_a_named_error(edit, format):
    text, at, cut, insert = edit
    # Any other exception, and any warning, fails the test.
    with contextlib.suppress(LabkitError):
        atoms = read((text[:at] + insert + text[at + cut :]).encode(), format=format)
        assert np.all(np.isfinite(atoms.positions))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=12))
def test_damaged_trajectories_give_atoms_or_a_named_error(at, junk):
    data = bytearray(traj(2))
    at %= len(data)
    data[at : at + len(junk)] = junk
    with contextlib.suppress(LabkitError):
        read(bytes(data), format="traj")


def test_a_file_with_too_many_frames_offers_the_first_ones(monkeypatch):
    monkeypatch.setattr("labkit.structures.read_xyz.MAX_FRAMES", 3)
    with pytest.raises(UnreadableFile, match=r"more than 3 frames.*Thin it out") as caught:
        read("1\n\nCu 0 0 0\n" * 5, format="xyz")
    assert len(caught.value.frames) == 3
