"""Our rays against MuJoCo's own, of `Batch.ray`, in scenes drawn at random."""

import itertools

import mujoco
import numpy as np
import pytest

from robossl.core import CameraSpec
from robossl.envs.casting import can_cast, caster
from robossl.envs.engines import make_engine
from robossl.envs.host import for_sensors
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.render import raycast
from robossl.envs.render.raycast import RaycastRenderer
from robossl.envs.render.rays import Hits
from robossl.envs.sensors import Lidar

CAMERA = CameraSpec(name="camera", width=37, height=24)
NUM_WORLDS = 40
KINDS = ("plane", "sphere", "capsule", "ellipsoid", "cylinder", "box")
SIZES = {"plane": "2 1 1", "sphere": "0.5", "capsule": "0.2 0.6", "ellipsoid": "0.3 0.5 0.8", "cylinder": "0.4 0.6"}
EYE = '<body name="eye" mocap="true"><camera name="camera" fovy="75"/></body>'


def scene(*kinds, more=""):
    """Every shape is a body that can be put anywhere."""
    shapes = "".join(
        f'<body mocap="true"><geom type="{kind}" size="{SIZES.get(kind, "0.3 0.5 0.7")}"/></body>' for kind in kinds
    )
    return load_model(f"<mujoco>{more}<worldbody>{shapes}{EYE}</worldbody></mujoco>")


def scattered(model, spread_m, seed=0, num_worlds=NUM_WORLDS):
    """Returns worlds in which bodies and camera are anywhere within `spread_m` of the middle, turned anyhow."""
    engine = MujocoEngine(model, num_worlds, 1)
    rng, everyone = np.random.default_rng(seed), np.arange(num_worlds)
    quat = rng.normal(size=(num_worlds, model.nmocap, 4))
    engine.write("mocap_pos", rng.uniform(-spread_m, spread_m, (num_worlds, model.nmocap, 3)), everyone)
    engine.write("mocap_quat", quat / np.linalg.norm(quat, axis=-1, keepdims=True), everyone)
    engine.forward()
    return engine


def compared(engine, camera=CAMERA):
    """Returns (depth, geom, normal) as MuJoCo and as we have them, each [n, R, ...]."""
    renderer = RaycastRenderer(engine, (camera,), (f"rgb_{camera.name}",))
    rays = renderer.rays(np.arange(engine.num_worlds))
    depth, geom, normal = engine.batch.ray(**rays)
    ours = Hits(rays["ids"], *renderer._poses.now(rays["ids"]), *map(odd, (rays["vec"], depth, geom, normal)))
    renderer._caster.refresh(rays["ids"])
    raycast._cast(renderer._caster, renderer._views[0], ours)
    return (depth, geom, normal), (ours.depth, ours.geom, ours.normal)


def odd(values):
    """Returns an array of the same kind full of what is none of its values."""
    return np.full_like(values, 77)


def require_equal(theirs, ours, slack=1e-7):
    """Demands the same hits; at the rim of a shape, where a ray just grazes it, one of 50,000 may differ."""
    is_same = theirs[1] == ours[1]
    assert (~is_same).mean() < 2e-5
    np.testing.assert_allclose(ours[0][is_same], theirs[0][is_same], rtol=slack, atol=slack)
    is_near = np.abs(ours[2] - theirs[2])[is_same].max(axis=-1) < 1e-5
    assert (~is_near).mean() < 2e-5  # at an edge of a box


def everywhere(monkeypatch):
    """Has shapes looked for along all rays."""
    plain = caster.outlines

    def whole(shapes, fan, *others):
        rays, windows = plain(shapes, fan, *others)
        is_drawn = shapes.is_drawn[others[0]] & (shapes.body != others[2])
        windows[...] = is_drawn[..., None] * np.array([0, fan.u.shape[1], 0, fan.u.shape[0]], np.uint64)
        return np.where(is_drawn[..., None, None], rays, 0.0), windows

    monkeypatch.setattr(caster, "outlines", whole)


@pytest.mark.parametrize(
    ("fovy", "size"), [(20, (37, 24)), (75, (1, 1)), (120, (51, 2)), (170, (37, 3)), (179, (9, 24))]
)
@pytest.mark.parametrize("spread_m", [0.01, 0.3, 2.5])
def test_no_shape_is_missed_where_it_is_not_looked_for(spread_m, fovy, size, monkeypatch):
    engine = scattered(scene(*KINDS[1:], *KINDS[1:]), spread_m, seed=fovy)
    engine.randomise("geom_size", engine.model.geom_size[None] * min(spread_m, 1.0), np.arange(NUM_WORLDS)[:1])
    engine.randomise("cam_fovy", np.full((NUM_WORLDS, 1), fovy), np.arange(NUM_WORLDS))
    engine.forward()
    camera = CameraSpec(name="camera", width=size[0], height=size[1])
    _, ours = compared(engine, camera)
    everywhere(monkeypatch)
    _, expected = compared(engine, camera)
    assert (expected[1] >= 0).any()
    for part, whole in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(part, whole)


def test_no_beam_misses_what_it_grazes(monkeypatch):
    engine = scattered(scene(*KINDS[1:], *KINDS[1:]), 1.0)
    ids, rng = np.arange(NUM_WORLDS), np.random.default_rng(0)
    engine.randomise("geom_size", engine.model.geom_size[None] * rng.uniform(0.01, 0.5, (NUM_WORLDS, 1, 1)), ids)
    turns = np.arange(720) * (np.pi / 360)
    where = np.zeros((NUM_WORLDS, 3)), np.stack([np.eye(3)] * NUM_WORLDS)
    ring = np.stack([np.cos(turns), np.sin(turns), 0 * turns], axis=1)
    ours = engine.scan(*where, ring, ids)
    everywhere(monkeypatch)
    expected = engine.scan(*where, ring, ids)
    assert 0.02 < (expected > 0).mean() < 0.9
    np.testing.assert_array_equal(ours, expected)


def test_scans_pass_through_what_mj_ray_lets_pass():
    materials = '<asset><material name="solid"/><material name="clear" rgba="1 1 1 0"/></asset>'
    balls = "".join(
        f'<geom type="sphere" size="0.1" pos="{place} 0" {looks}/>'
        for place, looks in (
            ("1 0", 'material="solid" rgba="1 0 0 0"'), ("-1 0", 'material="clear" rgba="1 0 0 1"'), ("0 1", "")
        )
    )  # fmt: skip
    engine = MujocoEngine(load_model(f"<mujoco>{materials}<worldbody>{balls}</worldbody></mujoco>"), 1, 1)
    engine.forward()
    beams = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0]])
    theirs = engine.batch.ray(np.zeros((1, 3, 3)), beams[None])[0]
    ours = engine.scan(np.zeros((1, 3)), np.eye(3)[None], beams, np.arange(1))
    np.testing.assert_allclose(ours, theirs)
    np.testing.assert_allclose(ours, [[0.9, -1.0, 0.9]])


@pytest.mark.parametrize("number", [-1, NUM_WORLDS])
def test_there_is_no_scan_of_a_world_that_is_none(number):
    engine = scattered(scene("box"), 1.0)
    with pytest.raises(IndexError, match=f"worlds are 0 to {NUM_WORLDS - 1}, got .*{number}"):
        engine.scan(np.zeros((2, 3)), np.stack([np.eye(3)] * 2), np.array([[0.0, 0, 1]]), np.array([0, number]))


def test_changed_model_values_are_followed_in_every_world_that_is_drawn():
    materials = '<asset><material name="clear" rgba="1 1 1 0"/><material name="red" rgba="1 0 0 1"/></asset>'
    engine = scattered(scene("box", "sphere", "capsule", more=materials), 0.8)
    renderer = RaycastRenderer(engine, (CAMERA,), ("rgb_camera", "segmentation_camera"))
    rng, everyone, num_geoms = np.random.default_rng(5), np.arange(NUM_WORLDS), engine.model.ngeom
    start, axes = engine.view("cam_xpos")[:, 0], engine.view("cam_xmat")[:, 0].reshape(-1, 3, 3)
    ahead, seen = np.array([[0.0, 0.0, -1.0], [0.2, 0.0, -0.9797958971]]), []
    for turn in range(6):
        renderer.render(everyone)
        ids = rng.permutation(NUM_WORLDS)[:15]
        engine.randomise("geom_size", engine.model.geom_size * rng.uniform(0.4, 1.6, (15, 1, 1)), ids)
        rgba = rng.choice([0.0, 1.0], (15, num_geoms, 4), p=[0.2, 0.8])
        material = rng.choice([-1, 0, 1], (15, num_geoms), p=[0.8, 0.1, 0.1])
        engine.randomise("geom_matid", material, ids)
        rgba = np.where(material[..., None] >= 0, [0.5, 0.5, 0.5, 1.0], rgba)  # else pictures and rays may differ
        engine.randomise("geom_rgba", rgba, ids)
        engine.forward()
        renderer.render(everyone[turn::2])
        engine.scan(start[turn::2], axes[turn::2], ahead, everyone[turn::2])
        drawn, rays = renderer.render(), renderer.rays(everyone)
        fresh = RaycastRenderer(engine, (CAMERA,), ("rgb_camera",)).render()
        np.testing.assert_array_equal(drawn["rgb_camera"], fresh["rgb_camera"])
        _, geom, _ = engine.batch.ray(**rays)
        np.testing.assert_array_equal(drawn["segmentation_camera"].reshape(NUM_WORLDS, -1), geom)
        beams = engine.batch.ray(
            pnt=np.repeat(start[:, None], 2, axis=1), vec=ahead @ axes.transpose(0, 2, 1), geomgroup=rays["geomgroup"]
        )[0]
        np.testing.assert_allclose(engine.scan(start, axes, ahead, everyone), beams, atol=1e-7)
        seen.append(geom)
    assert all((one != other).any() for one, other in itertools.pairwise(seen))


@pytest.mark.parametrize("spread_m", [0.3, 1.5, 4.0])
@pytest.mark.parametrize("kind", KINDS)
def test_every_shape_is_hit_as_by_mujoco(kind, spread_m):
    engine = scattered(scene(kind), spread_m)
    theirs, ours = compared(engine)
    share = (theirs[1] >= 0).mean()
    assert share > 0.002
    assert share < 0.9999 or spread_m < 1
    require_equal(theirs, ours)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plane"])
def test_a_camera_within_a_shape_sees_its_inside(kind):
    model = scene(kind)
    engine = scattered(model, 0.1)
    theirs, ours = compared(engine)
    is_full = (theirs[1] >= 0).all(axis=1)
    assert is_full.mean() > 0.9
    require_equal(theirs, ours)
    towards = (ours[2][is_full] * engine.view("cam_xmat").reshape(-1, 3, 3)[is_full][:, None, :, 2]).sum(axis=-1)
    assert (towards < 0).mean() > 0.5  # normals point outwards, away from the camera


@pytest.mark.parametrize("spread_m", [0.8, 2.5])
def test_of_many_shapes_the_nearest_is_hit(spread_m):
    theirs, ours = compared(scattered(scene(*KINDS, *KINDS, *KINDS), spread_m, seed=1))
    assert len(np.unique(theirs[1])) > 12
    require_equal(theirs, ours)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", ["1 0 0 0", "0.5 0.5 0.5 0.5", "0 1 0 0", "0.7071067811865476 0 0.7071067811865476 0"])
def test_rays_along_a_shapes_axes_are_right(kind, turn):
    """The middle ray is parallel to two pairs of a box's faces, or to a cylinder's axis."""
    engine = MujocoEngine(scene(kind), 5, 1)
    beside = np.array([0.0, 0.1, 0.45, 0.75, 1.2])
    engine.write(
        "mocap_pos", np.stack([np.stack([beside, 0 * beside, -3 + 0 * beside], 1), np.zeros((5, 3))], 1), range(5)
    )
    engine.write("mocap_quat", np.tile([[float(x) for x in turn.split()], [1.0, 0, 0, 0]], (5, 1, 1)), range(5))
    engine.forward()
    theirs, ours = compared(engine, CameraSpec(name="camera", width=31, height=31))
    assert (theirs[1] >= 0).any() or kind == "plane"
    np.testing.assert_array_equal(ours[1], theirs[1])
    require_equal(theirs, ours)


def test_sizes_and_colours_are_each_worlds_own():
    engine = scattered(scene("box", "sphere", "cylinder", "capsule"), 1.5)
    rng, everyone = np.random.default_rng(3), np.arange(NUM_WORLDS)
    size = engine.model.geom_size * rng.uniform(0.5, 2.0, (NUM_WORLDS, engine.model.ngeom, 1))
    rgba = np.tile(engine.model.geom_rgba, (NUM_WORLDS, 1, 1))
    rgba[::2, 1, 3] = 0
    engine.randomise("geom_size", size, everyone)
    engine.randomise("geom_rgba", rgba, everyone)
    engine.forward()
    theirs, ours = compared(engine)
    assert 1 not in theirs[1][::2]
    assert 1 in theirs[1][1::2]
    require_equal(theirs, ours)


def test_worlds_of_infinite_and_missing_numbers_show_nothing_wrong():
    engine = scattered(scene(*KINDS), 1.5)
    pos = engine.read("mocap_pos").astype(np.float64)
    for world, value in enumerate((np.nan, np.inf, -np.inf, 1e300, 1e-300)):
        pos[world, : len(KINDS)] = value
    engine.write("mocap_pos", pos, np.arange(NUM_WORLDS))
    engine.forward()
    (_, geom, _), (depth, ours, normal) = compared(engine)
    np.testing.assert_array_equal(ours[5:], geom[5:])
    assert (ours[:4] == -1).all()
    assert np.isfinite(depth).all()
    assert np.isfinite(normal).all()


@pytest.mark.parametrize("least_m", [0.0, 0.4])
@pytest.mark.parametrize("spread_m", [0.3, 2.5])
def test_beams_in_any_direction_get_as_far_as_mujocos(spread_m, least_m, monkeypatch):
    engine = scattered(scene(*KINDS, *KINDS), spread_m)
    rng, ids = np.random.default_rng(0), np.arange(1, NUM_WORLDS, 2)
    turns = np.arange(36) * (np.pi / 18)
    ring = np.stack([np.cos(turns), np.sin(turns), 0 * turns], axis=1)
    ball = rng.normal(size=(50, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    start, axes = engine.view("cam_xpos")[ids, 0], engine.view("cam_xmat")[ids, 0].reshape(-1, 3, 3)
    for directions in (ring, ball):
        ours = engine.scan(start, axes, directions, ids, hidden_body=2, least_m=least_m)
        with monkeypatch.context() as patch:
            patch.setattr(engine._scanner, "_caster", None)
            theirs = engine.scan(start, axes, directions, ids, hidden_body=2, least_m=least_m)
        assert (theirs > 0).mean() > 0.05
        assert theirs[theirs >= 0].min() >= least_m
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


MESH = """<mujoco><asset><mesh name="wedge" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset><worldbody>
<geom type="mesh" mesh="wedge" group="{group}" pos="0 0 -3"/><geom size="0.2" pos="1 0 -3"/>
<camera name="camera" fovy="75"/></worldbody></mujoco>"""


def test_other_shapes_are_left_to_mujoco():
    hidden, shown = (load_model(MESH.format(group=group)) for group in (3, 0))
    assert can_cast(hidden)
    assert not can_cast(shown)
    engine = MujocoEngine(shown, 2, 2)
    renderer = RaycastRenderer(engine, (CAMERA,), ("segmentation_camera", "rgb_camera", "depth_camera"))
    pictures, (depth, geom, _) = renderer.render(), engine.batch.ray(**renderer.rays(np.arange(2)))
    assert set(np.unique(geom)) == {-1, 0, 1}
    np.testing.assert_array_equal(pictures["segmentation_camera"].reshape(2, -1), geom)
    np.testing.assert_array_equal(pictures["depth_camera"].reshape(2, -1), np.maximum(depth, 0).astype(np.float32))


TOP = """<mujoco><asset><mesh name="wedge" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset><worldbody>
<geom type="mesh" mesh="wedge" pos="1 0 0"/><geom type="box" size="0.1 2 2" pos="4 0 0"/>
<body name="top"><joint axis="0 0 1"/><geom size="0.1"/><site name="laser"/><camera name="camera" fovy="75"
xyaxes="0 -1 0 0 0 1"/></body></worldbody></mujoco>"""


def turned(engine):
    """Returns six worlds in which a laser scanner looks elsewhere at a mesh."""
    made = make_engine(engine, load_model(TOP), 6, 2)
    made.write("qpos", np.linspace(-0.4, 0.4, 6)[:, None], np.arange(6))
    made.forward()
    return made


@pytest.mark.parametrize("engine", ["mujoco", "bullet", "warp"])
def test_meshes_are_scanned_in_worlds_in_any_order(engine):
    if engine != "mujoco":
        pytest.importorskip({"bullet": "pybullet", "warp": "mujoco_warp"}[engine])
    worlds, lidar = for_sensors(turned(engine)), Lidar(site="laser", num_beams=60, max_m=9)
    everywhere = lidar.read(worlds, {}, {}, np.arange(6))
    assert len(np.unique(everywhere, axis=0)) == 6
    for ids in ([4, 1, 5, 0], [5, 4, 3, 2, 1, 0], [2], []):
        rows = np.array(ids, np.int64)
        np.testing.assert_array_equal(lidar.read(worlds, {}, {}, rows), everywhere[rows])


def test_meshes_are_drawn_in_worlds_in_any_order():
    renderer = RaycastRenderer(turned("mujoco"), (CAMERA,), ("rgb_camera", "depth_camera", "normals_camera"))
    everywhere, ids = renderer.render(), np.array([4, 1, 5, 0])
    for key, pictures in renderer.render(ids).items():
        np.testing.assert_array_equal(pictures, everywhere[key][ids])
    renderer.close()


def test_a_model_with_a_cloth_is_left_to_mujoco():
    cloth = (
        '<flexcomp name="cloth" type="grid" count="3 3 1" spacing="0.1 0.1 0.1" radius="0.01" dim="2">'
        '<edge equality="true"/></flexcomp>'
    )
    model = load_model(f"<mujoco><worldbody><body name='pole'>{cloth}</body></worldbody></mujoco>")
    assert model.nflex
    assert not can_cast(model)


def test_every_shape_of_mujoco_that_is_known_is_tested():
    known = {int(getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}").value) for kind in KINDS}
    assert known == {kind for kind in range(mujoco.mjtGeom.mjNGEOMTYPES.value) if _is_known(kind)}


def _is_known(kind):
    model = scene("sphere")
    model.geom_type[0] = kind
    return can_cast(model)
