"""Normals, ids of bodies and objects, optical flow and stereo pairs against geometry done by hand."""

import cv2
import numpy as np
import pytest

from robossl.core import CameraSpec, UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import make_renderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.sensors import stereo

FOCAL_PX = 60.0  # of 120 rows at 90 degrees
SCENE = """
<mujoco>
  <asset>
    <texture name="noise" type="2d" builtin="flat" mark="random" random="0.4" rgb1="0.2 0.3 0.4" markrgb="0.9 0.8 0.6"
      width="64" height="64"/>
    <material name="noise" texture="noise" texrepeat="0.06 0.06" texuniform="true"/>
  </asset>
  <worldbody>
    <body name="eye" mocap="true" pos="0 0 4">
      <camera name="eye" fovy="90"/>
    </body>
    <geom name="floor" type="plane" size="50 50 1" material="noise"/>
    <body name="cart" mocap="true" pos="0.4 0.2 0.5">
      <geom name="cart" type="box" size="1 0.8 0.5" material="noise"/>
    </body>
    <body name="arm" pos="-3 0 1">
      <joint name="turn" axis="0 0 1"/>
      <geom name="upper" type="sphere" size="0.3" mass="1"/>
      <body name="hand" pos="0 1 0">
        <geom name="hand" type="sphere" size="0.3" mass="1"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
EYE = (CameraSpec(name="eye", width=160, height=120),)
LEVEL = [1.0, 0, 0, 0]


class Scene:
    """Two worlds that are moved by hand."""

    def __init__(self, *keys: str, cameras: tuple[CameraSpec, ...] = EYE, xml: str = SCENE) -> None:
        self.engine = MujocoEngine(load_model(xml), 2, 1)
        self.last = LastPoses(self.engine)
        self.renderer = make_renderer("raycast", self.engine, cameras, keys, self.last)
        self.engine.reset(np.arange(2))
        self.engine.forward()
        self.last.keep()

    def move(self, *, eye: list[float], cart: list[float], eye_quat: list[float] = LEVEL) -> None:
        """Moves eye and cart of world 1; world 0 stands still."""
        self.last.keep()
        quat = np.array(eye_quat) / np.linalg.norm(eye_quat)
        self.engine.write("mocap_pos", np.array([[eye, cart]]), np.array([1]))
        self.engine.write("mocap_quat", np.array([[quat, LEVEL]]), np.array([1]))
        self.engine.forward()


def turned(axis: int, angle: float) -> list[float]:
    quat = [np.cos(angle / 2), 0.0, 0.0, 0.0]
    quat[1 + axis] = float(np.sin(angle / 2))
    return quat


def test_nothing_moves_in_a_scene_that_stands_still() -> None:
    scene = Scene("flow_eye")
    np.testing.assert_allclose(scene.renderer.render()["flow_eye"], 0, atol=1e-5)


def test_a_plane_that_the_camera_passes_flows_by_focal_length_over_depth() -> None:
    scene = Scene("flow_eye", "segmentation_eye")
    scene.move(eye=[0.1, -0.2, 4], cart=[0.4, 0.2, 0.5])
    pictures = scene.renderer.render()
    flow, geom = pictures["flow_eye"][1], pictures["segmentation_eye"][1, ..., 0]
    model = scene.engine.model
    for name, depth in (("floor", 4.0), ("cart", 3.0)):  # the picture's right is +x, its down is -y
        seen = flow[geom == model.geom(name).id]
        expected = [-0.1 * FOCAL_PX / depth, -0.2 * FOCAL_PX / depth]
        inside = seen if name == "floor" else seen[np.abs(seen - expected).max(axis=1) < 0.5]
        assert len(inside) > 0.7 * len(seen)  # the cart's sides are farther away than its top
        np.testing.assert_allclose(inside[:100], [expected] * 100, atol=2e-4)
    np.testing.assert_allclose(pictures["flow_eye"][0], 0, atol=1e-5)


def test_only_the_thing_that_moves_flows() -> None:
    scene = Scene("flow_eye", "segmentation_eye", "depth_eye")
    scene.move(eye=[0, 0, 4], cart=[0.7, 0.2, 0.5])
    pictures = scene.renderer.render()
    on_top = (pictures["segmentation_eye"][1, ..., 0] == 1) & np.isclose(pictures["depth_eye"][1, ..., 0], 3.0)
    assert on_top.sum() > 500
    np.testing.assert_allclose(pictures["flow_eye"][1][on_top], [[0.3 * FOCAL_PX / 3, 0]] * on_top.sum(), atol=2e-4)
    np.testing.assert_allclose(pictures["flow_eye"][1][pictures["segmentation_eye"][1, ..., 0] == 0], 0, atol=1e-4)


def test_a_turn_about_the_optical_axis_flows_in_circles() -> None:
    scene = Scene("flow_eye")
    angle = 0.1
    scene.move(eye=[0, 0, 4], cart=[0.4, 0.2, 0.5], eye_quat=turned(2, angle))
    x, y = np.meshgrid(np.arange(160) - 79.5, np.arange(120) - 59.5)
    # The camera turned anticlockwise, so the picture clockwise: from where each pixel had been, by the angle.
    before = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    expected = np.stack([x - before[0], y - before[1]], axis=-1)
    np.testing.assert_allclose(scene.renderer.render()["flow_eye"][1], expected, atol=2e-3)


def test_the_sky_flows_when_the_camera_turns_and_not_when_it_moves() -> None:
    sky = "<mujoco><worldbody><body name='eye' mocap='true'><camera name='eye' fovy='90'/></body></worldbody></mujoco>"
    scene = Scene("flow_eye", xml=sky)
    scene.last.keep()
    scene.engine.write("mocap_pos", np.array([[[5.0, 0, 0]]]), np.array([0]))
    scene.engine.write("mocap_quat", np.array([[turned(1, 0.05)]]), np.array([1]))
    scene.engine.forward()
    flow = scene.renderer.render()["flow_eye"]
    np.testing.assert_allclose(flow[0], 0, atol=1e-5)
    middle = flow[1, 59:61, 79:81].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, [FOCAL_PX * np.tan(0.05), 0], atol=2e-2)  # looking more to the left


def test_warping_by_the_flow_gives_the_picture_before() -> None:
    scene = Scene("rgb_eye", "flow_eye", "segmentation_eye")
    before = scene.renderer.render()["rgb_eye"][1].astype(np.float32)
    scene.move(eye=[0.05, 0.1, 3.9], cart=[0.6, 0.1, 0.5], eye_quat=[1, 0.01, 0.02, 0.03])
    pictures = scene.renderer.render()
    now, flow = pictures["rgb_eye"][1].astype(np.float32), pictures["flow_eye"][1]
    x, y = np.meshgrid(np.arange(160, dtype=np.float32), np.arange(120, dtype=np.float32))
    warped = cv2.remap(before, x - flow[..., 0], y - flow[..., 1], cv2.INTER_LINEAR)
    inner = (slice(12, -12), slice(12, -12))
    error, unmoved = (np.abs(other[inner] - now[inner]).mean() for other in (warped, before))
    assert error < 0.25 * unmoved


def test_what_was_behind_the_camera_does_not_flow() -> None:
    scene = Scene("flow_eye")
    scene.move(eye=[0, 0, 4], cart=[0.4, 0.2, 6.5])
    scene.move(eye=[0, 0, 4], cart=[0.4, 0.2, 0.5])
    flow = scene.renderer.render()["flow_eye"][1]
    assert np.isfinite(flow).all()
    np.testing.assert_array_equal(flow[50:60, 90:95], 0)


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.7])
def test_normals_of_a_tilted_plane(angle: float) -> None:
    scene = Scene("normals_eye", "segmentation_eye")
    scene.move(eye=[0, -20, 4], cart=[30, 30, 0.5], eye_quat=turned(0, angle))
    pictures = scene.renderer.render()
    floor = pictures["segmentation_eye"][1, ..., 0] == 0
    # In the camera's frame (right, up, backwards) the floor's upward normal turns by the opposite angle.
    np.testing.assert_allclose(pictures["normals_eye"][1][floor], [[0, -np.sin(-angle), np.cos(angle)]] * floor.sum(),
                               atol=1e-6)  # fmt: skip
    np.testing.assert_array_equal(pictures["normals_eye"][1][~floor], 0)


def test_normals_of_a_sphere_point_from_its_centre() -> None:
    scene = Scene("normals_eye", "segmentation_eye", "depth_eye")
    scene.move(eye=[-3, 0, 4], cart=[30, 30, 0.5])
    pictures = scene.renderer.render()
    ball = pictures["segmentation_eye"][1, ..., 0] == scene.engine.model.geom("upper").id
    x, y = np.meshgrid((np.arange(160) - 79.5) / FOCAL_PX, (59.5 - np.arange(120)) / FOCAL_PX)
    depth = pictures["depth_eye"][1, ..., 0]
    point = np.stack([x * depth, y * depth, -depth], axis=-1)[ball]
    expected = (point - [0, 0, -3]) / 0.3
    assert ball.sum() > 50
    np.testing.assert_allclose(pictures["normals_eye"][1][ball], expected, atol=1e-4)


def test_ids_of_geoms_bodies_and_objects() -> None:
    scene = Scene("segmentation_eye", "bodies_eye", "objects_eye")
    scene.move(eye=[-3, 0.5, 4], cart=[30, 30, 0.5])
    pictures = scene.renderer.render()
    model = scene.engine.model
    geom, body, whole = (pictures[f"{name}_eye"][1, ..., 0] for name in ("segmentation", "bodies", "objects"))
    arm, hand = model.body("arm").id, model.body("hand").id
    for name, body_id, object_id in (("upper", arm, arm), ("hand", hand, arm), ("floor", 0, 0)):
        seen = geom == model.geom(name).id
        assert seen.any()
        assert set(body[seen]) == {body_id}
        assert set(whole[seen]) == {object_id}
    assert (body[geom < 0] == -1).all()


def test_a_stereo_pair_sees_disparity_of_baseline_over_depth() -> None:
    eyes = stereo("eye", width=160, height=120, baseline_m=0.2)
    assert [camera.name for camera in eyes] == ["eye_left", "eye_right"]
    scene = Scene("segmentation_eye_left", "segmentation_eye_right", "depth_eye_left", "segmentation_eye",
                  cameras=(*EYE, *eyes))  # fmt: skip
    scene.move(eye=[0, 0, 4], cart=[0.4, 0.2, 0.5], eye_quat=turned(2, np.pi / 2))  # right is now +y
    pictures = scene.renderer.render()
    middles = [
        np.argwhere(pictures[f"segmentation_{name}"][1, ..., 0] == 1).mean(axis=0)
        for name in ("eye_left", "eye", "eye_right")
    ]
    np.testing.assert_allclose(middles[0] - middles[2], [0, 0.2 * FOCAL_PX / 3], atol=0.5)
    np.testing.assert_allclose(middles[0] - middles[1], [0, 0.1 * FOCAL_PX / 3], atol=0.5)


def test_a_renderer_that_cannot_draw_normals_says_so() -> None:
    engine = MujocoEngine(load_model(SCENE), 1, 1)
    with pytest.raises(UserError, match="'gl' does not draw 'normals_eye'; `raycast` does"):
        make_renderer("gl", engine, EYE, ("normals_eye",))
