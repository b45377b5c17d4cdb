from importlib.resources import files
from pathlib import Path

import mujoco
import numpy as np
import pytest
from deploy_robots import arm
from deploy_robots import panda_tool as panda_geometry

from robossl.deploy.kinematics import ToolKinematics


def test_a_planar_arm_is_where_trigonometry_says() -> None:
    geometry = arm(tool=True).tool
    assert geometry is not None
    q = np.array([[0.3, 0.5]])
    expected = [0.5 * np.cos(0.3) + 0.5 * np.cos(0.8), 0.5 * np.sin(0.3) + 0.5 * np.sin(0.8), 0.0]
    np.testing.assert_allclose(ToolKinematics(geometry).positions(q)[0], expected, atol=1e-12)


def test_the_panda_is_where_the_simulated_one_is() -> None:
    model = mujoco.MjModel.from_xml_path(str(Path(str(files("robossl.assets") / "arm_push" / "arm_push.xml"))))
    data, tool = mujoco.MjData(model), model.site("tool").id
    kinematics, rng = ToolKinematics(panda_geometry()), np.random.default_rng(0)
    for _ in range(5):
        data.qpos[:7] = rng.uniform(-1, 1, 7)
        mujoco.mj_forward(model, data)
        position, rotation, jacobian = kinematics.jacobian(data.qpos[:7])
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        mujoco.mj_jacSite(model, data, linear, angular, tool)
        np.testing.assert_allclose(position, data.site_xpos[tool], atol=1e-9)
        np.testing.assert_allclose(rotation.ravel(), data.site_xmat[tool], atol=1e-9)
        np.testing.assert_allclose(jacobian, np.concatenate([linear, angular])[:, :7], atol=1e-9)


def test_many_poses_at_once_equal_one_by_one() -> None:
    kinematics, q = ToolKinematics(panda_geometry()), np.random.default_rng(1).uniform(-1, 1, (6, 7))
    np.testing.assert_array_equal(kinematics.positions(q), [kinematics.positions(row[None])[0] for row in q])


def test_the_foot_moves_the_tool() -> None:
    moved = ToolKinematics(panda_geometry(base_w_m=(1.0, 2.0, 3.0)))
    q = np.zeros((1, 7))
    difference = moved.positions(q) - ToolKinematics(panda_geometry()).positions(q)
    assert difference[0] == pytest.approx([1.0, 2.0, 3.0])
