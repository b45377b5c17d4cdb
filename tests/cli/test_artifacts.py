"""What `train` makes first: the same for the same settings, whoever begins, breaks off and goes on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from robossl.cli import artifacts
from robossl.cli.artifacts import collect_into, pretrained_encoder
from robossl.cli.settings import PretrainStage, TrainSettings
from robossl.core import UserError
from robossl.data import EpisodeStore, EpisodeWriter
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.objectives import InverseDynamicsConfig
from robossl.training.collect import CollectConfig
from robossl.training.pretrain import PretrainConfig

ENV = EnvConfig(id="robossl/ArmPush-v0", num_worlds=4, num_threads=1)
COLLECT = CollectConfig(steps=None, episodes=6)
STAGE = PretrainStage(
    collect=COLLECT,
    objectives=(InverseDynamicsConfig(),),
    pretrain=PretrainConfig(updates=2, batch_size=4, probe_every=None),
)


def settings(log_folder: Path) -> TrainSettings:
    return TrainSettings(env=ENV, log_folder=log_folder, device="cpu", num_threads=1, pretrain=STAGE)


def actions(folder: Path) -> list[np.ndarray]:
    store = EpisodeStore(folder)
    return [np.array(store[i].action) for i in range(len(store))]


def make(log_folder: Path, **changes: object) -> Path:
    changed = dataclasses.replace(settings(log_folder), **changes)  # type: ignore[arg-type]
    env = make_env(changed.env, WorldSeed())
    try:
        return pretrained_encoder(changed, STAGE, env.spec)
    finally:
        env.close()


def test_adding_to_a_dataset_gives_new_worlds_and_new_actions(tmp_path: Path) -> None:
    collect_into(tmp_path, ENV, COLLECT, 0)
    collect_into(tmp_path, ENV, dataclasses.replace(COLLECT, episodes=12), 0)
    store, acted = EpisodeStore(tmp_path), actions(tmp_path)
    assert {store[i].world for i in range(6)}.isdisjoint(store[i].world for i in range(6, 12))
    assert len({action[:5].tobytes() for action in acted}) == 12


def test_a_collection_that_broke_off_begins_anew_and_equals_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make(tmp_path / "unbroken")
    add, added = EpisodeWriter.add, []

    def failing(writer: EpisodeWriter, episode: object) -> int:
        added.append(episode)
        if len(added) == 4:
            raise UserError("the disk is full")
        return add(writer, episode)  # type: ignore[arg-type]

    monkeypatch.setattr(EpisodeWriter, "add", failing)
    with pytest.raises(UserError, match="full"):
        make(tmp_path / "broken")
    assert not list((tmp_path / "broken" / "artifacts").glob("data-*"))
    again = make(tmp_path / "broken")
    assert again.relative_to(tmp_path / "broken") == encoder.relative_to(tmp_path / "unbroken")
    data = [next((tmp_path / name / "artifacts").glob("data-*")) for name in ("unbroken", "broken")]
    for one, other in zip(*map(actions, data), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (encoder / "encoder.safetensors").read_bytes() == (again / "encoder.safetensors").read_bytes()


def test_an_artefact_is_found_by_what_changes_it_and_by_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(tmp_path)
    assert make(tmp_path, env=dataclasses.replace(ENV, num_threads=2)) == first
    assert len(list((tmp_path / "artifacts").glob("data-*"))) == 1
    assert make(tmp_path, seed=1) != first
    monkeypatch.setattr(artifacts, "VERSION", "99.0")
    assert make(tmp_path) != first
    assert len(list((tmp_path / "artifacts").glob("data-*"))) == 3
