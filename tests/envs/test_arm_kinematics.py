"""The simulated arm moves as the real one: both ways to compute a step, on thousands of arms."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from robossl.core.inverse_kinematics import damped_targets
from robossl.envs.tasks import panda
from robossl.envs.tasks.arm_kinematics import damped_steps

NUM_ARMS = 3000
LOW, HIGH = panda.POSITION_MIN_RAD, panda.POSITION_MAX_RAD


def jacobians(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    jacobian = rng.normal(size=(NUM_ARMS, 6, 7))
    if kind == "a direction is lost":
        jacobian[:, 4] = 2 * jacobian[:, 1] - jacobian[:, 0]
    elif kind == "a direction is nearly lost":
        jacobian[:, 2] *= 10.0 ** rng.uniform(-12, -1, (NUM_ARMS, 1))
    elif kind == "joints do the same":
        jacobian[:, :, 2] = jacobian[:, :, 4] = jacobian[:, :, 6]
    elif kind == "nothing moves":
        jacobian[:] = 0.0
    return jacobian


def options(damping: float = 0.03) -> dict[str, Any]:
    return {
        "posture": np.array(panda.IKConfig().posture_rad),
        "posture_gain": 0.1,
        "damping": damping,
        "greatest_step": panda.VELOCITY_MAX_RAD_S * 0.08,
        "low": LOW,
        "high": HIGH,
    }


@pytest.mark.parametrize(
    "kind", ["usual", "a direction is lost", "a direction is nearly lost", "joints do the same", "nothing moves"]
)
@pytest.mark.parametrize("far", [0.0, 1e-3, 10.0])
def test_a_step_is_the_one_that_the_robots_bridge_makes(kind: str, far: float) -> None:
    rng = np.random.default_rng(0)
    joint_pos = rng.uniform(LOW, HIGH, (NUM_ARMS, 7))
    at_limit = rng.uniform(size=joint_pos.shape) < 0.3
    joint_pos[at_limit] = np.where(rng.uniform(size=joint_pos.shape) < 0.5, LOW, HIGH)[at_limit]
    error = far * rng.normal(size=(NUM_ARMS, 6))
    jacobian = jacobians(kind, rng)
    ours = damped_steps(joint_pos, jacobian, error, **options())
    theirs = damped_targets(np, joint_pos, jacobian, error, **options())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert ((ours >= LOW) & (ours <= HIGH)).all()
    assert np.abs(ours - joint_pos).max() > 1e-3


def test_hardly_any_damping_where_a_direction_is_lost_gives_a_step_all_the_same() -> None:
    rng = np.random.default_rng(1)
    joint_pos, error = rng.uniform(LOW, HIGH, (NUM_ARMS, 7)), 0.1 * rng.normal(size=(NUM_ARMS, 6))
    ours = damped_steps(joint_pos, jacobians("a direction is lost", rng), error, **options(damping=1e-9))
    assert (np.abs(ours - joint_pos) <= panda.VELOCITY_MAX_RAD_S * 0.08 + 1e-12).all()


def test_torch_computes_the_arm_as_numpy_does() -> None:
    rng = np.random.default_rng(2)
    anchor, axis, tool = rng.normal(size=(64, 7, 3)), rng.normal(size=(64, 7, 3)), rng.normal(size=(64, 3))
    rotation, joint_pos = rng.normal(size=(64, 3, 3)), rng.uniform(LOW, HIGH, (64, 7))

    def step(*arrays):  # type: ignore[no-untyped-def]
        anchor, axis, tool, rotation, joint_pos = arrays
        error = 0.01 * panda.pose_error(tool, rotation, 2 * tool)
        jacobian = panda.tool_jacobian(anchor, axis, tool)
        return panda.joint_targets(joint_pos, jacobian, error, period_s=0.08, config=panda.IKConfig())

    arrays = anchor, axis, tool, rotation, joint_pos
    np.testing.assert_allclose(step(*map(torch.from_numpy, arrays)).numpy(), step(*arrays), rtol=0, atol=1e-12)
