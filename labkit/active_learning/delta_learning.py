"""Delta-learning as a run: fragments, sampling, coupled-cluster labels, fit, report, each stage resumable.

The one idea: labels are the price, so each is on the disk when it is known; everything else is repeated in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, JsonValue, field_validator

from labkit.active_learning.delta_fragments import PUBLISHED, parts
from labkit.active_learning.delta_sampling import Sampling
from labkit.errors import RunFailed
from labkit.potentials.camp.settings import CAMPSettings
from labkit.runs import RunContext, Task, quantity

if TYPE_CHECKING:
    from labkit.active_learning.delta_fit import Learned
    from labkit.datasets import Dataset
    from labkit.potentials.interface import Potential
    from labkit.references import Reference

STRUCTURES, LABELS, POTENTIAL = "structures.extxyz", "labels", "potential"
#: The published error, training and test (arXiv:2508.14306, abstract), meV/atom.
PUBLISHED_RMSE_MEV_ATOM = 0.4


class DeltaLearning(Task):
    """Teach a local correction from tight binding to coupled cluster, from small molecules and pairs of them."""

    kind = "DeltaLearning"

    fragments: list[str] = Field(
        ["H2", "(H2)2", "CH4"],
        description="Molecules and multimers to learn from",
        min_length=1,
        json_schema_extra={"suggestions": PUBLISHED},
    )
    reference: str = Field(
        "ccsd(t)/cc-pvdz",
        description="The expensive method, by name",
        json_schema_extra={"suggestions": ("ccsd(t)/cc-pvdz", "ccsd(t)/cc-pvtz", "ccsd(t)/cbs")},
    )
    options: dict[str, JsonValue] = Field({}, description='Its options, {"correction_basis": "cc-pvtz"} say')
    baseline: str = Field(
        "gfn2-xtb",
        description="The cheap method below the correction, by name; its surface is sampled too",
        json_schema_extra={"suggestions": ("gfn2-xtb", "gfn1-xtb")},
    )
    labels: str = Field("", description="A file of labels (extxyz, total energies) to learn from instead")
    temperatures_K: list[float] = Field([300.0, 1000.0], description="Temperatures of the displaced geometries (K)")
    per_temperature: int = quantity(8, "", "Displaced geometries of each molecule at each temperature", ge=0, le=1000)
    statistics: Literal["wigner", "classical"] = Field(
        "wigner", description="Displacements with the zero-point motion, or without"
    )
    scan_points: int = quantity(9, "", "Lengths of each kind of bond, 0.8 to 1.6 of equilibrium", ge=0, le=100)
    distances: int = quantity(8, "", "Distances of each multimer, 2.5 to 9 Å", ge=1, le=100)
    orientations: int = quantity(4, "", "Random orientations at each distance", ge=1, le=100)
    label_budget_s: float = quantity(
        600.0,
        "s",
        "Estimated CPU time for the labels of one fragment",
        gt=0,
        label="Label budget",
    )
    processes: int = quantity(1, "processes", "Labels computed at once, one thread each", ge=1, le=256)
    timeout_s: float = quantity(3600.0, "s", "A label that takes longer is given up", gt=0, label="Longest label")
    held_out: float = quantity(0.2, "", "Share of each fragment that only judges", ge=0, lt=1)
    unseen: list[str] = Field([], description="Fragments that are labelled but never learned from")
    model: CAMPSettings | None = Field(None, description="The network; empty: a small one for a few hundred labels")
    epochs: int = quantity(400, "epochs", "Passes over the labels", ge=1, le=1_000_000)
    batch_size: int = quantity(16, "structures", "Structures in one step of the optimiser", ge=1, le=100_000)
    learning_rate: float = quantity(0.01, "", "Step of the optimiser", gt=0, le=1)
    cpu_budget_s: float | None = quantity(None, "s", "The fit stops after this processor time", gt=0)
    seed: int = quantity(0, "", "Seed of sampling, split and network", ge=0)
    device: str = Field("auto", description="auto, cpu or cuda")

    @field_validator("fragments", "unseen")
    @classmethod
    def _are_fragments(cls, names: list[str]) -> list[str]:
        for name in names:
            parts(name)
        return names

    def label(self) -> str:
        """From which method to which, on what."""
        more = f" and {len(self.fragments) - 1} more" if len(self.fragments) > 1 else ""
        return f"Delta {self.baseline} to {self.reference}, {self.fragments[0]}{more}"

    def sampling(self) -> Sampling:
        """The part of the fields that says where labels are wanted."""
        return Sampling(
            tuple(self.temperatures_K),
            self.per_temperature,
            self.statistics,
            self.scan_points,
            self.distances,
            self.orientations,
            self.seed,
        )

    def price(self) -> list[dict[str, Any]]:
        """What the labels will cost: a row for each fragment and one for all (fragment, structures, estimated_s).

        Samples the cheap surface (seconds); nothing expensive is computed. Processor time, by the reference's own
        estimate, which is generous to small molecules.
        """
        from labkit.active_learning.delta_labels import price, to_label

        reference = self._reference()
        return price(
            to_label(self.fragments, self._baseline(), reference, self.sampling(), self.label_budget_s), reference
        )

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Sample, label, fit, report; tables: labels, failures, fragments, differences, and those of a training;
        parity.json; labels/ (resumable), best/ (the correction), potential/ (baseline and correction).

        Raises RunFailed when there is not a single label, InvalidTask for labels that cannot be learned from.
        """
        context.progress(0, 1, f"opening {self.baseline}")
        baseline = self._baseline()
        found = self._given(context) if self.labels else self._labelled(baseline, context)
        context.progress(0, 1, f"fit: {len(found)} labels minus {self.baseline}")
        return self._report(self._fit(found, baseline, context), context)

    def _given(self, context: RunContext) -> Dataset:
        from labkit import datasets

        found = datasets.read(self.labels, require=("energy",))
        for step, record in enumerate(found):
            cpu_s = float(record.atoms.info.get("cpu_s", "nan"))
            self._row(
                context, step, step, record.group, record.atoms.info.get("kind", ""), record.energy, record, cpu_s
            )
        return found

    def _labelled(self, baseline: Potential, context: RunContext) -> Dataset:
        from labkit.active_learning.delta_labels import named, price
        from labkit.references import label_all, labelled
        from labkit.references.labelling import stopped_or_paused

        reference = self._reference()
        structures = self._structures(baseline, reference, context)
        for row in price(structures, reference):
            context.log(f"{row['fragment']}: {row['structures']} labels, about {row['estimated_s']:.0f} s")
        reported = [0, 0]

        def report(now: Any) -> None:
            for step in range(reported[0], len(now.labels)):
                one = now.labels[step]
                atoms = structures[one.structure]
                energy = one.energy_eV_atom * len(atoms)
                named_as = atoms.info["fragment"], atoms.info["kind"]
                self._row(context, step, one.structure, *named_as, energy, atoms, one.cpu_s)
            for step in range(reported[1], len(now.failures)):
                one = now.failures[step]
                said = {"structure": one.structure, "fragment": structures[one.structure].info["fragment"]}
                context.row("failures", step, **said, kind=one.kind, reason=one.reason)
            reported[:] = len(now.labels), len(now.failures)
            context.progress(now.done, now.total, f"label: {now.sentence}")

        done = label_all(
            structures,
            reference,
            context.folder / LABELS,
            name=self.reference,
            options=self.options,
            processes=self.processes,
            timeout_s=self.timeout_s,
            report=report,
            stopped=lambda: stopped_or_paused(context),
        )
        if not done.labels:
            first = done.failures[0]
            raise RunFailed(
                f"none of {done.total} geometries could be labelled; the first: {first.kind}: {first.reason}"
            )
        return named(labelled(context.folder / LABELS), structures)

    def _structures(self, baseline: Potential, reference: Reference, context: RunContext) -> list[Any]:
        """The geometries as they were when the run began: a label belongs to one of them by its number."""
        from labkit import datasets
        from labkit.active_learning.delta_labels import to_label

        path = context.folder / STRUCTURES
        if not path.exists():
            total = len(self.fragments)

            def report(done: int) -> None:
                context.raise_if_stopped()
                context.progress(done, total, f"sample: {done} of {total} fragments on {self.baseline}")

            made = to_label(self.fragments, baseline, reference, self.sampling(), self.label_budget_s, report)
            datasets.Dataset([datasets.Record(atoms) for atoms in made]).write(path)
        return datasets.read(path, require=()).structures()

    def _fit(self, labels: Dataset, baseline: Potential, context: RunContext) -> Learned:
        from labkit.active_learning.delta_fit import MODEL, RECIPE, learn
        from labkit.training import Recipe

        asked = {
            name: getattr(self, name) for name in ("epochs", "batch_size", "learning_rate", "cpu_budget_s", "seed")
        }
        return learn(
            labels,
            baseline,
            self.model or MODEL,
            Recipe.of(RECIPE, **asked),
            held_out=self.held_out,
            unseen=self.unseen,
            device=self.device,
            context=context,
            name=f"{self.baseline}-to-{self.reference}".replace("/", "-"),
        )

    def _report(self, learned: Learned, context: RunContext) -> dict[str, Any]:
        from labkit.active_learning.delta_fit import errors, parity
        from labkit.training.report import finite

        rows = errors(learned)
        for step, row in enumerate(rows):
            context.row("fragments", step, **row, published_rmse_meV_atom=PUBLISHED_RMSE_MEV_ATOM)
        said = parity(learned)
        context.save_json("parity", said)
        for step, record in enumerate(learned.target):
            context.row(
                "differences",
                step,
                fragment=record.group,
                kind=record.atoms.info.get("kind", ""),
                set=learned.sets[step],
                baseline_eV=learned.baseline_eV[step],
                difference_eV=record.energy,
                delta_eV_atom=said["energy_reference"][step],
                predicted_eV_atom=said["energy_predicted"][step],
            )
        learned.potential.save(context.folder / POTENTIAL)
        return finite(
            {
                "potential": str(context.folder / POTENTIAL),
                "labels": len(learned.target),
                "level_of_theory": learned.potential.level_of_theory,
                "reason": learned.outcome.reason,
                "epochs": learned.outcome.epochs,
                "fit_cpu_s": learned.outcome.cpu_s,
                **{key: value for key, value in rows[-1].items() if key not in ("fragment", "labels")},
                "published_rmse_meV_atom": PUBLISHED_RMSE_MEV_ATOM,
            }
        )

    def _baseline(self) -> Potential:
        from labkit import potentials, references

        if self.baseline in references.names():
            return references.load(self.baseline).potential()
        return potentials.load(self.baseline, self.device)

    def _reference(self) -> Reference:
        from labkit import references

        return references.load(self.reference, **self.options)

    @staticmethod
    def _row(
        context: RunContext, step: int, structure: int, fragment: str, kind: str, energy: Any, atoms: Any, cpu_s: float
    ) -> None:
        said = {"structure": structure, "fragment": fragment, "kind": kind, "atoms": len(atoms)}
        context.row("labels", step, **said, energy_eV=float(np.asarray(energy)), cpu_s=cpu_s)
