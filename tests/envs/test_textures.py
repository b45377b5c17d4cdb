import mujoco
import numpy as np
import pytest

from robossl.core import CameraSpec, UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import make_renderer

CAMERAS = (CameraSpec(name="above", width=9, height=9),)

TEXTURED = """
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0"/></visual>
  <asset>
    <texture name="red" type="2d" builtin="checker" rgb1="1 0 0" rgb2="0 0 0" width="64" height="64"/>
    <texture name="blue" type="2d" builtin="checker" rgb1="0 0 1" rgb2="1 1 1" width="64" height="64"/>
    <texture name="cube" type="cube" builtin="flat" rgb1="1 1 0" rgb2="0 1 1" width="16" height="16"/>
    <material name="tiles" texture="red" texrepeat="1 1" texuniform="true" rgba="1 1 1 1"/>
    <material name="sides" texture="cube"/>
    <material name="plain" rgba="0.2 0.4 0.6 1"/>
  </asset>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 0.1" material="tiles"/>
    <geom name="{name}" type="{shape}" pos="0 0 -5" size="0.5 0.5 0.5" material="{material}"/>
    <camera name="above" pos="0 0 2" fovy="90"/>
  </worldbody>
</mujoco>
"""


def textured(num_worlds=1, **options):
    xml = TEXTURED.format(**{"name": "thing", "shape": "box", "material": "sides", **options})
    return MujocoEngine(load_model(xml), num_worlds, 1)


def test_a_checker_lies_on_the_floor():
    camera = (CameraSpec(name="above", width=16, height=16),)
    picture = make_renderer("raycast", textured(), camera, ("rgb_above",)).render()["rgb_above"][0]
    centre = (np.arange(16) + 0.5) / 4 - 2  # metres; the image repeats every 2 m: squares of 1 m
    square = np.floor(centre).astype(int)
    expected = (square[:, None] + square[None, :]) % 2 == 0
    assert ((picture[..., 0] == 255) == expected).all()
    assert (picture[..., 0][~expected] == 0).all()
    assert (picture[..., 1:] == 0).all()


def test_far_texels_are_averaged():
    engine = textured()
    engine.randomise("cam_pos", np.array([[[0.0, 0.0, 300.0]]]), np.arange(1))
    engine.forward()
    picture = make_renderer("raycast", engine, CAMERAS, ("rgb_above",)).render()["rgb_above"][0]
    np.testing.assert_allclose(picture[..., 0], 127.5, atol=1.5)


def test_every_world_may_show_another_image_of_the_bank():
    engine = textured(num_worlds=3)
    renderer = make_renderer("raycast", engine, CAMERAS, ("rgb_above",))
    before = renderer.render()["rgb_above"]
    images = np.tile(engine.model.mat_texid, (1, 1, 1))
    role = mujoco.mjtTextureRole.mjTEXROLE_RGB.value
    images[0, engine.model.material("tiles").id, role] = engine.model.texture("blue").id
    engine.randomise("mat_texid", images, np.array([1]))
    images[0, engine.model.material("tiles").id, role] = -1
    engine.randomise("mat_texid", images, np.array([2]))
    after = renderer.render()["rgb_above"]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1][before[0][..., 0] == 255], [[0, 0, 255]] * (before[0][..., 0] == 255).sum())
    np.testing.assert_array_equal(after[1][before[0][..., 0] == 0], 255)
    np.testing.assert_array_equal(after[2], 255)


def test_a_cube_map_has_its_own_image_on_top():
    xml = TEXTURED.format(name="thing", shape="box", material="sides").replace('pos="0 0 -5"', 'pos="0 0 0.5"')
    engine = MujocoEngine(load_model(xml), 1, 1)
    pictures = make_renderer("raycast", engine, CAMERAS, ("rgb_above", "segmentation_above")).render()
    top = pictures["segmentation_above"][0, ..., 0] == engine.model.geom("thing").id
    face = engine.model.tex_data[engine.model.tex_adr[engine.model.texture("cube").id] :][: 16 * 96 * 3]
    expected = face.reshape(6, 16, 16, 3)[4, 8, 8]
    assert top.any()
    np.testing.assert_array_equal(pictures["rgb_above"][0][top], np.tile(expected, (top.sum(), 1)))


PAINTED = """
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0"/></visual>
  <asset>
    <texture name="fade" type="2d" builtin="gradient" rgb1="1 0.2 0" rgb2="0 1 0.6" width="8" height="8"
      mark="edge" markrgb="1 1 1"/>
    <material name="fade" texture="fade" rgba="1 1 1 1"/>
  </asset>
  <worldbody>
    <geom name="box" type="box" size="0.5 0.4 0.3" euler="35 30 30" material="fade"/>
    <camera name="above" pos="0 0 1.6" fovy="50"/>
    <camera name="left" pos="0 1.6 0" xyaxes="-1 0 0 0 0 1" fovy="50"/>
    <camera name="below" pos="0 0 -1.6" xyaxes="1 0 0 0 -1 0" fovy="50"/>
  </worldbody>
</mujoco>
"""


def test_an_image_lies_on_each_face_of_a_box():
    engine, faces = MujocoEngine(load_model(PAINTED), 1, 1), set()
    image = engine.model.tex_data.reshape(8, 8, 3)
    cameras = tuple(CameraSpec(name=name, width=96, height=96) for name in ("above", "left", "below"))
    keys = tuple(f"{kind}_{camera.name}" for camera in cameras for kind in ("rgb", "depth", "segmentation"))
    pictures = make_renderer("raycast", engine, cameras, keys).render()
    half, pos = engine.model.geom_size[0], engine.view("geom_xpos")[0, 0]
    for index, camera in enumerate(cameras):
        seen = pictures[f"segmentation_{camera.name}"][0, ..., 0] == 0
        rows, columns = np.nonzero(seen)
        tan, depth = np.tan(np.deg2rad(25.0)), pictures[f"depth_{camera.name}"][0, ..., 0][seen]
        x, y = (columns + 0.5) / 48 - 1, 1 - (rows + 0.5) / 48
        away = (
            np.stack([x * tan, y * tan, -np.ones(len(x))], axis=1) @ engine.view("cam_xmat")[0, index].reshape(3, 3).T
        )
        point = engine.view("cam_xpos")[0, index] + depth[:, None] * away
        local = (point - pos) @ engine.view("geom_xmat")[0, 0].reshape(3, 3) / half
        across = np.abs(local).argmax(axis=1)
        faces |= {(axis, local[place, axis] > 0) for place, axis in enumerate(across)}
        u, v = np.array([[1, 2], [0, 2], [0, 1]])[across].T  # to the right and down
        every = np.arange(len(local))
        right, down = 4 * (1 + local[every, u]), 4 * (1 - local[every, v])
        expected = image[down.astype(int).clip(0, 7), right.astype(int).clip(0, 7)]
        inside = np.minimum(np.abs(right - np.rint(right)), np.abs(down - np.rint(down))) > 1e-4
        assert inside.mean() > 0.95
        np.testing.assert_array_equal(pictures[f"rgb_{camera.name}"][0][seen][inside], expected[inside])
    assert len(faces) >= 5


UNEVEN = """
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <asset>
    <texture name="fade" type="2d" builtin="gradient" rgb1="1 0.2 0" rgb2="0 1 0.6" width="64" height="64"/>
    <material name="fade" texture="fade" texuniform="{uniform}" texrepeat="{repeat}" specular="0"/>
  </asset>
  <worldbody>
    <geom type="{shape}" size="{size}" pos="0.1 0.05 0" material="fade"/>
    <camera name="front" pos="2 0 0" xyaxes="0 1 0 0 0 1" fovy="45"/>
    <camera name="left" pos="0 2 0" xyaxes="-1 0 0 0 0 1" fovy="45"/>
    <camera name="above" pos="0 0 2" fovy="45"/>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize(
    ("shape", "size", "repeat"),
    [
        ("box", "0.3 0.5 0.4", "2 3"), ("box", "0.25 0.2 0.6", "0.7 1.3"), ("plane", "0.6 0.4 0.1", "2 3"),
        ("plane", "0 0 0.1", "1 2"), ("plane", "0 0.4 0.1", "0.7 1.3"), ("plane", "0.6 0 0.1", "0 2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("uniform", ["true", "false"])
def test_an_image_lies_where_mujocos_renderer_lays_it(shape, size, repeat, uniform):
    engine = MujocoEngine(load_model(UNEVEN.format(shape=shape, size=size, repeat=repeat, uniform=uniform)), 1, 1)
    names = ("front", "left", "above") if shape == "box" else ("above",)
    cameras = tuple(CameraSpec(name=name, width=96, height=96) for name in names)
    keys = tuple(f"{modality}_{name}" for name in names for modality in ("rgb", "segmentation"))
    try:
        theirs = make_renderer("gl", engine, cameras, keys)
    except UserError as error:
        pytest.skip(f"needs OpenGL (EGL or OSMesa): {error}")
    pictures, expected = make_renderer("raycast", engine, cameras, keys).render(), theirs.render()
    theirs.close()
    for name in names:
        both = (pictures[f"segmentation_{name}"] == expected[f"segmentation_{name}"])[..., 0]
        both &= pictures[f"segmentation_{name}"][..., 0] == 0
        apart = np.abs(pictures[f"rgb_{name}"].astype(int) - expected[f"rgb_{name}"])[both]
        assert apart.mean() < 6  # theirs is blurred


@pytest.mark.parametrize(("shape", "size"), [("plane", "0.5 0.5 0.5"), ("box", "0.5 0.4 0.5")])
def test_a_cube_map_that_fits_no_box_is_refused_by_name(shape, size):
    uniform = TEXTURED.replace('name="sides"', 'name="sides" texuniform="true"').replace("0.5 0.5 0.5", size)
    xml = uniform.format(name="thing", shape=shape, material="sides")
    with pytest.raises(UserError, match="geom 'thing' has a cube texture: `raycast` draws these on boxes only"):
        make_renderer("raycast", MujocoEngine(load_model(xml), 1, 1), CAMERAS, ("rgb_above",)).render()


def test_a_camera_draws_textures_the_same_beside_another():
    low = CameraSpec(name="above", width=7, height=5)
    engine = textured(num_worlds=2)
    other = CameraSpec(name="beside", of="above", shift_m=1.3, width=16, height=12)
    both = make_renderer("raycast", engine, (low, other), ("rgb_above", "rgb_beside")).render()
    alone = make_renderer("raycast", engine, (other,), ("rgb_beside",)).render()
    np.testing.assert_array_equal(both["rgb_beside"], alone["rgb_beside"])
    assert len(np.unique(alone["rgb_beside"][..., 0])) == 2  # a checker


def test_a_texture_on_anything_else_is_refused_by_name():
    with pytest.raises(
        UserError, match="geom 'thing' has a texture: `raycast` draws textures on planes and boxes only"
    ):
        make_renderer("raycast", textured(shape="ellipsoid"), CAMERAS, ("rgb_above",)).render()
    make_renderer("raycast", textured(shape="ellipsoid", material="plain"), CAMERAS, ("rgb_above",)).render()
    make_renderer("raycast", textured(shape="ellipsoid"), CAMERAS, ("depth_above",)).render()  # needs no colours
