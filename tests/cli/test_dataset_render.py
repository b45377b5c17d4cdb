"""States first, pixels later: the pictures are those that were seen, whenever they are drawn."""

import json
import re
import shutil
import threading
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np
import pytest

from robossl.cli.artifacts import collect_into
from robossl.cli.main import main
from robossl.core import Stream, UserError
from robossl.core.files import exclusive
from robossl.data import EpisodeStore, EpisodeWriter
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.make import make_task
from robossl.envs.mujoco_fields import columns_of
from robossl.envs.sensor_model import SensorModel
from robossl.envs.solid_bodies import SolidBodies
from robossl.envs.task_env import TaskEnv
from robossl.training.collect import CollectConfig
from robossl.training.privileged import policy_observation

RING = EnvConfig(
    id="robossl/RingCorridor-v0",
    num_worlds=4,
    num_threads=1,
    observations=("rgb_front", "flow_front", "proprio", "odometry"),
    sensors={
        "rgb_front": SensorModel(rate_hz=2.0, delay_s=0.25, noise_std=4.0, dropout=0.2),
        "flow_front": SensorModel(rate_hz=1.5),
    },
    randomise={"all": 1.0, "light": (0.6, 1.2)},
)
ARM = EnvConfig(
    id="robossl/ArmPush-v0",
    difficulty="hard",
    num_worlds=4,
    num_threads=1,
    observations=("rgb_static", "depth_wrist", "segmentation_static", "proprio"),
    image_size=(20, 16),
    randomise={"all": 1.0},
)
COLLECT = CollectConfig(steps=None, episodes=5, states="exact")


def states_of(env: EnvConfig, folder: Path, collect: CollectConfig = COLLECT) -> Path:
    collect_into(folder, env, replace(collect, pictures=False), 3)
    return folder


def render(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["dataset", "render", *map(str, words)])
    return int(stop.value.code or 0)


@pytest.mark.parametrize("kind", ["exact", "physics"])
@pytest.mark.parametrize("env", [RING, ARM], ids=["ring", "arm"])
def test_pictures_drawn_later_are_those_that_were_seen(
    env: EnvConfig, kind: Literal["exact", "physics"], tmp_path: Path
) -> None:
    collect_into(tmp_path / "seen", env, replace(COLLECT, states=kind), 3)
    states = states_of(env, tmp_path / "states", replace(COLLECT, states=kind))
    assert not any(array.is_image for array in EpisodeStore(states).spec.observation.values())
    assert render(states, "--out", tmp_path / "drawn") == 0
    seen, drawn = EpisodeStore(tmp_path / "seen"), EpisodeStore(tmp_path / "drawn")
    assert drawn.spec == seen.spec
    assert drawn.config["env"] == seen.config["env"]
    assert len(drawn) == len(seen) == 5
    for i in range(5):
        assert seen[i].obs.keys() == drawn[i].obs.keys()
        for key, value in seen[i].obs.items():
            np.testing.assert_array_equal(value, drawn[i].obs[key], err_msg=key)
        for name in ("state", "action", "reward"):
            np.testing.assert_array_equal(getattr(seen[i], name), getattr(drawn[i], name))


def test_other_cameras_modalities_and_sizes_are_drawn_from_the_same_states(tmp_path: Path) -> None:
    states = states_of(ARM, tmp_path / "states")
    words = ("--observations", "bodies_wrist", "normals_static", "--image-size", 12, 10)
    assert render(states, *words, "--out", tmp_path / "drawn") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"states", "drawn"}  # no lock stays
    other = replace(ARM, observations=("bodies_wrist", "normals_static", "proprio"), image_size=(12, 10))
    collect_into(tmp_path / "seen", other, COLLECT, 3)
    seen, drawn = EpisodeStore(tmp_path / "seen"), EpisodeStore(tmp_path / "drawn")
    assert seen.spec == drawn.spec
    for key in ("bodies_wrist", "normals_static"):
        np.testing.assert_array_equal(seen[2].obs[key], drawn[2].obs[key])


def test_random_appearances_stand_beside_the_picture_that_was_seen(tmp_path: Path) -> None:
    states = states_of(ARM, tmp_path / "states")
    words = ("--observations", "rgb_static", "--appearances", 2, "--randomise.light", 0.7, 0.9)
    assert render(states, *words, "--out", tmp_path / "drawn") == 0
    drawn = EpisodeStore(tmp_path / "drawn")
    pictures = {key for key, array in drawn.spec.observation.items() if array.is_image}
    assert pictures == {"rgb_static", "look1_rgb_static", "look2_rgb_static"}
    assert {"rgb_static", "proprio"} == set(policy_observation(drawn.spec))
    assert drawn.config["appearances"]["number"] == 2
    assert drawn.config["appearances"]["light"] == [0.7, 0.9]
    worlds = WorldSeed(seed=3, stream=Stream.COLLECT)
    env = TaskEnv(make_task(ARM.id, "hard"), replace(ARM, randomise={"all": 1.0, "light": (0.7, 0.9)}), worlds)
    env.reset()
    for field, values in EpisodeStore(states)[0].model_values.items():
        env.engine.randomise(field, values[None], np.array([drawn[0].world]))
    looks = env.render_appearances(2, ("rgb_static",))["rgb_static"]
    for k in range(2):
        np.testing.assert_array_equal(drawn[0].obs[f"look{k + 1}_rgb_static"][0], looks[k, drawn[0].world])
    env.close()


def test_a_sensor_that_is_changed_keeps_all_else_of_its_model(tmp_path: Path) -> None:
    states = states_of(RING, tmp_path / "states", replace(COLLECT, episodes=1))
    words = ("--observations", "rgb_front", "--sensors.rgb_front.dropout", 0.5)
    assert render(states, *words, "--out", tmp_path / "drawn") == 0
    sensors = EpisodeStore(tmp_path / "drawn").config["env"]["sensors"]
    assert sensors == {"rgb_front": asdict(replace(RING.sensors["rgb_front"], dropout=0.5))}


def test_what_is_drawn_of_drawn_pictures_is_as_it_was_collected(tmp_path: Path) -> None:
    states = states_of(RING, tmp_path / "states", replace(COLLECT, episodes=1))
    assert render(states, "--observations", "rgb_front", "rgb_top", "--out", tmp_path / "seen") == 0
    assert render(states, "--observations", "rgb_top", "--appearances", 1, "--out", tmp_path / "looks") == 0
    assert EpisodeStore(tmp_path / "looks").config["env"]["sensors"] == {}
    assert render(tmp_path / "looks", "--observations", "rgb_front", "rgb_top", "--out", tmp_path / "again") == 0
    seen, again = EpisodeStore(tmp_path / "seen"), EpisodeStore(tmp_path / "again")
    for key in ("rgb_front", "rgb_top"):
        np.testing.assert_array_equal(seen[0].obs[key], again[0].obs[key])
    del seen.config["rendered_from"], again.config["rendered_from"]
    assert again.config == seen.config


def test_a_look_is_as_late_and_as_wrong_as_the_picture_beside_it(tmp_path: Path) -> None:
    states = states_of(RING, tmp_path / "states", replace(COLLECT, episodes=2))
    words = ("--observations", "rgb_front", "--appearances", 2, "--randomise.all", 0)  # looks that change nothing
    assert render(states, *words, "--out", tmp_path / "drawn") == 0
    obs = EpisodeStore(tmp_path / "drawn")[0].obs
    still = (obs["rgb_front"][1:] == obs["rgb_front"][:-1]).all(axis=(1, 2, 3))
    assert 0 < still.sum() < len(still)  # it takes fewer samples than there are decisions
    for k in (1, 2):
        np.testing.assert_array_equal(obs[f"look{k}_rgb_front"], obs["rgb_front"])


def test_what_broke_off_is_gone_on_with_and_equals_what_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = states_of(ARM, tmp_path / "states")
    assert render(states, "--out", tmp_path / "whole") == 0
    add, added = EpisodeWriter.add, []

    def failing(writer: EpisodeWriter, episode: object) -> int:
        added.append(episode)
        if len(added) == 4:
            raise UserError("the disk is full")
        return add(writer, episode)  # type: ignore[arg-type]

    monkeypatch.setattr(EpisodeWriter, "add", failing)
    assert render(states, "--out", tmp_path / "broken") == 1
    assert "the disk is full" in capsys.readouterr().err
    assert not (tmp_path / "broken").exists()
    assert render(states, "--out", tmp_path / "broken") == 0
    assert len(added) == 4 + 2  # two episodes were left
    whole, broken = EpisodeStore(tmp_path / "whole"), EpisodeStore(tmp_path / "broken")
    for i in range(5):
        np.testing.assert_array_equal(whole[i].obs["rgb_static"], broken[i].obs["rgb_static"])
    assert broken.verify() == []
    added.clear()
    assert render(states, "--out", tmp_path / "other") == 1
    added.extend([None] * 4)
    assert render(states, "--image-size", 8, 8, "--out", tmp_path / "other") == 0  # begun anew
    assert EpisodeStore(tmp_path / "other")[0].obs["rgb_static"].shape[1:] == (8, 8, 3)
    assert len(EpisodeStore(tmp_path / "other")) == 5


@pytest.mark.parametrize("damage", ["line", "rows", "block", "index", "header"])
def test_what_is_damaged_where_it_broke_off_is_drawn_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env = replace(ARM, observations=("rgb_static",), image_size=(6, 4))
    states = states_of(env, tmp_path / "states")
    broken = tmp_path / ".drawn.partial"
    assert render(states, "--out", tmp_path / "drawn") == 0
    shutil.copytree(tmp_path / "drawn", tmp_path / "whole")
    (tmp_path / "drawn").rename(broken)
    place = {
        "line": "index.jsonl",
        "block": "packed.bin",
        "header": "dataset.json",
        "rows": "shards/rgb_static/00000.npy",
    }
    path = broken / place.get(damage, "index.jsonl")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage != "index" else b"")
    add, added = EpisodeWriter.add, []
    monkeypatch.setattr(EpisodeWriter, "add", lambda writer, episode: added.append(episode) or add(writer, episode))
    capsys.readouterr()
    assert render(states, "--out", tmp_path / "drawn") == 0
    assert len(added) == (3 if damage in place and damage != "header" else 5)
    assert ("is damaged in" in capsys.readouterr().err) == (len(added) == 3)
    assert EpisodeStore(tmp_path / "drawn").verify() == []
    for name in ("dataset.json", "index.jsonl", "packed.bin", "shards/rgb_static/00000.npy"):
        assert (tmp_path / "drawn" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("ab", "does not name the last [0-9,]+ bytes of packed.bin: lines are lost; put it back, or, .*"),
        ("ac", "lines before line 2 are lost, which named [0-9,]+ bytes; put it back"),
        ("axc", "line 2 is damaged"),
    ],
)
def test_a_source_that_has_lost_episodes_is_not_drawn(
    kept: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = states_of(ARM, tmp_path / "states", replace(COLLECT, episodes=5))
    index = states / "index.jsonl"
    first, second, third, *others = index.read_bytes().splitlines(keepends=True)
    lines = {"a": first, "b": second, "c": third + b"".join(others), "x": b"x\n"}
    index.write_bytes(b"".join(lines[name] for name in kept))
    assert render(states, "--out", tmp_path / "drawn") == 1
    assert re.search(rf"robossl: {index}:? {told}$", capsys.readouterr().err.strip())
    assert not (tmp_path / "drawn").exists()


def test_physics_alone_is_smaller_and_goes_on_as_before(tmp_path: Path) -> None:
    exact = EpisodeStore(states_of(ARM, tmp_path / "exact"))
    physics = EpisodeStore(states_of(ARM, tmp_path / "physics", replace(COLLECT, states="physics")))
    assert physics.summary()["bytes"] < 0.7 * exact.summary()["bytes"]
    envs = [TaskEnv(make_task(ARM.id, "hard"), replace(ARM, num_worlds=2), WorldSeed(seed=3)) for _ in range(2)]
    rows = [20, 40]
    for env, store in zip(envs, (exact, physics), strict=True):
        env.reset()
        for field, value in store[0].model_values.items():
            env.engine.randomise(field, np.stack([value] * 2), np.arange(2))
        env.engine.set_state(store[0].state[rows])
        env.engine.step(env.engine.read("qpos")[:, :7], 16)
    np.testing.assert_allclose(envs[0].engine.read("qpos"), envs[1].engine.read("qpos"), atol=1e-6)
    for env in envs:
        env.close()
    with pytest.raises(UserError, match="holds exact states: physics ones are not added to it"):
        states_of(ARM, tmp_path / "exact", replace(COLLECT, states="physics", episodes=9))


def test_plain_mujoco_repeats_exact_states_given_the_inertia_that_follows_from_model_values(tmp_path: Path) -> None:
    env = replace(RING, randomise={"mass": 3.0, "size": 0.9}, sensors={})
    episode = EpisodeStore(states_of(env, tmp_path / "exact", replace(COLLECT, episodes=1)))[0]
    task = make_task(env.id)
    model = task.build_model()
    own = {field: np.array(getattr(model, field)) for field in ("body_mass", "geom_size")} | dict(episode.model_values)
    assert {"body_mass", "geom_size"} <= set(episode.model_values)
    mass, size = own["body_mass"][None], own["geom_size"][None]
    model.body_inertia[:] = SolidBodies(task.build_model()).inertia(mass, size, 1)[0]
    for field, values in episode.model_values.items():
        getattr(model, field)[...] = values
    mujoco.mj_setConst(model, mujoco.MjData(model))
    data, wanted = mujoco.MjData(model), mujoco.MjData(model)
    everything = mujoco.mjtState.mjSTATE_INTEGRATION.value
    for before, after in pairwise(episode.state):
        mujoco.mj_setState(model, data, before, everything)
        mujoco.mj_setState(model, wanted, after, everything)
        data.ctrl[:], data.xfrc_applied[:] = wanted.ctrl, wanted.xfrc_applied
        mujoco.mj_step(model, data, task.spec.num_substeps)
        np.testing.assert_array_equal(data.qpos, wanted.qpos)
        np.testing.assert_array_equal(data.qvel, wanted.qvel)


def test_states_of_bullet_keep_what_its_contacts_press_with(tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    config = replace(ARM, difficulty=None, num_worlds=2, engine="bullet", randomise={}, observations=("proprio",))
    folder = states_of(config, tmp_path, replace(COLLECT, episodes=1, policy="expert", states="physics"))
    episode = EpisodeStore(folder)[0]
    env = TaskEnv(make_task(config.id, None), replace(config, num_worlds=1), WorldSeed(seed=3, stream=Stream.COLLECT))
    env.reset(first_world=episode.world)
    apart = []
    for before, action, after in zip(episode.state, episode.action, episode.state[1:], strict=False):
        env.engine.set_state(before[None])
        env.step(action[None])
        apart.append(np.abs(env.world_state() - after)[:, columns_of(env.engine.model, ("qpos",))].max())
    assert max(apart[:-1]) < 1e-6  # the last one ends the episode
    env.close()


def test_a_second_render_into_one_folder_waits_for_the_first_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states, out = states_of(ARM, tmp_path / "states", replace(COLLECT, episodes=1)), tmp_path / "drawn"
    partial = tmp_path / ".drawn.partial"
    partial.mkdir()
    (partial / "dataset.json").write_text("another process is writing")
    held, over = threading.Event(), threading.Event()

    def first() -> None:
        with exclusive(tmp_path / ".drawn.lock", lambda: None):
            held.set()
            errors = ""
            while "waiting" not in errors and not over.is_set():
                time.sleep(0.01)
                errors += capsys.readouterr().err
            if partial.exists():
                partial.rename(out)

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(60)
    code = render(states, "--out", out)
    over.set()
    thread.join()
    assert code == 1
    assert (out / "dataset.json").read_text() == "another process is writing"
    assert f"{out} is there already" in capsys.readouterr().err


def test_the_header_tells_sensors_and_ranges_and_keeps_others_out(tmp_path: Path) -> None:
    states_of(RING, tmp_path)
    config = json.loads((tmp_path / "dataset.json").read_text())["config"]
    assert config["env"]["sensors"]["rgb_front"]["rate_hz"] == 2.0
    assert config["env"]["randomise"]["light"] == [0.6, 1.2]
    assert config["env"]["randomise"]["action_delay"] == [0.0, 0.25]
    assert config["env"]["observations"] == ["rgb_front", "flow_front", "proprio", "odometry"]
    assert config["task_sensors"]["odometry"] == {
        "kind": "Odometry", "body": "car", "scale_std": 0.02, "noise_std": 0.1,
    }  # fmt: skip
    assert "light_diffuse times 0.6 to 1.2" in config["randomises"]["light"]
    with pytest.raises(UserError, match=r"other settings: env.randomise was \{.*\} and is now \{\}"):
        states_of(replace(RING, randomise={}), tmp_path)


def test_a_dataset_that_is_here_is_drawn_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = states_of(ARM, tmp_path / "states", replace(COLLECT, episodes=1))
    monkeypatch.chdir(states)
    before = sorted(states.iterdir())
    assert render(".", "--observations", "rgb_static", "--image-size", 4, 4) == 0
    assert sorted(states.iterdir()) == before
    assert len(EpisodeStore(tmp_path / "states-rendered")) == 1


@pytest.mark.parametrize("words", [("--appearances", 10**12), ("--image-size", 10**6, 10**6)])
def test_pictures_that_do_not_fit_into_memory_are_refused_before_anything_is_built(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = states_of(ARM, tmp_path / "states", replace(COLLECT, episodes=1))
    monkeypatch.setattr("robossl.cli.dataset_render.StatePainter", lambda *_, **__: pytest.fail("it was built"))
    assert render(states, "--observations", "rgb_static", *words, "--out", tmp_path / "drawn") == 1
    assert "drawn at once, need about" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "give the dataset's folder"),
        (("nowhere",), 1, "nowhere is not a dataset"),
        (("DATA", "--observations", "rgb_sttic"), 2, "did you mean 'rgb_static'?"),
        (("DATA", "--observations", "proprio"), 1, "name at least one picture, such as rgb_static"),
        (("DATA", "--observations", "flow_wrist", "--appearances", "2"), 1, "flow_wrist cannot be drawn under random"),
        (("DATA", "--randomise.light", "1", "2"), 2, "say how many with --appearances"),
        (("DATA", "--randomise.mass", "1", "2", "--appearances", "1"), 2, "unknown randomisation 'mass'"),
        (("DATA", "--sensors.rgb_frnt.delay-s", "1"), 2, "unknown picture to make imperfect: 'rgb_frnt'"),
        (("DATA", "--observations", "rgb_static", "touch"), 1, "touch is no picture, and the dataset does not hold it"),
        (("DATA", "--appearances", "5", "--randomise.all", "0.1", "1"), 1, "randomise.all is one number"),
        (("DATA", "--appearances", "20000", "--image-size", "999", "999"), 1, "smaller or fewer pictures"),
        (("DATA", "--sensors.segmentation_static.noise-std", "1"), 1, "'segmentation_static' holds labels"),
        (("DATA", "--sensors.segmentation_static.resolution", "3"), 1, "'segmentation_static' holds labels"),
        (("DATA", "--out", "DATA"), 1, "is there already"),
        (("DATA", "--image-size", "0", "5"), 1, "must be positive"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: tuple[str, ...], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = states_of(ARM, tmp_path / "data", replace(COLLECT, episodes=1)) if words else tmp_path
    capsys.readouterr()
    assert render(*(str(data) if word == "DATA" else word for word in words)) == code
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == (["data"] if words else [])
