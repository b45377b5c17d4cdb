"""The arm against its published numbers, typed here a second time, and the inverse kinematics."""

from importlib.resources import files

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.core.inverse_kinematics import damped_targets, pose_error
from robossl.envs.tasks import panda

# Franka Control Interface documentation, "Robot and interface specifications":
# a_{i-1} (m), alpha_{i-1} (rad), d_i (m) for the joints 1-7 and the flange, after Craig.
DH = [
    (0, 0, 0.333),
    (0, -np.pi / 2, 0),
    (0, np.pi / 2, 0.316),
    (0.0825, np.pi / 2, 0),
    (-0.0825, -np.pi / 2, 0.384),
    (0, np.pi / 2, 0),
    (0.088, np.pi / 2, 0),
    (0, 0, 0.107),
]
# q_min, q_max (rad), greatest velocity (rad/s) and torque (N m) of the joints 1-7.
LIMITS = np.array(
    [
        (-2.8973, 2.8973, 2.1750, 87),
        (-1.7628, 1.7628, 2.1750, 87),
        (-2.8973, 2.8973, 2.1750, 87),
        (-3.0718, -0.0698, 2.1750, 87),
        (-2.8973, 2.8973, 2.6100, 12),
        (-0.0175, 3.7525, 2.6100, 12),
        (-2.8973, 2.8973, 2.6100, 12),
    ]
)
PERIOD_S = 0.04


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(files("robossl.assets") / "arm_push" / "arm_push.xml"))


def flange_pose(joint_pos: NDArray[np.float64]) -> NDArray[np.float64]:
    pose = np.eye(4)
    for (a, alpha, d), theta in zip(DH, [*joint_pos, 0.0], strict=True):
        about_x, along_x, about_z, along_z = (np.eye(4) for _ in range(4))
        about_x[1:3, 1:3] = [[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]]
        about_z[:2, :2] = [[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]
        along_x[0, 3], along_z[2, 3] = a, d
        pose = pose @ about_x @ along_x @ about_z @ along_z
    return pose


def test_flange_is_where_the_published_table_puts_it(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    for _ in range(20):
        data.qpos[:7] = rng.uniform(LIMITS[:, 0], LIMITS[:, 1])
        mujoco.mj_kinematics(model, data)
        expected = flange_pose(data.qpos[:7])
        flange = data.site("flange")
        np.testing.assert_allclose(flange.xpos, expected[:3, 3], atol=1e-12)
        np.testing.assert_allclose(flange.xmat.reshape(3, 3), expected[:3, :3], atol=1e-12)


def test_flange_of_the_zero_pose_points_down_beside_the_column(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    np.testing.assert_allclose(data.site("flange").xpos, [0.088, 0, 0.926], atol=1e-12)
    np.testing.assert_allclose(data.site("flange").xmat.reshape(3, 3), np.diag([1, -1, -1]), atol=1e-12)


def test_model_and_module_have_the_published_limits(model: mujoco.MjModel) -> None:
    np.testing.assert_array_equal(model.jnt_range[:7], LIMITS[:, :2])
    np.testing.assert_allclose(model.actuator_ctrlrange, LIMITS[:, :2], atol=1e-12)
    np.testing.assert_array_equal(model.actuator_forcerange, np.outer(LIMITS[:, 3], [-1, 1]))
    np.testing.assert_array_equal(panda.POSITION_MIN_RAD, LIMITS[:, 0])
    np.testing.assert_array_equal(panda.POSITION_MAX_RAD, LIMITS[:, 1])
    np.testing.assert_array_equal(panda.VELOCITY_MAX_RAD_S, LIMITS[:, 2])


def test_tool_jacobian_is_that_of_the_engine(model: mujoco.MjModel) -> None:
    data, rng = mujoco.MjData(model), np.random.default_rng(3)
    hand = model.body("hand").id
    anchors, axes, points, expected = [], [], [], []
    for _ in range(10):
        data.qpos[:7] = rng.uniform(LIMITS[:, 0], LIMITS[:, 1])
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        jacobian = np.zeros((6, model.nv))
        point = data.xpos[hand] + rng.normal(size=3)
        mujoco.mj_jac(model, data, jacobian[:3], jacobian[3:], point, hand)
        anchors.append(data.xanchor[:7].copy())
        axes.append(data.xaxis[:7].copy())
        points.append(point)
        expected.append(jacobian[:, :7])
    actual = panda.tool_jacobian(np, np.array(anchors), np.array(axes), np.array(points))
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_gravity_is_compensated(model: mujoco.MjModel) -> None:
    data = mujoco.MjData(model)
    data.qpos[:7] = data.ctrl[:] = panda.IKConfig().posture_rad
    mujoco.mj_step(model, data, 400)
    np.testing.assert_allclose(data.qpos[:7], panda.IKConfig().posture_rad, atol=1e-6)
    np.testing.assert_allclose(data.actuator_force, 0, atol=1e-3)


def test_inverse_kinematics_reaches_poses_within_the_limits(model: mujoco.MjModel) -> None:
    data, config = mujoco.MjData(model), panda.IKConfig()
    rng, tuning = np.random.default_rng(1), panda.tuning(PERIOD_S, config)
    q = np.array(config.posture_rad)
    for target in rng.uniform([0.35, -0.24, 0.01], [0.75, 0.24, 0.12], (40, 3)):
        for _ in range(25):
            error, jacobian = _pose_error(model, data, q, target)
            new = damped_targets(np, q[None], jacobian[None], error[None], *tuning)[0]
            assert (np.abs(new - q) <= LIMITS[:, 2] * PERIOD_S + 1e-12).all()
            assert (new >= LIMITS[:, 0]).all()
            assert (new <= LIMITS[:, 1]).all()
            q = new
        error, _ = _pose_error(model, data, q, target)
        assert np.linalg.norm(error[:3]) < 0.005
        assert np.linalg.norm(error[3:]) < 0.02


def test_inverse_kinematics_stops_at_a_joint_limit() -> None:
    config = panda.IKConfig(posture_gain=0.0)
    q = LIMITS[None, :, 1] - 0.01
    jacobian = np.zeros((1, 6, 7))
    jacobian[0, np.arange(6), np.arange(6)] = 1.0
    targets = damped_targets(np, q, jacobian, np.ones((1, 6)), *panda.tuning(PERIOD_S, config))
    np.testing.assert_array_equal(targets[0, :6], LIMITS[:6, 1])


def test_too_fast_a_motion_is_slowed_down_without_turning_aside() -> None:
    config = panda.IKConfig(damping=1e-6, posture_gain=0.0)
    q = np.asarray(panda.IKConfig().posture_rad)[None]
    jacobian = np.zeros((1, 6, 7))
    jacobian[0, np.arange(6), np.arange(6)] = 1.0
    error = np.array([[0.3, -0.6, 0.0, 0.0, 0.0, 0.0]])
    step = damped_targets(np, q, jacobian, error, *panda.tuning(PERIOD_S, config)) - q
    np.testing.assert_allclose(step[0, :2], [0.0435, -0.087], atol=1e-6)


def test_an_arm_does_not_depend_on_how_many_others_there_are() -> None:
    rng = np.random.default_rng(2)
    q, jacobian, error = rng.normal(size=(64, 7)), rng.normal(size=(64, 6, 7)), 0.1 * rng.normal(size=(64, 6))
    tuning = panda.tuning(PERIOD_S, panda.IKConfig())
    together = damped_targets(np, q, jacobian, error, *tuning)
    for i in range(64):
        row = slice(i, i + 1)
        alone = damped_targets(np, q[row], jacobian[row], error[row], *tuning)
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pose_error_is_the_way_and_the_turn_that_are_missing(axis: int) -> None:
    angle = 0.01
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = np.cos(angle)
    turn[j, i], turn[i, j] = np.sin(angle), -np.sin(angle)
    tool, target = np.array([[0.5, 0.0, 0.2]]), np.array([[0.4, 0.1, 0.2]])
    error = pose_error(np, tool, (turn.T @ panda.TOOL_DOWN)[None], target, panda.TOOL_DOWN)
    np.testing.assert_allclose(error, [[-0.1, 0.1, 0.0, *np.sin(angle) * np.eye(3)[axis]]], atol=1e-12)


def test_a_turn_is_half_the_cross_products_of_the_axes_whatever_the_frame() -> None:
    rng = np.random.default_rng(4)
    rotation, wanted = np.linalg.qr(rng.normal(size=(5, 3, 3)))[0], np.eye(3)[[1, 2, 0]]
    error = pose_error(np, np.zeros((5, 3)), rotation, np.ones((5, 3)), wanted)
    turn = sum(np.cross(rotation[:, :, axis], wanted[:, axis]) for axis in range(3)) / 2
    np.testing.assert_allclose(error, np.concatenate([np.ones((5, 3)), turn], axis=1), atol=1e-12)


@pytest.mark.parametrize("options", [{"damping": 0.0}, {"posture_rad": (0.0, 0.0)}])
def test_impossible_tuning_is_refused(options: dict) -> None:
    with pytest.raises(UserError):
        panda.IKConfig(**options)


def _pose_error(
    model: mujoco.MjModel, data: mujoco.MjData, q: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    data.qpos[:7] = q
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    tool = data.site("tool")
    jacobian = np.zeros((6, model.nv))
    mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], tool.id)
    rotation = tool.xmat.reshape(1, 3, 3)
    error = pose_error(np, tool.xpos[None], rotation, target[None], panda.TOOL_DOWN)[0]
    return error, jacobian[:, :7]
