"""A training that was killed, stopped or split over processes ends where the undisturbed one ends."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from labkit.runs import checkpoint
from labkit.training import Training
from tests.training.tasks import Halted, Killed
from tests.training.toy import Toy, weights

ADAM = ("weights", "mean", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "optimiser_steps", "best")
SOAP = ("weights", "mean", "soap", "soap_orders", "optimiser_steps", "best")


@pytest.fixture
def here():
    """An executor in this process: what is not about processes need not start one."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def final(run):
    arrays, state = checkpoint.load(run.folder, pytest.fail)
    return {name: arrays[name] for name in (SOAP if "soap" in arrays else ADAM)}, state


@pytest.fixture
def toy_task(toy_task, request):
    """Adam where rounding must stay small: SOAP turns it into steps along directions that no gradient has."""
    return {**toy_task, "optimiser": getattr(request, "param", "adam-amsgrad")}


both_optimisers = pytest.mark.parametrize("toy_task", ["soap", "adam-amsgrad"], indirect=True)


@pytest.fixture
def unbroken(store, toy_task):
    return Training(**toy_task).run(store=store)


@both_optimisers
@pytest.mark.parametrize("checkpoint_min", [1e-6, 60.0], ids=["within-the-epoch", "at-its-start"])
def test_a_training_killed_in_the_middle_of_an_epoch_ends_in_the_same_weights(
    store, toy_task, unbroken, here, checkpoint_min
):
    run = Killed(**toy_task, kill_at=17, checkpoint_min=checkpoint_min).launch(store=store).wait(60)
    assert run.state == "interrupted"
    assert run.table("batches")["step"].max() == 16  # the fourth epoch of five steps had begun
    run.resume(here).wait(60)
    assert run.state == "finished", run.log()
    assert "continuing from the checkpoint in epoch" in run.log()
    ours, state = final(run)
    theirs, their_state = final(unbroken)
    assert list(ours) == list(theirs)
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
    assert {**state["place"], "epoch_began_s": 0} == {**their_state["place"], "epoch_began_s": 0}
    assert np.array_equal(
        weights(Toy.from_folder(run.folder / "best")), weights(Toy.from_folder(unbroken.folder / "best"))
    )
    columns = ["epoch", "train_loss", "validation_loss", "forces_mae_meV_A"]
    assert run.table("training")[columns].equals(unbroken.table("training")[columns])
    assert run.table("batches").equals(unbroken.table("batches"))


@both_optimisers
def test_a_stopped_training_goes_on_where_it_stopped(store, toy_task, unbroken, here):
    run = Halted(**toy_task, halt_at=13).launch(store=store, executor=here).wait(60)
    assert run.state == "cancelled"
    assert checkpoint.load(run.folder, pytest.fail)[1]["place"]["step"] in (13, 14)
    run.resume(here).wait(60)
    assert run.state == "finished", run.log()
    ours, _ = final(run)
    theirs, _ = final(unbroken)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_two_processes_train_as_one_does(store, toy_task, unbroken):
    run = Training(**toy_task, n_devices=2).launch(store=store).wait(90)
    assert run.state == "finished", run.log()
    one, two = unbroken.table("training"), run.table("training")
    for column in ("train_loss", "validation_loss", "forces_mae_meV_A", "energy_mae_meV_atom"):
        assert two[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-5), column
    assert two["epoch"].tolist() == one["epoch"].tolist()
    ours, theirs = final(run)[0]["weights"], final(unbroken)[0]["weights"]
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert not np.array_equal(ours, np.zeros_like(ours))


@pytest.mark.parametrize("toy_task", ["soap"], indirect=True)
def test_two_processes_with_soap_learn_as_much_as_one_does(store, toy_task, unbroken):
    run = Training(**toy_task, n_devices=2).launch(store=store).wait(90)
    assert run.state == "finished", run.log()
    one, two = (each.table("training")["validation_loss"].to_numpy() for each in (unbroken, run))
    assert two[0] == pytest.approx(one[0], rel=0.1)
    assert two[-1] < two[0]
    assert two[-1] == pytest.approx(one[-1], rel=0.5)


def test_a_rank_that_dies_fails_the_run_with_a_sentence(store, toy_task):
    run = Killed(**{**toy_task, "epochs": 500}, n_devices=2, kill_at=-1).launch(store=store)
    deadline = time.monotonic() + 60
    while not len(run.table("training")) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = psutil.Process(run.status().pid).children()
    (rank,) = [child for child in children if "labkit.training.ranks" in " ".join(child.cmdline())]
    rank.kill()
    run.wait(60)
    assert run.state == "failed"
    assert "rank 1 of 2 ended before the training did" in run.status().error_message
