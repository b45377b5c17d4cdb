"""The simulated arm moves as the real one: both ways to compute a step, on thousands of arms."""

from typing import Any

import array_api_compat.torch as torch
import numpy as np
import pytest
from numpy.typing import NDArray

from robossl.core.inverse_kinematics import damped_targets, pose_error
from robossl.envs.tasks import panda
from robossl.envs.tasks.arm_kinematics import steer

NUM_ARMS = 3000
PERIOD_S = 0.04
LOW, HIGH = panda.POSITION_MIN_RAD, panda.POSITION_MAX_RAD
Arms = tuple[NDArray[np.float64], ...]


def arms(kind: str, far_m: float = 0.1) -> Arms:
    """Returns joint positions, anchors, axes, tools and how they are turned, targets."""
    rng = np.random.default_rng(0)
    joint_pos = rng.uniform(LOW, HIGH, (NUM_ARMS, 7))
    at_limit = rng.uniform(size=joint_pos.shape) < 0.3
    joint_pos[at_limit] = np.where(rng.uniform(size=joint_pos.shape) < 0.5, LOW, HIGH)[at_limit]
    anchor, axis, tool, way = (rng.normal(size=(NUM_ARMS, *shape)) for shape in ((7, 3), (7, 3), (3,), (3,)))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    if kind == "a direction is lost":
        axis[:, :, 2] = 0.0
    elif kind == "a direction is nearly lost":
        axis[:, :, 2] *= 10.0 ** rng.uniform(-12, -1, (NUM_ARMS, 1))
    elif kind == "joints do the same":
        anchor[:, 2:5], axis[:, 2:5] = anchor[:, 2:3], axis[:, 2:3]
    elif kind == "nothing moves":
        axis[:] = 0.0
    turn = np.linalg.qr(rng.normal(size=(NUM_ARMS, 3, 3)))[0]
    return joint_pos, anchor, axis, tool, turn.reshape(NUM_ARMS, 9), tool + far_m * way


def compiled(parts: Arms, config: panda.IKConfig) -> NDArray[np.float64]:
    joint_pos, *frames, target = parts
    rows = (np.ascontiguousarray(np.moveaxis(part, 0, -1)) for part in frames)
    return np.asarray(steer(joint_pos, *rows, target, panda.TOOL_DOWN, *panda.tuning(PERIOD_S, config)))


def in_arrays(xp: Any, parts: Arms, config: panda.IKConfig) -> NDArray[np.float64]:
    """Computes as a robot's bridge does in numpy, and engines do whose arrays are torch's."""
    joint_pos, anchor, axis, tool, turn, target, down = map(xp.asarray, (*parts, panda.TOOL_DOWN))
    tuning = [xp.asarray(part) if isinstance(part, np.ndarray) else part for part in panda.tuning(PERIOD_S, config)]
    error = pose_error(xp, tool, turn.reshape(-1, 3, 3), target, down)
    jacobian = panda.tool_jacobian(xp, anchor, axis, tool)
    return np.asarray(damped_targets(xp, joint_pos, jacobian, error, *tuning))


@pytest.mark.parametrize(
    "kind", ["usual", "a direction is lost", "a direction is nearly lost", "joints do the same", "nothing moves"]
)
@pytest.mark.parametrize("far_m", [0.0, 1e-3, 10.0])
def test_a_step_is_the_one_that_the_robots_bridge_makes(kind: str, far_m: float) -> None:
    parts, config = arms(kind, far_m), panda.IKConfig()
    ours = compiled(parts, config)
    np.testing.assert_allclose(ours, in_arrays(np, parts, config), rtol=0, atol=1e-9)
    assert ((ours >= LOW) & (ours <= HIGH)).all()
    assert np.abs(ours - parts[0]).max() > 1e-3


def test_hardly_any_damping_where_a_direction_is_lost_gives_a_step_all_the_same() -> None:
    parts = arms("a direction is lost")
    ours = compiled(parts, panda.IKConfig(damping=1e-9))
    assert (np.abs(ours - parts[0]) <= panda.VELOCITY_MAX_RAD_S * PERIOD_S + 1e-12).all()


def test_an_arm_does_not_depend_on_how_many_others_there_are() -> None:
    parts, config = arms("usual"), panda.IKConfig()
    together = compiled(parts, config)
    for arm in range(0, NUM_ARMS, 100):
        alone = compiled(tuple(part[arm : arm + 1] for part in parts), config)
        np.testing.assert_array_equal(alone[0], together[arm])


def test_joints_beside_the_arms_own_are_left_out() -> None:
    joint_pos, anchor, axis, *others = arms("usual")
    more = np.full((NUM_ARMS, 2, 3), np.nan)
    wide = np.concatenate([joint_pos, more[..., 0]], axis=1)
    parts = wide, np.concatenate([anchor, more], axis=1), np.concatenate([axis, more], axis=1), *others
    config = panda.IKConfig()
    np.testing.assert_array_equal(compiled(parts, config), compiled((joint_pos, anchor, axis, *others), config))


def test_torch_computes_the_arm_as_numpy_does() -> None:
    parts, config = arms("usual"), panda.IKConfig()
    np.testing.assert_allclose(in_arrays(torch, parts, config), in_arrays(np, parts, config), rtol=0, atol=1e-10)
