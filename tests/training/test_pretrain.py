import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from training_runs import scalars
from training_toys import ENCODER, LineEnv

from robossl.core import UserError
from robossl.data import EpisodeStore, Replay
from robossl.nets import MultimodalEncoder, load_encoder, seeded_init
from robossl.objectives import InverseDynamicsConfig, RepresentationLearner, TOVVICRegConfig
from robossl.training.collect import CollectConfig, collect, open_writer
from robossl.training.interrupt import Interrupted
from robossl.training.policy import RandomPolicy
from robossl.training.pretrain import PretrainConfig, pretrain
from robossl.training.probe import Probe, ProbeConfig

CONFIG = PretrainConfig(updates=30, batch_size=8, log_every=4, probe_every=10, checkpoint_every=7)
KEYS = ("rgb_front", "proprio")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder, env = tmp_path_factory.mktemp("data"), LineEnv(4)
    config = CollectConfig(steps=None, episodes=20)
    with open_writer(folder, env, config, seed=0) as writer:
        collect(env, RandomPolicy(env, seed=0), writer, config, seed=0)
    return EpisodeStore(folder)


def make_probe(store):
    return Probe(
        store, store.spec, KEYS, (range(15), range(15, 20)), frame_stack=2, config=ProbeConfig(max_frames=50),
        generator=np.random.default_rng(0),
    )  # fmt: skip


def run(store, folder, *, config=CONFIG, episodes=15, probe=None, objective=None, **options):
    replay = Replay.from_episodes(store, frame_stack=2, keys=KEYS, split=range(episodes))
    with seeded_init(0):
        encoder = MultimodalEncoder(replay.stacked_observation, ENCODER)
    learner = RepresentationLearner(encoder, [objective or InverseDynamicsConfig()], 1, seed=0)
    generator = torch.Generator().manual_seed(1)
    return pretrain(learner, replay, folder, config, generator=generator, probe=probe or make_probe(store), **options)


def weights(folder):
    return load_encoder(folder / "encoder").state_dict()


def assert_same_run(folder, expected):
    assert scalars(folder) == scalars(expected)
    for name, value in weights(expected).items():
        assert torch.equal(weights(folder)[name], value), name


class FailingProbe:
    def __init__(self, probe, calls, action):
        self.probe, self.calls, self.action = probe, calls, action

    def __call__(self, encoder):
        self.calls -= 1
        if self.calls < 0:
            self.action()
        return self.probe(encoder)


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, run(store, folder)


def test_it_writes_an_encoder_and_the_whole_log(finished):
    folder, result = finished
    assert result.encoder == folder / "encoder"
    logged = scalars(folder)
    assert [step for step, _ in logged["ssl/inverse_dynamics_loss"]] == [4, 8, 12, 16, 20, 24, 28, 30]
    assert [step for step, _ in logged["probe/r2_place_x"]] == [10, 20, 30]
    assert {"ssl/rankme", "ssl/std", "ssl/lr"} <= set(logged)
    assert result.metrics["inverse_dynamics_loss"] == pytest.approx(logged["ssl/inverse_dynamics_loss"][-1][1])
    assert result.report.scalars()["ssl/rankme"] == pytest.approx(logged["ssl/rankme"][-1][1])


def test_a_crash_changes_nothing(store, finished, tmp_path):
    def crash():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(store, tmp_path, probe=FailingProbe(make_probe(store), 1, crash))
    run(store, tmp_path, resume=True)
    assert_same_run(tmp_path, finished[0])


def test_a_signal_saves_and_ends_it(store, finished, tmp_path):
    kill = FailingProbe(make_probe(store), 0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match="stopped by SIGTERM") as caught:
        run(store, tmp_path, probe=kill)
    assert caught.value.saved.name == "000000010"
    run(store, tmp_path, resume=True)
    assert_same_run(tmp_path, finished[0])


def test_its_seconds_are_those_of_all_its_parts(store, tmp_path, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr("robossl.training.stopwatch.time", SimpleNamespace(monotonic=lambda: now_s))

    def work(*, ends):
        nonlocal now_s
        now_s += 100
        if ends:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        run(store, tmp_path, probe=FailingProbe(make_probe(store), 0, lambda: work(ends=True)))
    now_s += 1_000_000  # nobody works on it
    result = run(store, tmp_path, probe=FailingProbe(make_probe(store), 1, lambda: work(ends=False)), resume=True)
    assert result.seconds == 200


def test_a_finished_run_that_is_resumed_tells_the_same_again(store, tmp_path):
    config = PretrainConfig(updates=4, batch_size=8, log_every=4, probe_every=None)
    first, again = (run(store, tmp_path, config=config, resume=resume) for resume in (False, True))
    assert set(first.metrics) >= {"inverse_dynamics_loss"}
    assert again.metrics == first.metrics
    assert again.report == first.report


def test_other_data_is_refused(store, tmp_path):
    kill = FailingProbe(make_probe(store), 0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        run(store, tmp_path, probe=kill)
    with pytest.raises(UserError, match="cannot be continued on other data"):
        run(store, tmp_path, episodes=14, resume=True)


@pytest.mark.parametrize(("gap", "batch_size"), [(400, 8), (1, 1)])
def test_what_could_teach_nothing_is_refused_before_anything_is_written(store, tmp_path, gap, batch_size):
    config = replace(CONFIG, batch_size=batch_size)
    with pytest.raises(UserError, match="tov_vicreg"):
        run(store, tmp_path, config=config, objective=TOVVICRegConfig(gap=gap))
    assert not list(tmp_path.iterdir())


def test_means_are_over_the_batches_that_had_a_loss(store, tmp_path):
    config = PretrainConfig(updates=20, batch_size=2, log_every=20, probe_every=None, learning_rate=1e-12)
    metrics = run(store, tmp_path, config=config, objective=TOVVICRegConfig(gap=2, projector=(8,))).metrics
    assert 0.0 < metrics["tov_vicreg_usable"] < 1.0
    weights = {"invariance": 10, "variance": 10, "covariance": 10, "temporal": 0.1}
    total = sum(weight * metrics[f"tov_vicreg_{term}"] for term, weight in weights.items())
    assert metrics["tov_vicreg_loss"] == pytest.approx(total, rel=1e-4)
    assert metrics["tov_vicreg_variance"] > 0.2  # a hinge of nearly 1 where two samples hardly differ


def test_an_encoder_that_diverged_is_not_kept(store, tmp_path, monkeypatch):
    def diverging(learner, batch):
        with torch.no_grad():
            next(learner.encoder.parameters()).fill_(torch.nan)
        return {"inverse_dynamics_loss": torch.tensor(torch.nan), "inverse_dynamics_usable": torch.tensor(1.0)}

    monkeypatch.setattr(RepresentationLearner, "update", diverging)
    with pytest.raises(UserError, match=r"diverged before update 4: lower pretrain\.learning-rate"):
        run(store, tmp_path)
    assert not (tmp_path / "encoder").exists()


def test_a_folder_with_a_run_is_not_overwritten(store, finished):
    with pytest.raises(UserError, match="holds a run already"):
        run(store, finished[0])


def test_the_learning_rate_follows_its_schedule():
    cosine = PretrainConfig(updates=100, learning_rate=0.4)
    assert [cosine.learning_rate_at(step) for step in (0, 50, 100)] == pytest.approx([0.4, 0.2, 0.0])
    constant = PretrainConfig(updates=100, learning_rate=0.4, schedule="constant")
    assert {constant.learning_rate_at(step) for step in (0, 99)} == {0.4}


@pytest.mark.parametrize(("field", "value"), [("updates", 0), ("learning_rate", 0.0), ("probe_every", -1)])
def test_bad_numbers_are_refused(field, value):
    with pytest.raises(UserError, match=rf"pretrain\.{field.replace('_', '-')}"):
        PretrainConfig(**{field: value})
