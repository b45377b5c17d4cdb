import gc
import importlib
import os
import threading
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest

from robossl.core import CameraSpec, UnknownNameError, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import _say_once, gl, gl_context, make_renderer
from robossl.envs.render.poses import LastPoses

XML = """
<mujoco>
  <visual><headlight ambient="0.2 0.2 0.2" diffuse="0.3 0.3 0.3" specular="0 0 0"/></visual>
  <asset>
    <texture name="red" type="2d" builtin="flat" rgb1="1 0 0" width="8" height="8"/>
    <texture name="blue" type="2d" builtin="flat" rgb1="0 0 1" width="8" height="8"/>
    <texture name="crate" type="cube" builtin="gradient" rgb1="1 0.5 0" rgb2="0 0.5 1" width="32" height="32"/>
    <texture name="sky" type="skybox" builtin="gradient" rgb1="1 1 1" rgb2="0 0 1" width="8" height="48"/>
    <material name="floor" texture="red" texuniform="true" specular="0"/>
    <material name="crate" texture="crate" specular="0"/>
    <material name="matt" specular="0" rgba="0.3 0.7 0.4 1"/>
  </asset>
  <worldbody>
    <light type="directional" dir="0.3 0.2 -1" diffuse="0.5 0.5 0.5" specular="0 0 0"/>
    <geom name="floor" type="plane" size="5 5 0.1" material="floor"/>
    <geom name="wall" type="box" pos="3 0 1" size="0.2 3 1" material="matt"/>
    <geom name="post" type="cylinder" pos="2 1 0.5" size="0.3 0.5" material="matt"/>
    <geom name="group3" type="sphere" pos="1 0 1" size="0.3" group="3"/>
    <site name="mark" pos="1.2 0 0.8" size="0.2"/>
    <body name="crate" pos="2 -0.5 0.5" euler="0 0 20">
      <freejoint/>
      <geom name="crate" type="box" size="0.3 0.3 0.3" material="crate"/>
    </body>
    <camera name="front" pos="0 0 1" fovy="60" xyaxes="0 -1 0 0.2 0 1"/>
    <camera name="above" pos="1 0 6" fovy="50"/>
  </worldbody>
</mujoco>
"""
CAMERAS = (CameraSpec(name="front", width=64, height=48), CameraSpec(name="above", width=40, height=30))
KEYS = tuple(f"{modality}_{name}" for name in ("front", "above") for modality in ("rgb", "depth", "segmentation"))


@pytest.fixture
def renderer():
    """Makes a gl renderer of an engine; skips where this machine has no OpenGL."""
    made = []

    def make(engine, cameras=CAMERAS, keys=KEYS):
        try:
            made.append(make_renderer("gl", engine, cameras, keys))
        except UserError as error:
            pytest.skip(f"needs OpenGL (EGL or OSMesa): {error}")
        return made[-1]

    yield make
    for one in made:
        one.close()


def varied(num_worlds, num_threads):
    engine = MujocoEngine(load_model(XML), num_worlds, num_threads)
    rng, everyone = np.random.default_rng(0), np.arange(num_worlds)
    engine.write("qpos", engine.read("qpos") + rng.normal(0, 0.1, (8, 7))[:num_worlds], everyone)
    engine.randomise("light_diffuse", rng.uniform(0.2, 0.6, (8, 1, 1)).repeat(3, axis=2)[:num_worlds], everyone)
    engine.randomise("cam_pos", (engine.model.cam_pos + rng.normal(0, 0.1, (8, 2, 3)))[:num_worlds], everyone)
    engine.forward()
    return engine


@pytest.mark.parametrize("brightness", [1.0, 3.0])
def test_gl_and_raycast_draw_the_same_world(renderer, brightness):
    engine = varied(3, 2)
    engine.randomise("light_diffuse", brightness * engine.model_values()["light_diffuse"], np.arange(3))
    by_gl, by_rays = renderer(engine).render(), make_renderer("raycast", engine, CAMERAS, KEYS).render()
    for name in ("front", "above"):
        geom, other = by_gl[f"segmentation_{name}"], by_rays[f"segmentation_{name}"]
        same = geom == other
        assert len(np.unique(other)) >= 4
        assert same.mean() > 0.98  # they may differ along edges
        hit = same & (geom >= 0)
        error = np.abs(by_gl[f"depth_{name}"][hit] / by_rays[f"depth_{name}"][hit] - 1)
        is_round = geom[hit] == engine.model.geom("post").id  # which OpenGL draws with facets
        assert np.percentile(error[~is_round], 99) < 2e-4  # a GPU's buffer is coarser; the rest are edges
        assert error.max() < 1e-2
        assert (geom < 0).any() == (name == "front")
        assert (by_gl[f"depth_{name}"][geom < 0] == 0).all()
        colours, others = by_gl[f"rgb_{name}"][hit[..., 0]], by_rays[f"rgb_{name}"][hit[..., 0]]
        assert np.percentile(np.abs(colours.astype(int) - others), 95) <= 2


@pytest.mark.parametrize("keys", [("depth_front",), ("rgb_front", "depth_front"), ("segmentation_front",)])
def test_a_picture_does_not_depend_on_what_else_is_drawn(renderer, keys):
    engine = varied(2, 1)
    alone, all_of_them = renderer(engine, keys=keys).render(), renderer(engine).render()
    for key in keys:
        np.testing.assert_array_equal(alone[key], all_of_them[key])


def test_some_worlds_are_drawn_as_among_all(renderer):
    drawn = renderer(varied(5, 2))
    everyone, ids = drawn.render(), np.array([1, 4])
    some = drawn.render(ids)
    for key in KEYS:
        np.testing.assert_array_equal(some[key], everyone[key][ids])


def test_contexts_are_opened_for_as_many_worlds_as_are_drawn_at_once(renderer, monkeypatch):
    opened = []
    monkeypatch.setattr(gl, "open_context", lambda *size: opened.append(size) or gl_context.open_context(*size))
    drawn = renderer(varied(4, 3))
    alone = drawn.render(np.array([2]))
    assert len(opened) == 1
    everyone = drawn.render()
    assert len(opened) == 3
    for key in KEYS:
        np.testing.assert_array_equal(alone[key][0], everyone[key][2])


def test_a_context_that_cannot_be_opened_leaves_no_thread(renderer, monkeypatch):
    drawn = renderer(varied(2, 2), keys=("rgb_front",))
    one = drawn.render(np.array([0]))
    num_threads = threading.active_count()

    def fail(model):
        raise MemoryError("no room for a context")

    with monkeypatch.context() as patch:
        patch.setattr(gl, "Painter", fail)
        with pytest.raises(MemoryError, match="no room"):
            drawn.render()
        with pytest.raises(MemoryError, match="no room"):
            make_renderer("gl", varied(2, 2), CAMERAS, KEYS)
    assert threading.active_count() == num_threads
    np.testing.assert_array_equal(drawn.render()["rgb_front"][:1], one["rgb_front"])


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_renderer_that_is_dropped_frees_its_contexts(renderer, monkeypatch, is_closed):
    renderer(varied(1, 1))  # skips without OpenGL
    freed, close = [], gl.Painter.close
    monkeypatch.setattr(gl.Painter, "close", lambda painter: freed.append(close(painter)))
    drawn = make_renderer("gl", varied(2, 2), CAMERAS, KEYS)
    drawn.render()
    threads = [thread for pool in drawn._threads for thread in pool._threads]
    if is_closed:
        drawn.close()
    del drawn
    gc.collect()
    renderer(varied(1, 1))  # frees what was dropped
    for thread in threads:
        thread.join()
    assert freed == [None, None]


def test_pictures_have_the_promised_shapes_and_only_what_is_asked_for(renderer):
    pictures = renderer(varied(2, 1), keys=("rgb_front", "depth_above", "segmentation_above")).render()
    assert {key: (value.shape, value.dtype.name) for key, value in pictures.items()} == {
        "rgb_front": ((2, 48, 64, 3), "uint8"),
        "depth_above": ((2, 30, 40, 1), "float32"),
        "segmentation_above": ((2, 30, 40, 1), "int32"),
    }


def test_every_world_shows_its_own_image_of_the_bank(renderer):
    engine = MujocoEngine(load_model(XML), 2, 1)
    drawn = renderer(engine, keys=("rgb_above", "segmentation_above"))
    drawn.render()
    images = np.tile(engine.model.mat_texid, (1, 1, 1))
    role = mujoco.mjtTextureRole.mjTEXROLE_RGB.value
    images[0, engine.model.material("floor").id, role] = engine.model.texture("blue").id
    engine.randomise("mat_texid", images, np.array([1]))
    pictures = drawn.render()
    floor = pictures["segmentation_above"][..., 0] == engine.model.geom("floor").id
    red, blue = (pictures["rgb_above"][world][floor[world]] for world in (0, 1))
    assert red[:, 0].min() > 100
    assert red[:, 2].max() == 0
    np.testing.assert_array_equal(blue[:, ::-1], red)


def resized(size, world_size):
    """Returns an engine whose floor is of a size in the model, and of another in its second world."""
    xml = XML.replace('size="5 5 0.1"', f'size="{size}"').replace("<mujoco>", '<mujoco><statistic extent="5"/>')
    engine = MujocoEngine(load_model(xml), 2, 1)
    sizes = engine.model.geom_size[None].copy()
    sizes[0, engine.model.geom("floor").id] = world_size
    engine.randomise("geom_size", sizes, np.array([1]))
    engine.forward()
    return engine


def test_a_plane_has_its_own_size_in_every_world(renderer):
    pictures = renderer(resized("1 1 0.1", (2, 1.5, 0.1)), keys=KEYS).render()
    for world, size in enumerate(("1 1 0.1", "2 1.5 0.1")):
        expected = renderer(resized(size, (1, 1, 0.1)), keys=KEYS).render()
        for key in KEYS:
            same = np.isclose(pictures[key][world], expected[key][0], rtol=1e-4)
            assert same.mean() > 0.995, key  # the rest are edges


def test_another_size_of_a_plane_without_end_is_refused_by_name(renderer):
    drawn = renderer(resized("0 2 0.1", (0, 2, 0.3)), keys=("rgb_front",))
    drawn.render()  # how its grid is spaced is not its size
    drawn = renderer(resized("0 2 0.1", (0, 3, 0.1)), keys=("rgb_front",))
    with pytest.raises(UserError, match="geom 'floor' is a plane without end: `gl` cannot change its size, `raycast`"):
        drawn.render()


def test_a_world_of_nan_is_drawn_without_harm_to_others(renderer):
    engine = varied(3, 1)
    drawn = renderer(engine)
    before = drawn.render()
    engine.write("qpos", np.full((1, engine.model.nq), np.nan), np.array([1]))
    engine.forward()
    after = drawn.render()
    for key in KEYS:
        np.testing.assert_array_equal(after[key][[0, 2]], before[key][[0, 2]])


def test_a_camera_that_the_model_lacks_is_named_with_the_nearest(renderer):
    drawn = renderer(varied(1, 1), (CameraSpec(name="frnt", width=4, height=4),), ("rgb_frnt",))
    with pytest.raises(UnknownNameError, match="did you mean 'front'"):
        drawn.render()


def test_depth_and_flow_of_what_they_cannot_tell_are_refused_by_name(renderer):
    renderer(varied(1, 1), keys=("rgb_above",))  # skips without OpenGL
    flat = MujocoEngine(load_model(XML.replace('name="above"', 'name="above" projection="orthographic"')), 1, 1)
    with pytest.raises(UserError, match="camera 'above' is orthographic: the depth that `gl` tells is of perspective"):
        make_renderer("gl", flat, CAMERAS, ("depth_above",))
    make_renderer("gl", flat, CAMERAS, ("rgb_above", "depth_front")).close()
    sensor = 'name="above" resolution="40 30" sensorsize="0.04 0.03" focalpixel="40 60"'
    wide = MujocoEngine(load_model(XML.replace('name="above"', sensor).replace(' fovy="50"', "")), 1, 1)
    with pytest.raises(UserError, match="camera 'above' is orthographic or has intrinsics: flow knows only fovy"):
        make_renderer("gl", wide, CAMERAS, ("flow_above",), LastPoses(wide))
    make_renderer("gl", wide, CAMERAS, ("depth_above",)).close()


def test_without_opengl_one_line_names_what_is_missing(monkeypatch):
    def missing(module):
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr(importlib, "import_module", missing)
    before = dict(os.environ)
    with pytest.raises(
        UserError, match=r"cannot start: egl \(libegl1\): library not found; osmesa .* `raycast`"
    ) as error:
        gl_context.open_context(8, 8)
    assert "\n" not in str(error.value)
    assert dict(os.environ) == before


@pytest.mark.parametrize("platform", ["osmesa", "glx", "nonsense"])
def test_a_platform_that_rules_egl_out_is_named(monkeypatch, platform):
    def refuse(module):
        if module == "mujoco.osmesa" and platform == "osmesa":
            raise AttributeError("'NoneType' object has no attribute 'glGetError'")
        raise ImportError(f"Cannot use {module}. The PYOPENGL_PLATFORM environment variable is set to {platform!r}.")

    monkeypatch.setattr(importlib, "import_module", refuse)
    monkeypatch.setattr(gl_context, "sys", SimpleNamespace(modules={}))
    monkeypatch.setenv("PYOPENGL_PLATFORM", platform)
    for _ in range(2):  # and what was chosen stays
        with pytest.raises(UserError, match=f"cannot start with PYOPENGL_PLATFORM={platform}: unset it"):
            gl_context.open_context(8, 8)


def test_where_opengl_does_not_start_raycast_draws_and_one_line_says_so(monkeypatch, capsys):
    def absent(width, height):
        raise gl_context.NoGraphicsError("the gl renderer cannot start: egl (libegl1): library not found")

    monkeypatch.setattr("robossl.envs.render.gl.open_context", absent)
    monkeypatch.setattr("robossl.envs.render._say_once", cache(_say_once.__wrapped__))
    config = EnvConfig(
        id="robossl/ArmPush-v0", num_worlds=2, renderer="gl", observations=("rgb_static",), num_threads=1
    )
    plain = make_env(replace(config, renderer="raycast"), WorldSeed())
    env = make_env(config, WorldSeed())
    try:
        assert env.spec == plain.spec
        np.testing.assert_array_equal(env.reset()["rgb_static"], plain.reset()["rgb_static"])
        env.render_frames(width=8, height=8)
    finally:
        env.close()
        plain.close()
    line = (
        "robossl: pictures are drawn by raycast instead: the gl renderer cannot start: egl (libegl1): library not found"
    )
    assert capsys.readouterr().err == f"{line}\n"


def test_dropped_renderers_wait_for_no_thread_that_draws(renderer, monkeypatch):
    renderer(varied(1, 1))  # skips without OpenGL
    drawn = make_renderer("gl", varied(1, 1), CAMERAS, KEYS)
    freed = []
    monkeypatch.setattr(gl.Painter, "close", lambda painter: freed.append(painter))
    del drawn  # as the garbage collector does, within whatever a thread does
    assert freed == []
    assert gl._dropped.qsize() == 1
    renderer(varied(1, 1))
    assert (len(freed), gl._dropped.qsize()) == (1, 0)
