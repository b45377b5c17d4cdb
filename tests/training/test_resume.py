import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from training_runs import LOOP, CallAt, outcome, run

from robossl.core import CorruptFileError, UserError
from robossl.training.checkpoint import Checkpoint, complete_checkpoints, find_checkpoint
from robossl.training.interrupt import Interrupted
from robossl.training.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Outcomes of runs that nobody disturbed."""
    outcomes = {}
    for kind in ("sac", "ppo"):
        folder = tmp_path_factory.mktemp(kind)
        run(kind, folder)
        outcomes[kind] = outcome(folder)
    return outcomes


def assert_same(actual, expected, path=""):
    if isinstance(expected, dict):
        assert list(actual) == list(expected), path
        for key in expected:
            assert_same(actual[key], expected[key], f"{path}/{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected), path
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, f"{path}/{i}")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(actual, expected), path
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(actual, expected, err_msg=path)
    else:
        assert actual == expected, path


class PowerCutError(Exception):
    pass


def cut_power():
    raise PowerCutError


def test_a_run_killed_in_mid_rollout_and_resumed_equals_the_uninterrupted_one(uninterrupted, tmp_path):
    script = Path(__file__).parent / "killed_run.py"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.run([sys.executable, str(script), "sac", str(tmp_path), "150"], env=environment, timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert find_checkpoint(tmp_path).name == "000000120"
    run("sac", tmp_path, resume=True)
    assert_same(outcome(tmp_path), uninterrupted["sac"])


@pytest.mark.parametrize("kind", ["sac", "ppo"])
def test_three_crashes_change_nothing(uninterrupted, tmp_path, kind):
    for step in (30, 100, 230):  # the first one before any checkpoint
        with pytest.raises(PowerCutError):
            run(kind, tmp_path, callbacks=[CallAt(step, cut_power)], resume=step > 30)
    run(kind, tmp_path, resume=True)
    assert_same(outcome(tmp_path), uninterrupted[kind])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_run_which_can_then_go_on(uninterrupted, tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=rf"{number.name}; continue from .*checkpoints/0000001") as caught:
        run("ppo", tmp_path, callbacks=[CallAt(140, lambda: os.kill(os.getpid(), number))])
    assert caught.value.exit_code == 128 + number
    assert caught.value.saved == tmp_path / "checkpoints" / "000000160"
    assert signal.getsignal(number) is before
    run("ppo", tmp_path, resume=True)
    assert_same(outcome(tmp_path), uninterrupted["ppo"])


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def twice():
        for _ in range(2):  # `os.kill` may find another thread, and two at once are one
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us to ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            run("ppo", tmp_path, callbacks=[CallAt(1, twice)], evaluator=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert complete_checkpoints(tmp_path / "checkpoints") == []


def test_evaluations_do_not_change_what_is_learned(uninterrupted, tmp_path):
    run("sac", tmp_path, evaluator=False)
    last = find_checkpoint(tmp_path)
    assert last.name == f"{LOOP.n_timesteps:09d}"
    weights = Checkpoint(last).tree("agent")["networks"]["weights"]
    assert_same(weights, uninterrupted["sac"]["agent"]["networks"]["weights"])


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    first = run("ppo", tmp_path)
    before = outcome(tmp_path)
    again = run("ppo", tmp_path, resume=True)
    assert_same(outcome(tmp_path), before)
    assert (again.step, again.summary, again.best) == (first.step, first.summary, first.best)


@pytest.mark.parametrize("kind", ["sac", "ppo"])
def test_a_run_that_was_prolonged_equals_the_one_that_was_as_long_from_the_start(tmp_path, kind):
    loop = replace(LOOP, log_every=32, eval_every=64)
    run(kind, tmp_path / "straight", loop=loop)
    run(kind, tmp_path / "prolonged", loop=replace(loop, n_timesteps=128))
    run(kind, tmp_path / "prolonged", loop=loop, resume=True)
    expected = outcome(tmp_path / "straight")
    assert len(expected["evaluations"]["timesteps"]) == LOOP.n_timesteps // 64
    assert_same(outcome(tmp_path / "prolonged"), expected)


@pytest.mark.parametrize("kind", ["sac", "ppo"])
def test_a_run_that_was_cut_short_where_it_was_stopped_knows_its_last_evaluation(uninterrupted, tmp_path, kind):
    with pytest.raises(Interrupted):
        run(kind, tmp_path, callbacks=[CallAt(120, lambda: os.kill(os.getpid(), signal.SIGTERM))])
    step = Checkpoint(find_checkpoint(tmp_path)).step
    for _ in range(2):
        run(kind, tmp_path, resume=True, loop=replace(LOOP, n_timesteps=step))
    run(kind, tmp_path, resume=True)
    ended, expected = outcome(tmp_path), uninterrupted[kind]
    assert ended["evaluations"]["timesteps"].tolist() == sorted([*expected["evaluations"]["timesteps"].tolist(), step])
    evaluated = [at for at, _ in ended["scalars"]["eval/mean_reward"]]
    assert evaluated == ended["evaluations"]["timesteps"].tolist()
    assert_same(ended["agent"], expected["agent"])
    assert_same(ended["rng"], expected["rng"])


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    run("ppo", tmp_path, evaluator=False)
    with pytest.raises(UserError, match="holds a run already, up to 000000256: resume it"):
        run("ppo", tmp_path)


def test_a_damaged_checkpoint_is_named_and_the_one_before_can_be_resumed(uninterrupted, tmp_path):
    with pytest.raises(PowerCutError):
        run("sac", tmp_path, callbacks=[CallAt(200, cut_power)])
    path = find_checkpoint(tmp_path) / "agent.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        CorruptFileError, match=r"agent.safetensors is truncated.*the checkpoint before it is"
    ) as caught:
        run("sac", tmp_path, resume=True)
    older = Path(str(caught.value).rpartition(" ")[2])
    run("sac", tmp_path, resume=True, resume_from=older)
    assert_same(outcome(tmp_path), uninterrupted["sac"])


def test_a_run_that_went_back_and_was_killed_at_once_goes_on_from_there(uninterrupted, tmp_path):
    run("ppo", tmp_path)
    earlier = complete_checkpoints(tmp_path / "checkpoints")[-2]
    with pytest.raises(PowerCutError):
        run("ppo", tmp_path, callbacks=[CallAt(0, cut_power)], resume=True, resume_from=earlier)
    assert find_checkpoint(tmp_path) == earlier
    run("ppo", tmp_path, resume=True)
    assert_same(outcome(tmp_path), uninterrupted["ppo"])


def test_the_seconds_of_a_run_are_those_of_all_its_parts(tmp_path, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr("robossl.training.stopwatch.time", SimpleNamespace(monotonic=lambda: now_s))

    def work(seconds):
        nonlocal now_s
        now_s += seconds

    whole = Stopwatch()
    work(1000)  # collecting, pretraining
    later = [CallAt(10, lambda: work(100)), CallAt(140, lambda: os.kill(os.getpid(), signal.SIGTERM))]
    with pytest.raises(Interrupted):
        run("ppo", tmp_path, callbacks=later, stopwatch=whole)
    work(1_000_000)  # nobody works on it
    whole = Stopwatch()
    result = run("ppo", tmp_path, callbacks=[CallAt(170, lambda: work(10))], resume=True, stopwatch=whole)
    assert (result.seconds, whole.read()) == (110, 1110)
    again = run("ppo", tmp_path, resume=True)
    assert again.seconds == 110


def test_a_run_that_was_begun_before_its_seconds_were_kept_goes_on(tmp_path, monkeypatch):
    with pytest.raises(PowerCutError):
        run("ppo", tmp_path, callbacks=[CallAt(140, cut_power)])
    read = Checkpoint.tree

    def read_without_seconds(checkpoint, name):
        tree = read(checkpoint, name)
        for part in ("seconds", "train_seconds") if name == "training" else ():
            del tree["parts"][part]
        return tree

    monkeypatch.setattr(Checkpoint, "tree", read_without_seconds)
    assert run("ppo", tmp_path, resume=True).step == LOOP.n_timesteps


@pytest.mark.parametrize("part", ["monitor", "evaluations"])
def test_a_checkpoint_that_lacks_another_part_of_a_run_is_not_gone_on_from(tmp_path, monkeypatch, part):
    run("ppo", tmp_path)
    read = Checkpoint.tree

    def read_without_part(checkpoint, name):
        tree = read(checkpoint, name)
        if name == "training":
            del tree["parts"][part]
        return tree

    monkeypatch.setattr(Checkpoint, "tree", read_without_part)
    with pytest.raises(KeyError, match=part):
        run("ppo", tmp_path, resume=True)
