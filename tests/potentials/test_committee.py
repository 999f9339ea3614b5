"""A committee is its members' mean and spread, computed at once; what cannot sit together is refused."""

import json

import numpy as np
import pytest
import torch
from ase import Atoms
from safetensors.torch import load_file, save_file

from labkit.errors import UnreadableFile
from labkit.potentials import card, load
from labkit.potentials.camp import CAMP, CAMPSettings
from labkit.potentials.committee import Committee
from tests.potentials.made import SMALL, cluster, crystal, small

KINDS = [
    {"architecture": "CAMP-L"},
    {"architecture": "CAMP-L", "elements": ("Li",)},
    {"architecture": "CAMP-L", "long_range": True, "charge_channels": 2, "dl_A": 1.5},
    {"architecture": "CAMP-L", "max_v": 3, "n_layers": 3},
    {"architecture": "CAMP-L", "max_v": 0, "n_layers": 1},
    {"architecture": "CAMP-L", "max_v": 2, "products": 2},
    {"architecture": "CAMP", "long_range": True},
]


def committee(n_members: int = 3, **changed) -> Committee:
    return Committee([small(seed=seed, **changed) for seed in range(n_members)])


def structures(committee: Committee) -> list[Atoms]:
    name = "".join(sorted(committee.elements))
    return [crystal(name, 6), cluster(name, 4), crystal(name, 3, seed=5), Atoms("Li")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_members_say_what_they_say_alone(kind):
    made = committee(**kind)
    atoms = structures(made)
    together = made.predict_members(atoms)
    for member, one in zip(made.members, together, strict=True):
        alone = member.predict(atoms)
        assert one.energies == pytest.approx(alone.energies, abs=1e-10)
        for index in range(len(atoms)):
            assert one.forces[index] == pytest.approx(alone.forces[index], abs=1e-10)
        assert one.stresses == pytest.approx(alone.stresses, abs=1e-10, nan_ok=True)
        if alone.charges is not None:
            assert np.concatenate(one.charges) == pytest.approx(np.concatenate(alone.charges), abs=1e-10)


@pytest.mark.parametrize("kind", KINDS[:3], ids=["several", "one", "long"])
def test_mean_and_spread_are_those_of_the_members(kind):
    made = committee(4, **kind)
    atoms = structures(made)
    alone = [member.predict(atoms) for member in made.members]
    mean, spread = made.predict(atoms), made.spread(atoms)
    assert mean.energies == pytest.approx(np.mean([one.energies for one in alone], axis=0), abs=1e-10)
    assert spread.energies == pytest.approx(np.std([one.energies for one in alone], axis=0, ddof=1), abs=1e-10)
    assert mean.stresses == pytest.approx(np.mean([one.stresses for one in alone], axis=0), abs=1e-10, nan_ok=True)
    expected = np.std([one.stresses for one in alone], axis=0, ddof=1)
    assert spread.stresses == pytest.approx(expected, abs=1e-10, nan_ok=True)
    for index in range(len(atoms)):
        forces = np.array([one.forces[index] for one in alone])
        deviation = forces.std(axis=0, ddof=1)
        assert mean.forces[index] == pytest.approx(forces.mean(axis=0), abs=1e-10)
        assert spread.forces[index] == pytest.approx(deviation, abs=1e-10)
        assert mean.uncertainty[index] == pytest.approx(np.sqrt((deviation**2).sum(axis=1)).max(), abs=1e-10)
    assert mean.uncertainty[0] > 0.01
    assert mean.uncertainty[3] == 0
    assert mean.units["uncertainty"] == "eV/Å"


def test_mean_forces_are_minus_the_gradient_of_the_mean_energy():
    made = committee(long_range=True)
    atoms = crystal()
    forces = made.predict([atoms]).forces[0]
    for index in ((0, 0), (3, 1), (5, 2)):
        moved = [atoms.copy() for _ in range(4)]
        for one, steps in zip(moved, (1, -1, 2, -2), strict=True):
            one.positions[index] += steps * 2e-3
        e = made.predict(moved, ("energy",)).energies
        assert forces[index] == pytest.approx(-(8 * (e[0] - e[1]) - (e[2] - e[3])) / 24e-3, abs=1e-6)


def test_identical_members_do_not_differ():
    made = Committee([small(seed=1), small(seed=1), small(seed=1)])
    spread = made.spread([crystal(), cluster()])
    assert spread.energies == pytest.approx(0, abs=1e-13)
    assert max(np.abs(one).max() for one in spread.forces) < 1e-13
    assert made.predict([crystal()]).uncertainty == pytest.approx(0, abs=1e-13)


def test_what_was_not_asked_for_is_not_computed_and_an_empty_list_is_an_empty_answer():
    made = committee()
    energies = made.predict([crystal()], ("energy",))
    assert (energies.forces, energies.stresses, energies.uncertainty) == (None, None, None)
    assert made.predict([crystal()], ("energy", "forces")).stresses is None
    empty = made.predict([])
    assert (len(empty), empty.forces, len(empty.uncertainty)) == (0, [], 0)
    assert len(made.spread([]).energies) == 0


def test_more_structures_than_one_pass_takes_are_all_answered(monkeypatch):
    made = committee()
    several = [crystal(seed=seed) for seed in range(7)]
    whole = made.predict(several)
    monkeypatch.setattr(CAMP, "batch_atoms", {"cpu": 40})
    passes = []
    evaluate = made._evaluate
    monkeypatch.setattr(
        made, "_evaluate", lambda group, properties: passes.append(group) or evaluate(group, properties)
    )
    parts = made.predict(several)
    assert len(passes) == 4
    assert parts.energies == pytest.approx(whole.energies, abs=1e-12)
    assert parts.uncertainty == pytest.approx(whole.uncertainty, abs=1e-12)


def test_a_committee_is_a_copy_of_its_members_as_they_were():
    """Training a member afterwards must not leave a mean of old and new."""
    members = [small(seed=seed) for seed in range(2)]
    made = Committee(members)
    before = made.predict([crystal()])
    with torch.no_grad():
        for value in members[0].network.parameters():
            value.mul_(1.5)
    assert made.predict([crystal()]).energies.tolist() == before.energies.tolist()


def test_an_untrained_committee_has_members_of_different_seeds():
    settings = CAMPSettings(**SMALL)
    made = Committee.untrained(settings, ["Li", "Cl", "O"], 3, seed=5, device="cpu", level_of_theory="PBE")
    single = CAMP.untrained(settings, ["Li", "Cl", "O"], seed=6, device="cpu")
    assert torch.equal(made.members[1].network.readouts[0].linear, single.network.readouts[0].linear)
    assert not torch.equal(made.members[0].network.readouts[0].linear, single.network.readouts[0].linear)
    known = [crystal(seed=seed) for seed in range(3)]
    made.fit_scale_and_shift(known, [-20.0, -21.0, -19.0], [np.ones((6, 3))] * 3)
    expected = np.mean([member.predict(known).energies for member in made.members], axis=0)
    assert made.predict(known).energies == pytest.approx(expected, abs=1e-10)
    assert made.level_of_theory == "PBE"


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2], KINDS[-1]], ids=["short", "long", "published"])
def test_a_saved_committee_comes_back_exactly(kind, tmp_path):
    made = committee(**kind)
    made.provenance = {"dataset": {"name": "made up"}}
    made.members[1].provenance = {"seed": 1}
    again = load(made.save(tmp_path / "saved"), device="cpu")
    assert isinstance(again, Committee)
    assert again.provenance == made.provenance
    assert again.members[1].provenance == {"seed": 1}
    one, other = made.predict([crystal(), cluster()]), again.predict([crystal(), cluster()])
    assert other.energies.tolist() == one.energies.tolist()
    assert other.uncertainty.tolist() == one.uncertainty.tolist()
    assert card(tmp_path / "saved").cutoff_A == made.cutoff_A
    assert card(made).n_parameters == 3 * sum(value.numel() for value in made.members[0].network.parameters())


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: small(channels=7), "member 3 has channels = 7, the first one 6"),
        (lambda: small("CAMP"), "member 3 has architecture = 'CAMP', the first one 'CAMP-L'"),
        (lambda: small(elements=("Li", "Cl")), "member 3 has elements = 'Li, Cl', the first one 'Li, O, Cl'"),
        (lambda: load("emt"), "member 3 is of the kind ASEPotential"),
    ],
    ids=["channels", "architecture", "elements", "kind"],
)
def test_members_that_do_not_fit_are_refused_in_a_sentence(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        Committee([small(seed=0), small(seed=1), other()])


def test_members_of_two_levels_of_theory_and_a_committee_of_one_are_refused():
    other = small(seed=1)
    other.level_of_theory = "r2SCAN"
    with pytest.raises(ValueError, match="level_of_theory = 'r2SCAN', the first one 'none'"):
        Committee([small(), other])
    with pytest.raises(ValueError, match="2 to 64 members, not 1"):
        Committee([small()])


@pytest.mark.parametrize("said", [None, 3, [], [{}], [{}] * 4, [{}] * 2, [{}] * 65, "all"], ids=str)
def test_a_description_that_lies_about_its_members_is_refused(said, tmp_path):
    folder = committee().save(tmp_path / "saved")
    file = folder / "potential.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "members": said}))
    with pytest.raises(UnreadableFile, match=r"committee|architecture in potential\.json"):
        load(folder, device="cpu")


@pytest.mark.parametrize("name", ["members.7.shift", "members.x.shift", "shift", "members.1.backdoor"])
def test_a_parameter_of_nobody_is_refused(name, tmp_path):
    folder = committee().save(tmp_path / "saved")
    values = load_file(folder / "model.safetensors")
    save_file(values | {name: torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(UnreadableFile, match=name.rpartition(".")[2]):
        load(folder, device="cpu")
