import mujoco
import numpy as np
import pytest

from robossl.core import CameraSpec, UnknownNameError, UserError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import make_renderer, raycast

XML = """
<mujoco>
  <visual><headlight ambient="0.1 0.1 0.1" diffuse="0.3 0.3 0.3"/></visual>
  <worldbody>
    <light name="sun" type="directional" dir="0.3 0.2 -1" diffuse="0.5 0.5 0.5"/>
    <geom name="floor" type="plane" size="9 9 0.1" rgba="0.6 0.5 0.4 1"/>
    <geom name="wall" type="box" pos="4 0 1" size="0.2 3 1" rgba="0.8 0.2 0.2 1"/>
    <geom name="post" type="cylinder" pos="2 1 0.5" size="0.3 0.5" rgba="0.2 0.8 0.2 1"/>
    <geom name="hidden" type="sphere" pos="1 0 1" size="0.3" group="3"/>
    <geom name="glass" type="sphere" pos="1 0 1" size="0.2" rgba="1 1 1 0"/>
    <body name="ball" pos="2 -0.5 0.5">
      <freejoint/>
      <geom name="ball" type="sphere" size="0.3" rgba="0.2 0.2 0.9 1"/>
    </body>
    <body name="rover" pos="0 0 1">
      <joint name="turn" axis="0 0 1"/>
      <geom name="rover" type="sphere" size="0.2" mass="1" contype="0" conaffinity="0"/>
      <camera name="front" fovy="60" xyaxes="0 -1 0 0.2 0 1"/>
    </body>
    <camera name="above" pos="0 0 5" fovy="40"/>
  </worldbody>
</mujoco>
"""
CAMERAS = (CameraSpec(name="front", width=24, height=14), CameraSpec(name="above", width=9, height=9))
KEYS = tuple(f"{modality}_{name}" for name in ("front", "above") for modality in ("rgb", "depth", "segmentation"))


def engine_of(xml=XML, num_worlds=1, num_threads=1):
    return MujocoEngine(load_model(xml), num_worlds, num_threads)


def varied(num_worlds, num_threads):
    """Worlds that differ, each by its number alone, in state, colours, lights and cameras."""
    engine = engine_of(XML, num_worlds, num_threads)
    rng, everyone = np.random.default_rng(0), np.arange(num_worlds)
    engine.write("qpos", engine.read("qpos") + rng.normal(0, 0.3, (32, 8))[:num_worlds], everyone)
    rgba = np.concatenate([rng.uniform(0, 1, (32, engine.model.ngeom, 3)), np.ones((32, engine.model.ngeom, 1))], -1)
    rgba[:, engine.model.geom("glass").id, 3] = 0
    engine.randomise("geom_rgba", rgba[:num_worlds], everyone)
    engine.randomise("light_diffuse", rng.uniform(0, 1, (32, 1, 3))[:num_worlds], everyone)
    engine.randomise("cam_fovy", rng.uniform(40, 80, (32, 2))[:num_worlds], everyone)
    engine.randomise("cam_pos", (engine.model.cam_pos + rng.normal(0, 0.1, (32, 2, 3)))[:num_worlds], everyone)
    engine.forward()
    return engine


def one_ray_at_a_time(engine, camera, world=0):
    """Returns depth and geom [H, W], surface normal and direction [H, W, 3] by `mj_ray` along unit rays.

    The rays are built from the definition of fovy; normals and directions are the world's.
    """
    model = engine.batch.get_model(world)
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, engine.get_state()[world], mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_forward(model, data)
    position, right, up, back = data.camera(camera.name).xpos, *data.camera(camera.name).xmat.reshape(3, 3).T
    half = np.tan(np.deg2rad(model.camera(camera.name).fovy[0]) / 2)
    own = model.camera(camera.name).bodyid[0] if camera.name == "front" else -1
    depth, geom = np.zeros((camera.height, camera.width)), np.full((camera.height, camera.width), -1)
    normals, rays = np.zeros((2, *depth.shape, 3))
    for row in range(camera.height):
        for column in range(camera.width):
            y = half * (1 - 2 * (row + 0.5) / camera.height)
            x = half * (2 * (column + 0.5) / camera.width - 1) * camera.width / camera.height
            ray = x * right + y * up - back
            ray /= np.linalg.norm(ray)
            hit = np.zeros(1, np.int32)
            groups = np.array([1, 1, 1, 0, 0, 0], np.uint8)
            distance = mujoco.mj_ray(model, data, position, ray, groups, 1, own, hit, normals[row, column])
            rays[row, column] = ray
            if distance >= 0:
                depth[row, column], geom[row, column] = distance * -(ray @ back), hit[0]
    return depth, geom, normals, rays


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
@pytest.mark.parametrize("world", [0, 2])
def test_depth_and_segmentation_are_those_of_single_rays(camera, world):
    engine = varied(3, 1)
    pictures = make_renderer("raycast", engine, CAMERAS, KEYS).render()
    depth, geom, _, _ = one_ray_at_a_time(engine, camera, world)
    assert len(np.unique(geom)) >= 2
    np.testing.assert_array_equal(pictures[f"segmentation_{camera.name}"][world, ..., 0], geom)
    np.testing.assert_allclose(pictures[f"depth_{camera.name}"][world, ..., 0], depth, rtol=1e-6)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_colours_and_normals_are_those_of_single_rays(camera):
    world, engine = 2, varied(3, 1)
    keys = tuple(f"{modality}_{each.name}" for each in CAMERAS for modality in ("rgb", "normals"))
    pictures = make_renderer("raycast", engine, CAMERAS, keys).render()
    _, geom, normal, ray = one_ray_at_a_time(engine, camera, world)
    assert (geom < 0).any() == (camera.name == "front")
    model, mat = engine.batch.get_model(world), engine.view("cam_xmat")[world, engine.model.camera(camera.name).id]
    mat, head = mat.reshape(3, 3), model.vis.headlight
    np.testing.assert_allclose(pictures[f"normals_{camera.name}"][world], normal @ mat, atol=1e-6)
    lights = [(model.light_diffuse[0], -engine.view("light_xdir")[world, 0]), (head.diffuse, mat[:, 2])]
    total = sum(diffuse for diffuse, _ in lights)
    lit = sum(diffuse.mean() * np.maximum(normal @ towards, 0) for diffuse, towards in lights) / total.mean()
    light = model.light_ambient[0] + head.ambient + total * np.floor(255 * lit)[..., None] / 255
    expected = 255 * np.minimum(model.geom_rgba[geom, :3] * light, 1.0)
    elevation = np.array([-1.0, -1e-6, 1e-6, 1.0])
    below, horizon, zenith = 255 * np.array([[0.45, 0.45, 0.45], [0.80, 0.87, 0.93], [0.35, 0.55, 0.80]])
    for channel, known in enumerate(np.stack([below, below, horizon, zenith], axis=1)):
        expected[..., channel] = np.where(geom < 0, np.interp(ray[..., 2], elevation, known), expected[..., channel])
    np.testing.assert_allclose(pictures[f"rgb_{camera.name}"][world], expected, atol=1.01)


def test_a_camera_draws_the_same_beside_another():
    engine, keys = varied(3, 1), (*KEYS, "normals_front", "normals_above")
    together = make_renderer("raycast", engine, CAMERAS, keys).render()
    for camera in CAMERAS:
        own = tuple(key for key in keys if key.endswith(camera.name))
        alone = make_renderer("raycast", engine, (camera,), own).render()
        assert set(alone) == set(own)
        for key in own:
            np.testing.assert_array_equal(together[key], alone[key])


def test_pictures_have_the_promised_shapes_and_only_what_is_asked_for():
    engine = engine_of(num_worlds=3)
    pictures = make_renderer("raycast", engine, CAMERAS, ("rgb_front", "depth_above", "proprio")).render()
    assert {key: (value.shape, value.dtype.name) for key, value in pictures.items()} == {
        "rgb_front": ((3, 14, 24, 3), "uint8"),
        "depth_above": ((3, 9, 9, 1), "float32"),
    }


def test_depth_is_along_the_optical_axis():
    engine = engine_of()
    depth = make_renderer("raycast", engine, CAMERAS, ("depth_above",)).render()["depth_above"][0, ..., 0]
    assert depth[0, 0] == depth[8, 0] == depth[0, 8] == np.float32(5.0)  # of the floor, also in the corners


def test_what_is_hidden_or_clear_is_not_drawn():
    engine = engine_of()
    seen = make_renderer("raycast", engine, CAMERAS, ("segmentation_front",)).render()["segmentation_front"]
    names = {engine.model.geom(geom).name for geom in np.unique(seen) if geom >= 0}
    assert names == {"floor", "wall", "post", "ball"}
    rgba = np.tile(engine.model.geom_rgba, (1, 1, 1))
    rgba[0, engine.model.geom("wall").id, 3] = 0
    engine.randomise("geom_rgba", rgba, np.arange(1))
    seen = make_renderer("raycast", engine, CAMERAS, ("segmentation_front",)).render()["segmentation_front"]
    assert engine.model.geom("wall").id not in seen


ALPHAS = """
<mujoco>
  <asset>
    <material name="solid" rgba="1 1 1 1"/>
    <material name="clear" rgba="1 1 1 0"/>
    <mesh name="hull" vertex="0 0 0 0.1 0 0 0 0.1 0 0 0 0.1"/>
  </asset>
  <worldbody>
    <geom name="of clear" type="sphere" size="0.2" pos="0 0 0" material="clear"/>
    <geom name="of solid" type="sphere" size="0.2" pos="0.5 0 0" material="solid"/>
    <geom name="red on clear" type="sphere" size="0.2" pos="1 0 0" material="clear" rgba="1 0 0 1"/>
    <geom name="none on solid" type="sphere" size="0.2" pos="1.5 0 0" material="solid" rgba="1 0 0 0"/>
    <geom name="none" type="sphere" size="0.2" pos="2 0 0" rgba="1 0 0 0"/>
    {mesh}
    <camera name="above" pos="1 0 3" fovy="60"/>
  </worldbody>
</mujoco>
"""
ABOVE = (CameraSpec(name="above", width=60, height=40),)


def seen_geoms(engine, world=0):
    """Returns the names of the geoms in a picture."""
    seen = make_renderer("raycast", engine, ABOVE, ("segmentation_above",)).render()["segmentation_above"][world]
    return {engine.model.geom(geom).name for geom in np.unique(seen) if geom >= 0}


def test_what_is_invisible_is_what_mujocos_renderer_omits():
    engine = engine_of(ALPHAS.format(mesh=""))
    scene, model = mujoco.MjvScene(engine.model, 20), engine.model
    data, everything = mujoco.MjData(model), mujoco.mjtCatBit.mjCAT_ALL.value
    mujoco.mj_forward(model, data)
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, mujoco.MjvCamera(), everything, scene)
    expected = {model.geom(item.objid).name for item in scene.geoms[: scene.ngeom]}
    assert seen_geoms(engine) == expected == {"of solid", "red on clear"}


def test_a_geom_with_a_material_can_be_hidden_in_one_world():
    engine = engine_of(ALPHAS.format(mesh=""), num_worlds=2)
    rgba = engine.model.geom_rgba[None].copy()
    rgba[0, engine.model.geom("of solid").id] = 1, 1, 1, 0
    engine.randomise("geom_rgba", rgba, np.array([1]))
    assert [seen_geoms(engine, world) for world in (0, 1)] == [{"of solid", "red on clear"}, {"red on clear"}]


def test_beside_a_mesh_a_geom_that_rays_see_otherwise_is_refused_by_name():
    xml = ALPHAS.format(mesh='<geom type="mesh" mesh="hull"/>')
    with pytest.raises(UserError, match="geom 'red on clear' and its material disagree on whether it is invisible"):
        seen_geoms(engine_of(xml))
    assert "of solid" in seen_geoms(engine_of(xml.replace(' rgba="1 0 0 1"', "").replace(' rgba="1 0 0 0"', "")))


FLEX = """
<mujoco><worldbody>
  <flexcomp name="cloth" type="grid" count="3 3 1" spacing="0.1 0.1 0.1" dim="2" radius="0.01" LOOKS mass="1">
    <edge equality="true"/>
  </flexcomp>
  <camera name="front" pos="0 0 1"/>
</worldbody></mujoco>
"""


def test_a_visible_flex_is_refused_by_name():
    with pytest.raises(UserError, match="flex 'cloth': `raycast` draws none that are visible; `gl` does"):
        make_renderer("raycast", engine_of(FLEX.replace("LOOKS", "")), CAMERAS[:1], ("depth_front",))
    clear = engine_of(FLEX.replace("LOOKS", 'rgba="1 1 1 0"'))
    assert not make_renderer("raycast", clear, CAMERAS[:1], ("depth_front",)).render()["depth_front"].any()


@pytest.mark.parametrize(("num_worlds", "num_threads"), [(1, 2), (3, 1), (17, 2)])
def test_a_picture_is_the_same_among_any_number_of_worlds_and_threads(num_worlds, num_threads, monkeypatch):
    monkeypatch.setattr(raycast, "_MIN_RAYS", 1)  # so that few small pictures are shared out
    alone = make_renderer("raycast", varied(1, 1), CAMERAS, KEYS).render()
    among = make_renderer("raycast", varied(num_worlds, num_threads), CAMERAS, KEYS).render()
    for key in KEYS:
        np.testing.assert_array_equal(among[key][:1], alone[key])


def test_some_worlds_are_drawn_as_among_all(monkeypatch):
    renderer = make_renderer("raycast", varied(17, 2), CAMERAS, KEYS)
    everyone, ids = renderer.render(), np.array([1, 4, 16])
    some = renderer.render(ids)
    monkeypatch.setattr(raycast, "_MAX_RAYS", 1000)  # two worlds a call
    few_at_a_time = renderer.render()
    for key in KEYS:
        np.testing.assert_array_equal(some[key], everyone[key][ids])
        np.testing.assert_array_equal(few_at_a_time[key], everyone[key])


def test_pictures_of_two_calls_share_no_memory():
    renderer = make_renderer("raycast", engine_of(num_worlds=2), CAMERAS, KEYS)
    first, second = renderer.render(), renderer.render()
    for key in KEYS:
        assert not np.shares_memory(first[key], second[key])
        before = first[key].copy()
        second[key][...] = 0
        np.testing.assert_array_equal(first[key], before)


FLAT = """
<mujoco>
  <visual><headlight active="{headlight}" ambient="0.2 0.1 0.1" diffuse="0.3 0.3 0.3"/></visual>
  <asset><material name="paint" rgba="1 0.5 0.25 1" emission="{emission}"/></asset>
  <worldbody>
    <light type="directional" dir="{light}" diffuse="0.5 0.5 0.5" ambient="0.1 0.1 0.1"/>
    <geom type="plane" size="9 9 0.1" {colour}/>
    <camera name="above" pos="0 0 5"/>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize(
    ("options", "light"),
    [
        ({}, [0.1 + 0.5, 0.1 + 0.5, 0.1 + 0.5]),
        ({"light": "0 0 1"}, [0.1, 0.1, 0.1]),
        ({"light": "0.8 0 -0.6"}, [0.1 + 0.5 * 0.6] * 3),
        ({"headlight": 1, "light": "0 0 1"}, [0.3 + 0.3, 0.2 + 0.3, 0.2 + 0.3]),
        ({"headlight": 1}, [1.1, 1.0, 1.0]),
        ({"emission": 0.3, "colour": 'material="paint"'}, [0.9, 0.9, 0.9]),
        ({"emission": 0.9, "colour": 'material="paint"'}, [1.5, 1.5, 1.5]),
    ],
)
def test_a_surface_is_lit_by_lamberts_law(options, light):
    defaults = {"headlight": 0, "emission": 0, "light": "0 0 -1", "colour": 'rgba="1 0.5 0.25 1"'}
    engine = engine_of(FLAT.format(**{**defaults, **options}))
    picture = make_renderer("raycast", engine, CAMERAS, ("rgb_above",)).render()["rgb_above"][0]
    expected = 255 * np.minimum(np.array([1.0, 0.5, 0.25]) * np.array(light), 1.0)  # not the light saturates
    np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1.0)


def test_colours_follow_each_worlds_own_values():
    engine = engine_of(FLAT.format(headlight=0, emission=0, light="0 0 -1", colour=""), num_worlds=2)
    renderer = make_renderer("raycast", engine, CAMERAS, ("rgb_above",))
    before = renderer.render()["rgb_above"]
    engine.randomise("geom_rgba", np.array([[[1.0, 0.0, 0.5, 1.0]]]), np.array([1]))
    after = renderer.render()["rgb_above"]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(after[1, 0, 0], [153, 0, 76.5], atol=0.6)
    engine.randomise("light_active", np.array([[False]]), np.array([0]))
    np.testing.assert_array_equal(renderer.render()["rgb_above"][0], 0)


NEARBY = """
<mujoco>
  <visual><headlight active="0"/></visual>
  <worldbody>
    <light pos="0.5 0 3" dir="0 0 -1" diffuse="0.9 0.9 0.9" {form}/>
    <geom type="plane" size="9 9 0.1" rgba="1 1 1 1"/>
    <camera name="above" pos="0 0 5"/>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize(
    ("form", "edge_deg", "exponent", "attenuation"),
    [
        ('type="spot" cutoff="30" exponent="0"', 30, 0, (1, 0, 0)),
        ('type="spot" cutoff="45" exponent="10"', 45, 10, (1, 0, 0)),
        ('type="point" attenuation="1 0.2 0.1"', 180, 0, (1, 0.2, 0.1)),
        ('type="point" pos="0.5 0 -1"', 0, 0, (1, 0, 0)),
    ],
)
def test_a_lamp_nearby_shines_from_its_place(form, edge_deg, exponent, attenuation):
    xml = NEARBY.format(form=form) if "pos" not in form else NEARBY.replace('pos="0.5 0 3"', "").format(form=form)
    picture = make_renderer("raycast", engine_of(xml), CAMERAS, ("rgb_above",)).render()["rgb_above"][0, ..., 0]
    x, y = np.meshgrid(np.arange(-4, 5), np.arange(4, -5, -1))
    x, y = (5 * np.tan(np.deg2rad(22.5)) * part / 4.5 for part in (x, y))  # where the pixels see the floor
    far = np.sqrt((x - 0.5) ** 2 + y**2 + 3**2)
    cone = np.where(3 / far >= np.cos(np.deg2rad(edge_deg)), (3 / far) ** exponent, 0.0)
    expected = 255 * 0.9 * (3 / far) * cone / (attenuation[0] + attenuation[1] * far + attenuation[2] * far**2)
    np.testing.assert_allclose(picture, expected, atol=1.5)


LAMP = """
<mujoco><visual><headlight active="0"/></visual><worldbody>
  <geom type="plane" size="9 9 0.1" rgba="1 1 1 1"/>
  <body pos="0 0 3"><joint axis="0 1 0"/><geom size="0.1" group="3"/>
    <light type="directional" dir="0 0 -1" diffuse="1 1 1"/></body>
  <camera name="above" pos="0 0 5"/>
</worldbody></mujoco>
"""


def test_a_light_of_a_body_turns_with_it():
    engine = engine_of(LAMP, num_worlds=3)
    renderer = make_renderer("raycast", engine, CAMERAS, ("rgb_above",))
    engine.write("qpos", np.deg2rad([[0.0], [60.0], [120.0]]), np.arange(3))
    engine.forward()
    np.testing.assert_allclose(renderer.render()["rgb_above"][:, 4, 4, 0], [255, 127.5, 0], atol=1.0)


def test_a_light_that_points_nowhere_gives_no_light():
    engine = engine_of(LAMP, num_worlds=3)
    renderer = make_renderer("raycast", engine, CAMERAS, ("rgb_above",))
    engine.write("qpos", np.array([[np.nan]]), np.array([1]))
    engine.forward()
    assert not np.isfinite(engine.view("light_xdir")[1]).any()
    np.testing.assert_array_equal(renderer.render()["rgb_above"].max(axis=(1, 2, 3)), [255, 0, 255])


def test_the_sky_has_a_horizon():
    engine = engine_of('<mujoco><worldbody><camera name="front" xyaxes="0 -1 0 0 0 1"/></worldbody></mujoco>')
    picture = make_renderer("raycast", engine, CAMERAS, ("rgb_front",)).render()["rgb_front"][0].astype(int)
    assert (picture == picture[:, ::-1]).all()
    ground, sky = picture[7:, 12], picture[:7, 12]
    assert (ground == ground[0]).all()
    assert ground.max() < sky.min()
    assert (np.diff(sky[:, 0]) > 0).all()  # whiter towards the horizon
    assert (picture[0, 12] != picture[0, 0]).any()  # the corner looks less far up than the middle of the upper edge


def test_a_models_own_skybox_is_drawn():
    xml = """
    <mujoco><asset><texture type="skybox" builtin="gradient" rgb1="1 0 0" rgb2="0 0 1" width="64" height="384"/></asset>
    <worldbody><camera name="front" xyaxes="0 -1 0 0 0 1"/><camera name="above" xyaxes="0 -1 0 -1 0 0"/></worldbody>
    </mujoco>"""
    pictures = make_renderer("raycast", engine_of(xml), CAMERAS, ("rgb_front", "rgb_above")).render()
    assert pictures["rgb_above"][0, 4, 4, 2] < 20
    column = pictures["rgb_front"][0, :, 12].astype(int)
    assert (np.diff(column[:, 0]) <= 0).all()
    assert (np.diff(column[:, 2]) >= 0).all()
    assert abs(column[6:8].mean() - 255 / 3) < 5


@pytest.mark.parametrize(("offset", "sees_itself"), [("0 0 0", False), ("-1 0 0", True)])
def test_a_camera_sees_its_own_body_only_from_outside(offset, sees_itself):
    xml = XML.replace('<camera name="front"', f'<camera name="front" pos="{offset}"')
    engine = engine_of(xml)
    seen = make_renderer("raycast", engine, CAMERAS, ("segmentation_front",)).render()["segmentation_front"]
    assert (engine.model.geom("rover").id in seen) == sees_itself


def test_a_camera_inside_a_box_of_the_world_still_sees_the_world():
    xml = XML.replace("<worldbody>", '<worldbody><geom name="room" type="box" pos="0 0 5" size="9 9 9" group="3"/>')
    seen = make_renderer("raycast", engine_of(xml), CAMERAS, ("segmentation_above",)).render()["segmentation_above"]
    assert engine_of(xml).model.geom("floor").id in seen


def test_a_world_of_nan_is_drawn_without_harm_to_others():
    engine = varied(3, 1)
    renderer = make_renderer("raycast", engine, CAMERAS, KEYS)
    before = renderer.render()
    engine.write("qpos", np.full((1, engine.model.nq), np.nan), np.array([1]))
    engine.forward()
    after = renderer.render()
    for key in KEYS:
        np.testing.assert_array_equal(after[key][[0, 2]], before[key][[0, 2]])
        assert np.isfinite(after[key]).all()


def test_a_camera_that_rays_cannot_draw_is_refused_by_name():
    xml = XML.replace('<camera name="above"', '<camera name="above" projection="orthographic"')
    with pytest.raises(UserError, match="camera 'above' is orthographic"):
        make_renderer("raycast", engine_of(xml), CAMERAS, ("rgb_above",))
    strange = (CameraSpec(name="frnt", width=4, height=4),)
    with pytest.raises(UnknownNameError, match="did you mean 'front'"):
        make_renderer("raycast", engine_of(), strange, ("rgb_frnt",))


def test_an_unknown_renderer_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown renderer 'raycats'; did you mean 'raycast'"):
        make_renderer("raycats", engine_of(), CAMERAS, KEYS)
