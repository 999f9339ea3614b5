"""The grid of the screening table and what is drawn of a candidate, without a browser."""

import json
import struct

import numpy as np
import pytest
from labkit_widgets.screening_candidate import pictures
from labkit_widgets.screening_grid import CHUNK, NOTHING, Column, Grid

COLUMNS = [
    Column("candidate", "No.", "integer"),
    Column("x", "X", "number"),
    Column("verdict", "Verdict", "choice", choices=("passed", "failed")),
]


@pytest.fixture
def grid():
    grid = Grid(COLUMNS, [{"candidate": n, "x": n / 3, "verdict": "passed"} for n in range(60)])
    yield grid
    grid.close()


def unpack(blob: bytes) -> tuple[dict, np.ndarray]:
    size, _ = struct.unpack("<II", blob[:8])
    return json.loads(blob[8 : 8 + size]), np.frombuffer(blob[8 + size :], dtype="<f8")


def test_only_changed_rows_are_sent_and_a_page_that_missed_some_gets_all(grid):
    sent = []
    grid.send = lambda content, buffers=None: sent.append(unpack(buffers[0])[0])
    assert unpack(grid.snapshot)[0]["at"] == list(range(60))
    row = {"candidate": 7, "x": None, "verdict": "failed"}
    grid.write({7: row}, COLUMNS)
    assert [(one["at"], one["base"], one["version"], one["fresh"]) for one in sent] == [([7], 0, 1, False)]
    assert sent[0]["texts"]["verdict"] == ["failed"]
    grid._on_message(None, {"kind": "ready", "version": 1}, [])
    assert len(sent) == 1  # this page has everything
    grid._on_message(None, {"kind": "ready", "version": 0}, [])
    assert (sent[1]["fresh"], len(sent[1]["at"])) == (True, 60)
    with pytest.raises(IndexError, match="row 99 cannot be added to a table of 60 rows"):
        grid.write({99: row})


def test_numbers_travel_exactly_and_large_tables_in_pieces():
    columns = [Column("candidate", "No.", "integer"), Column("x", "X", "number"), Column("t", "T", "text")]
    rows = [{"candidate": n, "x": None if n % 2 else n / 3, "t": "Å"} for n in range(CHUNK + 5)]
    grid = Grid(columns, rows)
    head, matrix = unpack(grid.snapshot)
    assert head["version"] == NOTHING
    assert head["texts"]["t"][0] == "Å"
    matrix = matrix.reshape(2, CHUNK)
    assert matrix[1, 4] == 4 / 3
    assert np.isnan(matrix[1, 5])
    sent = []
    grid.send = lambda content, buffers=None: sent.append(unpack(buffers[0])[0])
    grid._on_message(None, {"kind": "ready", "version": NOTHING}, [])
    assert [(len(one["at"]), one["fresh"], one["version"] - one["base"]) for one in sent] == [
        (CHUNK, True, 1),
        (5, False, 1),
    ]
    grid.close()


def test_files_that_hold_nothing_to_draw_are_left_out(tmp_path):
    (tmp_path / "torn.json").write_text('{"distances_A": [0, 1')
    (tmp_path / "words.csv").write_text("a,b\none,two\nthree,four\n")
    (tmp_path / "uneven.json").write_text('{"distances_A": [0, 1], "energies_eV": [0]}')
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "good.json").write_text('{"bands": {"one": {"distances_A": [0, 1, 2], "energies_eV": [1, 3, 2]}}}')
    found = pictures([*sorted(tmp_path.iterdir()), tmp_path / "gone.csv"])
    assert [one.name for one in found] == ["good 0"]
    assert found[0].y.tolist() == [0, 2, 1]
