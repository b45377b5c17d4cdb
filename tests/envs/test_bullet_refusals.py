"""What has no counterpart in Bullet is refused by name."""

import numpy as np
import pytest

from robossl.core import UnknownNameError, UserError
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model

pytest.importorskip("pybullet")

from bullet_scenes import MIXED, chain, world

from robossl.envs.bullet.engine import BulletEngine

BALL = '<body pos="0 0 0.5"><freejoint/><geom size="0.1"/></body>'
TWO = """<geom name="a" type="box" size="1 1 0.1" contype="0" conaffinity="0"/>
<body name="b" pos="0 0 0.5"><freejoint/><geom name="b" size="0.1"/></body>"""
HINGE = '<body name="b"><joint name="j"/><geom name="b" size="0.1"/><site name="s"/></body>'


@pytest.mark.parametrize(
    ("body", "rest", "message"),
    [
        ('<body><joint name="j" type="ball" range="0 1" limited="true"/><geom size="1"/></body>', "", "joint 'j'"),
        ('<body><freejoint/><geom name="g" size="1" margin="0.1"/></body>', "", "geom 'g'"),
        (
            '<body name="a"><joint name="x"/><geom size="1"/></body><body><joint name="y"/><geom size="1"/></body>',
            '<equality><joint name="same" joint1="x" joint2="y"/></equality>',
            "equality 'same'",
        ),
        (
            '<body><joint name="j" range="0 1" limited="true"/><geom size="1"/></body>',
            '<sensor><jointlimitfrc name="stop" joint="j"/></sensor>',
            "sensor 'stop'",
        ),
        (
            '<body name="b"><joint/><geom size="1"/></body>',
            '<sensor><contact name="push" body1="b" data="force"/></sensor>',
            "sensor 'push'",
        ),
        (
            '<body mocap="true"><body><joint name="j"/><geom size="1"/></body></body>',
            "",
            "joint 'j'",
        ),
        (
            '<body><joint name="j"/><geom size="1"/></body>',
            '<tendon><fixed name="t" limited="true" range="0 1"><joint joint="j" coef="1"/></fixed></tendon>',
            "tendon 't'",
        ),
        ('<geom name="belt" type="plane" size="1 1 1" surfacevel="1 0 0 0 0 0"/>', "", "geom 'belt'"),
        ('<body><freejoint/><geom name="tape" size="1" adhesion="5"/></body>', "", "geom 'tape'"),
        (TWO, '<contact><pair name="p" geom1="a" geom2="b" adhesion="5"/></contact>', "pair 'p'"),
        (TWO, '<contact><pair name="p" geom1="a" geom2="b" margin="0.1"/></contact>', "pair 'p'"),
        (TWO, '<contact><pair name="p" geom1="a" geom2="b" gap="0.1"/></contact>', "pair 'p'"),
        (TWO, '<contact><pair name="p" geom1="a" geom2="b" friction="0.2 1"/></contact>', "pair 'p'"),
        (TWO, '<contact><pair geom1="a" geom2="b" condim="6" friction="1 1 0 0.1 0.2"/></contact>', "pair 0"),
        (TWO, '<actuator><adhesion name="suck" body="b" ctrlrange="0 1"/></actuator>', "actuator 'suck'"),
        (
            HINGE,
            '<tendon><fixed name="t"><joint joint="j" coef="1"/></fixed></tendon>'
            '<actuator><motor name="m" tendon="t" armature="1"/></actuator>',
            "actuator 'm'",
        ),
        (HINGE, '<sensor><accelerometer name="imu" site="s" delay="0.1" nsample="9"/></sensor>', "sensor 'imu'"),
        (
            HINGE,
            '<sensor><contact name="slow" geom1="b" data="found" interval="0.1 0" nsample="9"/></sensor>',
            "sensor 'slow'",
        ),
        (
            '<flexcomp name="cloth" type="grid" count="3 3 1" spacing="0.1 0.1 0.1" dim="2" radius="0.01" mass="1">'
            '<edge equality="true"/></flexcomp>',
            "",
            "flex 'cloth'",
        ),
        (
            f'<geom name="hill" type="hfield" hfield="hill" contype="0" conaffinity="0"/>{HINGE}',
            '<asset><hfield name="hill" nrow="2" ncol="2" size="1 1 1 1" elevation="0 0 0 0"/></asset>'
            '<contact><pair geom1="hill" geom2="b"/></contact>',
            "geom 'hill'",
        ),
        (
            HINGE.replace('<geom name="b" size="0.1"/>', '<geom name="b" type="mesh" mesh="m"/>'),
            '<asset><mesh name="m" builtin="sphere" params="1"/></asset>'
            '<sensor><tactile name="skin" geom="b" mesh="m"/></sensor>',
            "sensor 'skin'",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(body, rest, message):
    with pytest.raises(UserError, match=f"engine bullet: {message} cannot be translated: ") as error:
        BulletEngine(world(body, rest=rest), 1, 1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("flag", ["constraint", "equality", "frictionloss", "limit", "sensor"])
def test_flags_that_switch_off_what_bullet_computes_are_refused_by_name(flag):
    switch = f'<option><flag {flag}="disable"/></option>'
    with pytest.raises(UserError, match=f"engine bullet: flag '{flag}' cannot be translated: "):
        BulletEngine(world(BALL, rest=switch), 1, 1)


@pytest.mark.parametrize("flag", ["override", "sleep", "ipc", "speculative"])
def test_flags_that_switch_on_what_bullet_does_not_do_are_refused_by_name(flag):
    switch = f'<option integrator="discrete"><flag {flag}="enable"/></option>'
    with pytest.raises(UserError, match=f"engine bullet: flag '{flag}' cannot be translated: "):
        BulletEngine(world(BALL, rest=switch), 1, 1)


def test_without_contacts_things_fall_through_the_floor():
    switch = '<option><flag contact="disable"/></option>'
    heights = []
    for rest in ("", switch):
        engine = BulletEngine(world(f'<geom type="plane" size="1 1 1"/>{BALL}', rest=rest), 1, 1)
        engine.step(np.zeros((1, 0)), 300)
        heights.append(float(engine.read("qpos")[0, 2]))
    assert heights[0] == pytest.approx(0.1, abs=0.01)
    assert heights[1] < -0.5


def test_a_mesh_that_pybullet_cannot_take_is_refused_by_name(monkeypatch):
    mesh = '<asset><mesh name="m" builtin="sphere" params="2"/></asset>'
    model = world('<body><freejoint/><geom name="ball" type="mesh" mesh="m"/></body>', rest=mesh)
    BulletEngine(model, 1, 1).close()
    monkeypatch.setattr("robossl.envs.bullet.refusals._MOST_VERTICES", 100)
    with pytest.raises(UserError, match="geom 'ball' cannot be translated: PyBullet takes no mesh of more than 100"):
        BulletEngine(model, 1, 1)


@pytest.mark.parametrize(
    ("num_links", "joint", "free"),
    [(122, "<joint/>", True), (122, "<joint/>", False), (31, '<joint type="ball"/>', True)],
)
def test_a_tree_with_more_coordinates_than_pybullet_has_room_for_is_refused_by_name(num_links, joint, free):
    name = "'first'" if free else "2"
    with pytest.raises(UserError, match=rf"body {name} cannot be translated: .* has \d+ joint positions.* takes 121$"):
        BulletEngine(chain(num_links, joint, free=free), 1, 1)


def test_a_tree_with_more_links_than_pybullet_has_room_for_is_refused_by_name():
    spheres = "".join(f'<geom pos="{0.1 * i} 0 0" size="0.01"/>' for i in range(129))
    model = world(f'<geom type="plane" size="1 1 1"/><body name="rake" pos="0 0 1"><freejoint/>{spheres}</body>')
    with pytest.raises(UserError, match=r"body 'rake' cannot be translated: .* takes 128 links, .* takes 127$"):
        BulletEngine(model, 1, 1)


def test_what_is_refused_is_refused_before_a_world_is_built(monkeypatch):
    def connect(mode):
        raise AssertionError("a world was built")

    monkeypatch.setattr("robossl.envs.bullet.world.pybullet.connect", connect)
    with pytest.raises(UserError, match="geom 0 cannot be translated"):
        BulletEngine(world('<geom type="plane" size="1 1 1" surfacevel="1 0 0 0 0 0"/>'), 1, 1)


def test_frictions_that_no_factors_give_are_refused_by_the_names_of_the_geoms():
    geoms = "".join(
        f'<body pos="{i} 0 1"><freejoint/><geom name="g{i}" size="0.1" friction="{friction}"/></body>'
        for i, friction in enumerate((0.2, 0.5, 0.9, 0.3))
    )
    with pytest.raises(UserError, match=r"the sliding friction .* between geoms 'g\d' and 'g\d' cannot be translated"):
        BulletEngine(world(geoms), 1, 1)


def test_what_only_mujocos_contacts_give_is_refused_by_name():
    engine = BulletEngine(load_model(MIXED), 1, 1)
    with pytest.raises(UnknownNameError, match="qfrc_constraint"):
        engine.read("qfrc_constraint")
    with pytest.raises(UnknownNameError, match="ncon"):
        engine.step(np.zeros((1, 1)), 1, ("ncon",))
    with pytest.raises(UnknownNameError, match="eq_active"):
        engine.write("eq_active", np.zeros((1, 0)), np.arange(1))
    with pytest.raises(UnknownNameError, match="eq_active"):
        engine.reset(np.arange(1), ("eq_active",), np.zeros((1, 0)))
    with pytest.raises(
        UserError, match="engine bullet cannot vary geom_pos between worlds: leave out the ranges of it"
    ):
        engine.randomise("geom_pos", engine.model.geom_pos[None], np.arange(1))
    with pytest.raises(UnknownNameError, match="'geom_siz'; did you mean 'geom_size'"):
        engine.randomise("geom_siz", engine.model.geom_size[None], np.arange(1))


def test_a_state_in_which_a_weld_was_let_go_is_refused():
    model = world(BALL.replace("<body", '<body name="b"'), rest='<equality><weld body1="b"/></equality>')
    other, engine = MujocoEngine(model, 1, 1), BulletEngine(model, 1, 1)
    engine.set_state(other.get_state())
    other.write("eq_active", np.zeros((1, 1)), np.arange(1))
    for made in (engine, DelayedEngine(engine, delay=3, num_substeps=2)):
        state = made.get_state()
        state[:, : other.batch.nstate] = other.get_state()
        with pytest.raises(UserError, match="this state has let go of an equality"):
            made.require_state(state, {})
    with pytest.raises(UserError, match="this state has let go of an equality"):
        engine.set_state(other.get_state())


def test_more_worlds_than_free_memory_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("robossl.envs.bullet.world.available_bytes", lambda: 2**30)
    with pytest.raises(UserError, match="100 worlds need 29 MiB each; there is memory for 35"):
        BulletEngine(load_model(MIXED), 100, 1)
