"""Renderer `warp` against `raycast` and `gl`, and each renderer with the worlds of an engine that is not its own."""

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

from types import SimpleNamespace

from task_checks import DEFAULTS, make
from warp_toys import NEEDS_GPU

from robossl.core import CameraSpec, UserError
from robossl.envs.config import EnvConfig
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import make_renderer
from robossl.envs.state_painter import StatePainter


@pytest.fixture(
    params=[pytest.param("cpu", marks=pytest.mark.slow), pytest.param("cuda", marks=NEEDS_GPU)],
    scope="module",
    autouse=True,
)
def device(request):
    """Runs every test on a processor and on a GPU; worlds of `mujoco` are drawn where the renderer's default is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DEFAULTS, "device", request.param)
        yield request.param


CAMERAS = ("front", "front_left", "top")
KEYS = tuple(f"{modality}_{camera}" for camera in CAMERAS for modality in ("rgb", "depth", "segmentation"))
DERIVED = ("flow_front", "bodies_front", "objects_top")


def drawn(engine, renderer, keys=KEYS, ids=None):
    """Steps the ring with all that can differ between worlds, and returns what is seen in the end."""
    env = make(
        "robossl/RingCorridor-v0", 3, engine=engine, renderer=renderer, observations=keys, image_size=(48, 32),
        randomise={"all": 1.0}, device=DEFAULTS["device"] if engine == "warp" else None,
    )  # fmt: skip
    env.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (4, 3, 1)).astype(np.float32):
        obs = env.step(action).obs
    if ids is not None:
        obs = env.pictures._shots[0].renderer.render(ids)
    env.close()
    return obs


@pytest.fixture(scope="module")
def cast():
    return drawn("mujoco", "raycast", (*KEYS, *DERIVED))


@pytest.mark.parametrize("engine", ["warp", "mujoco"])
def test_what_is_seen_is_where_raycast_sees_it(engine, cast):
    pictures = drawn(engine, "warp", (*KEYS, *DERIVED))
    for key in (*KEYS, *DERIVED):
        assert pictures[key].dtype == cast[key].dtype
        assert pictures[key].shape == cast[key].shape
        if not key.startswith("rgb"):
            same = np.isclose(pictures[key], cast[key], rtol=1e-3, atol=0.02)
            assert same.mean() > 0.99, key  # the rest are edges
    assert not np.array_equal(pictures["depth_front"], pictures["depth_front_left"])


def test_colours_are_those_of_gl():
    warp, gl = drawn("warp", "warp"), drawn("mujoco", "gl")
    for camera in CAMERAS:
        inside = gl[f"segmentation_{camera}"][..., 0] == warp[f"segmentation_{camera}"][..., 0]
        apart = np.abs(warp[f"rgb_{camera}"].astype(int) - gl[f"rgb_{camera}"])[inside]
        assert np.quantile(apart, 0.9) <= 16
        assert gl[f"rgb_{camera}"].std() > 20


def test_some_worlds_are_drawn_as_all_are():
    everyone, some = drawn("warp", "warp"), drawn("warp", "warp", ids=np.array([2, 0]))
    for key in KEYS:
        np.testing.assert_array_equal(some[key], everyone[key][[2, 0]])


@pytest.mark.parametrize("renderer", ["raycast", "gl"])
def test_other_renderers_draw_a_copy_of_warps_worlds(renderer):
    keys = (*KEYS, *DERIVED)
    own, copied = drawn("mujoco", renderer, keys), drawn("warp", renderer, keys)
    for key in keys:
        assert np.isclose(copied[key], own[key], rtol=1e-3, atol=0.05).mean() > 0.995, key


def test_the_same_worlds_under_other_appearances():
    env = make("robossl/ArmReach-v0", 2, engine="warp", renderer="warp", observations=("proprio",))
    env.reset()
    before = env.world_state()
    looks = env.render_appearances(2, ("rgb_static", "segmentation_static"))
    assert looks["rgb_static"].shape == (2, 2, 64, 64, 3)
    assert np.abs(looks["rgb_static"][0].astype(int) - looks["rgb_static"][1]).mean() > 3
    np.testing.assert_array_equal(env.world_state(), before)
    env.close()


def test_flow_of_warps_worlds_is_drawn_again_bit_for_bit_from_their_states():
    how = {"observations": ("flow_front",), "image_size": (24, 16), "randomise": {"all": 1.0}}
    env = make("robossl/RingCorridor-v0", 3, engine="warp", **how)
    seen, states = [env.reset()["flow_front"]], [env.world_state()]
    for action in np.random.default_rng(0).uniform(-1, 1, (4, 3, 1)).astype(np.float32):
        seen.append(env.step(action).obs["flow_front"])
        states.append(env.world_state())
    values = env.model_values()
    episodes = [
        SimpleNamespace(
            state=np.stack(states)[:, world],
            model_values={field: own[world] for field, own in values.items()},
            seed=0, stream=0, world=world, episode=0,
        )
        for world in range(3)
    ]  # fmt: skip
    env.close()
    painter = StatePainter(EnvConfig(id="robossl/RingCorridor-v0", num_worlds=3, num_threads=1, **how))
    for world, drawn_again in enumerate(painter.paint(episodes)):
        np.testing.assert_array_equal(drawn_again["flow_front"], np.stack(seen)[:, world])
    painter.close()


SENSOR = 'focal="0.02 0.015" sensorsize="0.03 0.02" principal="0.002 -0.001" resolution="96 64"'
SHAPES = """
<mujoco>
  <asset>
    <texture name="flat" type="2d" builtin="checker" width="16" height="16"/>
    <texture name="cube" type="cube" builtin="gradient" width="16" height="16"/>
    <material name="flat" texture="flat"/>
    <material name="cube" texture="cube"/>
  </asset>
  <worldbody>
    <geom name="box" type="box" size="0.3 0.2 0.4" pos="2 0.3 0.5" material="{material}"/>
    <geom name="hidden" type="box" size="0.3 0.2 0.4" pos="2 0.3 0.5" material="cube" group="3"/>
    <geom name="ball" type="sphere" size="0.3" pos="2 -0.5 1.3"/>
    <camera name="plain" pos="-1 0 1" xyaxes="0 -1 0 0.2 0 1"/>
    <camera name="sensor" pos="-1 0 1" xyaxes="0 -1 0 0.2 0 1" {sensor}/>
  </worldbody>
</mujoco>
"""


def shapes(material="flat"):
    engine = MujocoEngine(load_model(SHAPES.format(material=material, sensor=SENSOR)), 2, 1)
    engine.forward()
    return engine


@pytest.mark.parametrize("size", [(96, 64), (60, 60), (96, 30)])
def test_a_camera_with_intrinsics_sees_what_it_sees_in_gl(size):
    cameras = tuple(CameraSpec(name=name, width=size[0], height=size[1]) for name in ("plain", "sensor"))
    keys = ("segmentation_plain", "segmentation_sensor")
    gl, warp = (make_renderer(name, shapes(), cameras, keys).render() for name in ("gl", "warp"))
    for key in keys:
        assert (gl[key] == warp[key]).mean() > 0.995  # the rest are edges
        assert len(np.unique(gl[key])) == 3


def test_a_cube_texture_is_refused_by_name():
    cameras = (CameraSpec(name="plain", width=8, height=8),)
    with pytest.raises(UserError, match="geom 'box' has a cube texture: `warp` draws flat ones only"):
        make_renderer("warp", shapes("cube"), cameras, ("rgb_plain",))
    make_renderer("warp", shapes("cube"), cameras, ("depth_plain",))  # needs no colours
    engine = shapes()
    drawn = make_renderer("warp", engine, cameras, ("rgb_plain",))
    material = engine.model.geom_matid[None].copy()
    material[0, engine.model.geom("box").id] = engine.model.material("cube").id
    engine.randomise("geom_matid", material, np.array([1]))
    with pytest.raises(UserError, match="geom 'box' has a cube texture"):
        drawn.render()
