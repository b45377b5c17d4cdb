import csv
import errno
import json

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import record_writer
from training_runs import LOOP, run, scalars
from training_toys import Sparing

from robossl.core import UserError
from robossl.training.checkpoint import Checkpoint
from robossl.training.train import TrainLoopConfig


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, run("ppo", folder, hparams={"agent": "ppo", "learning_rate": 3e-4})


def test_the_result_says_where_everything_is(finished):
    folder, result = finished
    assert result.step == LOOP.n_timesteps
    assert result.checkpoint == folder / "checkpoints" / f"{LOOP.n_timesteps:09d}"
    assert result.best == (folder / "checkpoints" / "best").resolve()
    assert result.summary["episodes"] == 6
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints", "evaluations.npz", "tb", "train.monitor.csv", "videos",
    }  # fmt: skip


def test_the_log_holds_sb3s_figures_and_those_beyond(finished):
    folder, _ = finished
    logged = scalars(folder)
    expected = {
        "rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/success_rate", "rollout/distance", "env/right",
        "train/value_loss", "eval/mean_reward", "eval/success_rate", "eval/rankme",
    }  # fmt: skip
    assert expected <= set(logged)
    assert [step for step, _ in logged["env/right"]] == [64, 96, 128, 160, 224, 256]
    assert [step for step, _ in logged["eval/mean_reward"]] == [96, 192, 256]
    assert len(list((folder / "tb").glob("events.*"))) == 1
    events = EventAccumulator(str(folder / "tb"))
    events.Reload()
    assert {f"perf/{name}" for name in ("env_fps", "simulate_ms", "render_ms", "act_ms", "update_ms")} <= set(
        events.Tags()["scalars"]
    )
    assert [event.value for event in events.Scalars("perf/simulate_ms")] == pytest.approx([2.0] * 6)
    assert set(events.PluginTagToContent("hparams")) == {"_hparams_/experiment", "_hparams_/session_start_info"}


def test_every_finished_episode_is_in_the_monitor_file(finished):
    folder, _ = finished
    with (folder / "train.monitor.csv").open() as file:
        assert json.loads(next(file).removeprefix("#"))["env_id"] == "toy/Line-v0"
        lengths = [int(row["l"]) for row in csv.DictReader(file)]
    running = Checkpoint(folder / "checkpoints" / "last").tree("env")["lengths"]
    assert sum(lengths) + running.sum() == LOOP.n_timesteps


@pytest.mark.parametrize("kind", ["sac", "ppo"])
def test_episodes_before_the_first_success_that_is_told_of_count_as_failed(tmp_path, kind):
    run(kind, tmp_path, evaluator=False, env=Sparing)
    with (tmp_path / "train.monitor.csv").open() as file:
        next(file)
        told = [float(row["is_success"]) for row in csv.DictReader(file)]
    num_untold = sum(np.isnan(told))
    assert num_untold >= 4
    assert not np.isnan(told[num_untold:]).any()
    assert scalars(tmp_path)["rollout/success_rate"][-1][1] == pytest.approx(np.nan_to_num(told).mean())


def test_a_disk_that_fills_up_under_the_log_is_one_clear_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record_writer.RecordWriter, "write", full)
    with pytest.raises(UserError, match=rf"cannot write {tmp_path}.*: No space left on device"):
        run("ppo", tmp_path)


@pytest.mark.parametrize("field", ["n_timesteps", "log_every", "eval_every", "checkpoint_every", "keep_checkpoints"])
def test_bad_numbers_are_refused(field):
    with pytest.raises(UserError, match=rf"loop\.{field.replace('_', '-')} must be at least 1, got 0"):
        TrainLoopConfig(**{field: 0})
