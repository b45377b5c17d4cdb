"""What has no counterpart in Bullet is refused by name."""

import numpy as np
import pytest

from robossl.core import UnknownNameError, UserError
from robossl.envs.mujoco_engine import load_model

pytest.importorskip("pybullet")

from bullet_scenes import MIXED, world

from robossl.envs.bullet.engine import BulletEngine


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
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(body, rest, message):
    with pytest.raises(UserError, match=f"engine bullet: {message} cannot be translated: ") as error:
        BulletEngine(world(body, rest=rest), 1, 1)
    assert "\n" not in str(error.value)


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


def test_more_worlds_than_free_memory_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("robossl.envs.bullet.world.available_bytes", lambda: 2**30)
    with pytest.raises(UserError, match="100 worlds need 29 MiB each; there is memory for 35"):
        BulletEngine(load_model(MIXED), 100, 1)
