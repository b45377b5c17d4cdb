"""What pushing means: where things start, what moves what, what counts. See test_conformance for the rest."""

import numpy as np
import pytest
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.config import EnvConfig, WorldSeed
from robossl.envs.task_env import TaskEnv
from robossl.envs.tasks import panda
from robossl.envs.tasks.arm_push import ArmPush, ArmPushConfig

ID = "robossl/ArmPush-v0"
BLOCK = slice(7, 14)  # in qpos, after the arm


def make(num_worlds: int, config: ArmPushConfig | None = None, **options: object) -> TaskEnv:
    env = TaskEnv(ArmPush(config), EnvConfig(id=ID, num_worlds=num_worlds, **options), WorldSeed(seed=1))
    env.reset()
    return env


def put_block(env: TaskEnv, world: int, position_w: NDArray[np.float32]) -> None:
    pose = np.concatenate([position_w, [1, 0, 0, 0]])
    qpos = env.engine.read("qpos")[[world]]
    qpos[0, BLOCK] = pose
    env.engine.write("qpos", qpos, np.array([world]))
    env.engine.forward()


def test_expert_succeeds_in_every_world() -> None:
    env = make(32)
    expert, ended = env.expert(), np.zeros(32, bool)
    assert expert is not None
    for _ in range(env.spec.max_episode_steps):
        batch = env.step(expert.act({}, env.privileged()))
        assert not batch.terminated.any()
        ended |= batch.truncated
    assert ended.all()
    assert batch.info["success"].mean() >= 0.95
    assert batch.info["metric/distance"].mean() < 0.03


def test_standing_still_moves_nothing_and_never_succeeds() -> None:
    env = make(8)
    before = env.privileged()
    for _ in range(40):
        batch = env.step(np.zeros((8, 3)))
    after = env.privileged()
    for key in ("tool_position", "block_position"):
        np.testing.assert_allclose(after[key], before[key], atol=2e-3)
    np.testing.assert_allclose(batch.info["metric/pushed"], 0, atol=1e-3)
    assert not batch.info["success"].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_actions_move_the_tool_in_metres_while_it_points_down(axis: int) -> None:
    env = make(4)
    action = np.zeros((4, 3))
    action[:, axis] = [0.25, 0.5, 0.25, 0.5]
    before = env.privileged()["tool_position"]
    for _ in range(6):
        env.step(action)
    for _ in range(8):
        env.step(np.zeros((4, 3)))
    np.testing.assert_allclose(env.privileged()["tool_position"] - before, 6 * 0.02 * action, atol=4e-3)
    rotation = env.engine.read("site_xmat")[:, env.engine.model.site("tool").id].reshape(4, 3, 3)
    np.testing.assert_allclose(rotation, np.broadcast_to(panda.TOOL_DOWN, (4, 3, 3)), atol=0.02)


def test_tool_stays_in_its_box_and_joints_within_their_limits() -> None:
    env = make(8)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    for step in range(99):
        env.step(corners if step < 50 else -corners)
        joint_pos, joint_vel = env.engine.read("qpos")[:, :7], env.engine.read("qvel")[:, :7]
        assert (joint_pos >= panda.POSITION_MIN_RAD - 0.01).all()
        assert (joint_pos <= panda.POSITION_MAX_RAD + 0.01).all()
        assert (np.abs(joint_vel) <= panda.VELOCITY_MAX_RAD_S).all()
        tool = env.privileged()["tool_position"]
        assert (tool >= np.array([0.35, -0.24, 0.01]) - 0.02).all()
        assert (tool <= np.array([0.75, 0.24, 0.12]) + 0.02).all()
    settled = np.where(corners < 0, [0.75, 0.24, 0.12], [0.35, -0.24, 0.01])
    np.testing.assert_allclose(tool, settled, atol=5e-3)


def test_starts_are_in_the_region_and_far_enough_from_the_goal() -> None:
    env = make(256)
    state, values = env.privileged(), env.model_values()
    block, goal = state["block_position"], state["goal_position"]
    for place in (block, goal):
        assert (np.abs(place[:, :2] - [0.55, 0.0]) <= [0.09, 0.13]).all()
        np.testing.assert_allclose(place[:, :2].min(axis=0), [0.46, -0.13], atol=0.01)
        np.testing.assert_allclose(place[:, :2].max(axis=0), [0.64, 0.13], atol=0.01)
    assert (np.linalg.norm(goal - block[:, :2], axis=1) >= 0.1 - 1e-6).all()
    model = env.engine.model
    mass = values["body_mass"][:, model.body("block").id]
    friction = values["geom_friction"][:, model.geom("block_box").id, 0]
    for drawn, low, high in ((mass, 0.05, 0.2), (friction, 0.3, 0.7)):
        assert low <= drawn.min() < low + 0.02
        assert high - 0.02 < drawn.max() <= high
    assert set(values) == set(env.task.spec.random_fields)


def test_a_heavy_block_has_the_inertia_of_a_heavy_block() -> None:
    env = make(4)
    block = env.engine.model.body("block").id
    mass = env.model_values()["body_mass"][:, block]
    inertia = env.engine.batch.expand("body_inertia")[:, block]
    np.testing.assert_allclose(inertia, np.repeat(mass[:, None] * 0.048**2 / 6, 3, axis=1))


def test_success_is_kept_until_the_episode_ends() -> None:
    env = make(3)
    goal = env.privileged()["goal_position"]
    put_block(env, 1, np.append(goal[1] + [0.045, 0.0], 0.024))
    assert env.step(np.zeros((3, 3))).info["success"].tolist() == [False, True, False]
    put_block(env, 1, np.append(goal[1] + [0.055, 0.0], 0.024))
    batch = env.step(np.zeros((3, 3)))
    assert batch.info["success"].tolist() == [False, True, False]
    assert batch.info["reward/at_goal"].tolist() == [0, 0, 0]
    np.testing.assert_allclose(batch.info["metric/min_distance"][1], 0.045, atol=1e-3)
    np.testing.assert_allclose(batch.info["metric/distance"][1], 0.055, atol=1e-3)
    for _ in range(98):
        batch = env.step(np.zeros((3, 3)))
    assert batch.truncated.all()
    assert batch.info["success"].tolist() == [False, True, False]
    assert not env.step(np.zeros((3, 3))).info["success"].any()


def test_a_block_that_falls_ends_its_episode_without_success() -> None:
    env = make(3)
    put_block(env, 2, np.array([0.55, 0.32, 0.024], np.float32))
    ended = np.zeros(3, bool)
    for _ in range(10):
        batch = env.step(np.zeros((3, 3)))
        assert not batch.truncated.any()
        assert not batch.info["success"].any()
        ended |= batch.terminated
        if batch.terminated[2]:
            assert batch.final_ids.tolist() == [2]
            assert batch.final_obs["object"][0, 2] < -0.05
            break
    assert ended.tolist() == [False, False, True]


def test_reward_prefers_the_side_of_the_block_that_faces_away_from_the_goal() -> None:
    env = make(2)
    state = env.privileged()
    tool = state["tool_position"]
    ahead = (state["goal_position"] - state["block_position"][:, :2])[0]
    ahead /= np.linalg.norm(ahead)
    for world, side in ((0, 1.0), (1, -1.0)):  # the tool is behind the block, then between block and goal
        block = tool[world].copy()
        block[:2] += side * 0.039 * ahead
        block[2] = 0.024
        goal = np.append(block[:2] + 0.15 * ahead, 0.001)
        put_block(env, world, block)
        env.engine.write("mocap_pos", goal[None, None], np.array([world]))
    reach = env.step(np.zeros((2, 3))).info["reward/reach"]
    assert reach[0] > reach[1] + 0.25


def test_goal_and_block_are_seen_by_the_static_camera() -> None:
    env = make(16, observations=("segmentation_static", "rgb_static"))
    obs, model = env.step(np.zeros((16, 3))).obs, env.engine.model
    for name, least_pixels in (("goal_disc", 20), ("block_box", 15)):
        seen = obs["segmentation_static"] == model.geom(name).id
        assert (seen.sum(axis=(1, 2, 3)) >= least_pixels).all(), name
    red, green, blue = np.moveaxis(obs["rgb_static"].astype(int), -1, 0)
    is_goal = obs["segmentation_static"][..., 0] == model.geom("goal_disc").id
    assert (green > red + 30)[is_goal].mean() > 0.9
    assert (green > blue + 30)[is_goal].mean() > 0.9


def test_the_disc_has_the_size_that_counts() -> None:
    model = ArmPush(ArmPush.levels["hard"]).build_model()
    np.testing.assert_allclose(model.geom("goal_disc").size, [0.025, 0.0005, 0])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"step_m": 0.0}, "step_m"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"min_push_m": 0.05}, "min_push_m"),
    ],
)
def test_impossible_configs_are_refused(options: dict, name: str) -> None:
    with pytest.raises(UserError, match=name):
        ArmPushConfig(**options)
