"""What the tasks declare to be random: every range works, and changes nothing but what it says."""

from typing import Any

import numpy as np
import pytest
from task_checks import DEFAULTS, OWN_TASKS

from robossl.core import UserError
from robossl.envs import EnvConfig, WorldSeed, appearances, make_env
from robossl.envs.bullet.model import touching_pairs
from robossl.envs.host import on_host
from robossl.envs.make import make_task
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.randomisation import Randomisation
from robossl.envs.randomiser import Randomiser
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks.ring_judge import judge


def task_env(env_id: str, num_worlds: int = 4, **options: Any) -> TaskEnv:
    env = make_env(EnvConfig(id=env_id, num_worlds=num_worlds, num_threads=1, **options), WorldSeed(seed=3))
    assert isinstance(env, TaskEnv)
    return env


def actions(env: TaskEnv, count: int) -> np.ndarray:
    shape = (count, 8, *env.spec.action.shape)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)[:, : env.num_worlds]


@pytest.mark.parametrize("env_id", OWN_TASKS)
def test_every_declared_range_works_alone_and_changes_no_layout(env_id: str) -> None:
    plain = task_env(env_id)
    plain.reset()
    for name in plain.task.spec.randomisations:
        env = task_env(env_id, randomise={"all": 0.0, name: _span(plain, name)})
        obs = env.reset()
        drawn = env._randomiser.values[name]
        assert len(np.unique(drawn)) > 1, name
        for key, value in plain.privileged().items():
            is_truth_of_sizes = name == "size" and key in ("nearest_obstacle", "obstacles", "gap", "block_position")
            if name != "start" and not is_truth_of_sizes:
                np.testing.assert_array_equal(env.privileged()[key], value, err_msg=f"{name}: {key}")
        batch = env.step(actions(env, 1)[0])
        np.testing.assert_array_equal(batch.info[f"randomise/{name}"], drawn.astype(np.float32))
        assert all(np.isfinite(value).all() for value in (*obs.values(), *batch.obs.values()))
        env.close()


def test_effort_is_that_of_the_action_that_was_asked_for_however_late_it_acts() -> None:
    env = task_env("robossl/ArmReach-v0", randomise={"action_delay": (0.08, 0.08)})
    env.reset()
    efforts = []
    for asked in (1.0, 0.0, 0.0, 0.0):
        batch = env.step(np.full((4, env.spec.action.shape[0]), asked, np.float32))
        efforts.append(batch.info["reward/effort"].tolist())
    assert efforts == [[1.0] * 4, [0.0] * 4, [0.0] * 4, [0.0] * 4]


def test_a_start_that_is_moved_by_nothing_is_the_layouts_to_the_last_bit() -> None:
    states = []
    for randomise in ({}, {"start": 0.0}):
        env = task_env("robossl/ArmPush-v0", randomise=randomise)
        env.reset()
        states.append(env.world_state())
        env.close()
    np.testing.assert_array_equal(states[1], states[0])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("gains", [{}, {"gains": (0.8, 1.2)}])
def test_an_arm_rests_wherever_it_starts_until_a_command_acts(gains: dict[str, Any]) -> None:
    options = {"delay_s": 0.04, "engine": DEFAULTS["engine"], "randomise": {"start": (-0.1, 0.1), **gains}}
    env = task_env("robossl/ArmReach-v0", **options)
    env.reset()
    joints = env.engine.read("qpos")
    assert np.ptp(on_host(joints), axis=0).min() > 0.02
    env.step(actions(env, 1)[0])
    np.testing.assert_allclose(on_host(env.engine.read("qpos")), on_host(joints), atol=1e-6)
    env.close()


LEAST_FRICTION = 1e-5  # mjMINMU: MuJoCo takes what is less for it


@pytest.mark.parametrize("env_id", [i for i in OWN_TASKS if "friction" in make_task(i).spec.randomisations])
def test_a_randomised_friction_holds_whatever_is_touched(env_id: str) -> None:
    task = make_task(env_id)
    entry = task.spec.randomisations["friction"]
    assert isinstance(entry, Randomisation)
    assert entry.elements
    model = task.build_model()
    own = {model.geom(name).id for name in entry.elements}
    pairs = [pair for pair in touching_pairs(model).tolist() if len(own.intersection(pair)) == 1]
    assert own == own.intersection(np.unique(pairs).tolist())
    for pair in pairs:
        (mine,), (other,) = own.intersection(pair), set(pair) - own
        is_ahead = model.geom_priority[mine] > model.geom_priority[other]
        is_without = bool((model.geom_friction[other] <= LEAST_FRICTION).all())
        is_alone = model.geom_priority[mine] == model.geom_priority[other] and is_without
        assert is_ahead or is_alone, model.geom(other).name


@pytest.mark.parametrize("env_id", OWN_TASKS)
def test_no_camera_is_shifted_into_its_own_robot(env_id: str) -> None:
    entry = make_task(env_id).spec.randomisations["camera_position"]
    assert isinstance(entry, Randomisation)
    cameras = entry.elements or ()
    keys = tuple(f"{modality}_{camera}" for camera in cameras for modality in ("depth", "bodies"))
    everywhere = {"camera_position": (entry.low, entry.high)}
    obs = (env := task_env(env_id, 256, observations=keys, image_size=(4, 3), randomise=everywhere)).reset()
    for camera in cameras:
        own = env.engine.model.camera(camera).bodyid[0]
        is_inside = (obs[f"bodies_{camera}"] == own) & (obs[f"depth_{camera}"] < 0.01)
        assert not is_inside.all(axis=(1, 2, 3)).any(), camera


def test_a_range_that_the_scene_has_no_room_for_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"room for geom_size of block_box times 0\.6 to 1\.4, not for 0\.9 to 2$"):
        task_env("robossl/ArmPush-v0", randomise={"size": (0.9, 2.0)})
    with pytest.raises(UserError, match=r"of furniture_00\.\.11 times 0\.3 to 1, not for 1\.1$"):
        task_env("robossl/RoomsPointGoal-v0", randomise={"size": 1.1})
    with pytest.raises(UserError, match=r"times 0\.3 to 1\.25, not for -1 to 1$"):
        task_env("robossl/RingCorridor-v0", randomise={"size": (-1.0, 1.0)})


@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_a_block_of_another_size_begins_at_rest_on_the_table(factor: float) -> None:
    env = task_env("robossl/ArmPush-v0", 16, randomise={"size": factor})
    env.reset()
    np.testing.assert_allclose(env.privileged()["block_position"][:, 2], 0.024 * factor, rtol=1e-6)
    for _ in range(2):  # it sinks into the table, and comes back
        env.step(np.zeros((16, 3), np.float32))
    np.testing.assert_allclose(env.privileged()["block_position"][:, 2], 0.024 * factor, atol=2e-4)
    assert np.abs(env.privileged()["block_velocity"]).max() < 5e-3


@pytest.mark.parametrize("factor", [0.5, 1.25])
def test_the_planner_and_the_bumper_know_how_wide_obstacles_are(factor: float) -> None:
    env = task_env("robossl/RingCorridor-v0", 3, randomise={"size": factor})
    env.reset()
    plain, own = env.task._scene.shapes, env.privileged()["obstacles"][..., 4:]  # type: ignore[attr-defined]
    is_box = plain[:, 2] == 0
    np.testing.assert_allclose(own[:, is_box, 0], np.tile(factor * plain[is_box, 0], (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(own[:, is_box, 1], np.tile(plain[is_box, 1], (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(own[:, ~is_box, 2], np.tile(factor * plain[~is_box, 2], (3, 1)), rtol=1e-6)
    place = env.engine.read("mocap_pos")
    place[:, np.arange(place.shape[1]) != 5] = 99.0
    fields = place, env.engine.read("mocap_quat"), env.task._scene.shapes_in(env.engine)  # type: ignore[attr-defined]
    for gap_m, touches in ((-0.01, True), (0.01, False)):
        pose = np.zeros((3, 3), np.float32)
        pose[:, :2] = place[:, 5, :2] + [factor * plain[5, 2] + 0.25 + gap_m, 0.0]
        verdict = judge(np, pose, *fields, np.zeros((3, 4)), env.task.new_memory(3), 0.5, 1, 0.03)
        assert (verdict.collided == touches).all()
        assert verdict.unsure.tolist() == ([] if touches else [0, 1, 2])


@pytest.mark.parametrize("env_id", OWN_TASKS)
def test_bullet_varies_all_that_tasks_declare(env_id: str) -> None:
    pytest.importorskip("pybullet")
    env = task_env(env_id, 2, engine="bullet", randomise={"all": 1.0})
    first = env.reset()
    batch = env.step(actions(env, 1)[0])
    assert all(np.isfinite(value).all() for value in (*first.values(), *batch.obs.values()))
    assert not batch.info["diverged"].any()
    for name in env.task.spec.randomisations:
        if name != "action_delay":  # whole decisions: two worlds may well have the same
            assert len(np.unique(batch.info[f"randomise/{name}"], axis=0)) == 2, name
    env.close()


def _span(env: TaskEnv, name: str) -> tuple[float, float]:
    entry = env.task.spec.randomisations[name]
    return (entry.low, entry.high)


@pytest.mark.parametrize("env_id", OWN_TASKS)
def test_randomised_worlds_are_the_same_in_any_company_and_after_a_resume(env_id: str) -> None:
    many, one = task_env(env_id, 3, randomise={"all": 1.0}), task_env(env_id, 1, randomise={"all": 1.0})
    many.reset()
    one.reset(first_world=2)
    for action in actions(many, 8):
        batch, single = many.step(action), one.step(action[2:3])
        for key in batch.obs:
            np.testing.assert_array_equal(batch.obs[key][2], single.obs[key][0])
        for name, value in batch.info.items():
            np.testing.assert_array_equal(value[2], single.info[name][0])
    state = many.get_state()
    other = task_env(env_id, 3, randomise={"all": 1.0})
    other.reset(seed=9)
    other.set_state(state)
    for action in actions(many, 20):
        batch, again = many.step(action), other.step(action)
        np.testing.assert_array_equal(batch.reward, again.reward)
        for key in batch.obs:
            np.testing.assert_array_equal(batch.obs[key], again.obs[key])
        for name in batch.info:
            np.testing.assert_array_equal(batch.info[name], again.info[name])


@pytest.mark.parametrize("env_id", OWN_TASKS)
def test_appearances_differ_and_touch_nothing(env_id: str) -> None:
    env, other = task_env(env_id, 3), task_env(env_id, 3)
    camera = env.spec.camera_names[0]
    keys = (f"rgb_{camera}", f"segmentation_{camera}")
    env.reset()
    other.reset()
    for action in actions(env, 4):
        looks = env.render_appearances(3, keys)
        assert looks[keys[0]].shape[:2] == (3, 3)
        values, expected = env.model_values(), other.model_values()
        assert values.keys() == expected.keys()
        batch, undisturbed = env.step(action), other.step(action)
        for key in batch.obs:
            np.testing.assert_array_equal(batch.obs[key], undisturbed.obs[key])
        np.testing.assert_array_equal(env.world_state(), other.world_state())
    assert (looks[keys[0]][0] != looks[keys[0]][1]).mean() > 0.3
    same = looks[keys[1]][0] == looks[keys[1]][1]  # cameras move a little: what is seen stays nearly the same
    assert 0.7 < same.mean() < 1
    np.testing.assert_array_equal(
        env.render_appearances(2, keys)[keys[0]], env.render_appearances(3, keys)[keys[0]][:2]
    )
    with pytest.raises(UserError, match=f"flow_{camera} cannot be drawn under random appearances"):
        env.render_appearances(2, (f"flow_{camera}",))


@pytest.mark.parametrize("env_id", ["robossl/RingCorridor-v0", "robossl/ArmPush-v0"])
def test_appearances_begin_from_the_layout_whatever_the_episode_itself_looks_like(env_id: str) -> None:
    looks = {
        name: (entry.low, entry.high)
        for name, entry in task_env(env_id, 1).task.spec.randomisations.items()
        if entry.is_visual
    }
    plain, varied = task_env(env_id, 3), task_env(env_id, 3, randomise=looks)
    key = f"rgb_{plain.spec.camera_names[0]}"
    for env in (plain, varied):
        env.reset()
    assert plain.model_values().keys() != varied.model_values().keys()
    np.testing.assert_array_equal(plain.render_appearances(2, (key,))[key], varied.render_appearances(2, (key,))[key])


def test_appearances_are_made_by_one_randomiser_which_copies_no_values_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, copied, copies = list[Any](), list[Any](), MujocoEngine.model_values
    monkeypatch.setattr(appearances, "Randomiser", lambda *a, **how: made.append(a) or Randomiser(*a, **how))
    monkeypatch.setattr(MujocoEngine, "model_values", lambda self: copied.append(self) or copies(self))
    env = task_env("robossl/RingCorridor-v0", 2)
    env.reset()
    copied.clear()
    for _ in range(2):
        env.render_appearances(3, ("rgb_front",))
    assert len(made) == 1
    assert copied == 2 * [env.engine]  # what the episodes themselves have
