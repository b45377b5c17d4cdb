"""What a size range does to where free things begin: they keep standing on what they stand on."""

from typing import Any

import numpy as np
import pytest

from robossl.core import Draws, Stream
from robossl.envs.engine import Engine
from robossl.envs.engines import make_engine
from robossl.envs.host import on_host
from robossl.envs.mujoco_model import load_model
from robossl.envs.randomisation import Randomisation
from robossl.envs.randomiser import Randomiser

CORNERS = "0 0 0  .04 0 0  0 .04 0  0 0 .06"


def scene(*bodies: str) -> str:
    floor = '<geom name="floor" type="plane" size="2 2 .1"/>'
    mesh = f'<asset><mesh name="wedge" vertex="{CORNERS}"/></asset>'
    return f"<mujoco>{mesh}<worldbody>{floor}{''.join(bodies)}</worldbody></mujoco>"


def thing(name: str, pos: str, shape: str = 'type="box" size=".05 .05 .05"', turn: str = "") -> str:
    return f'<body name="{name}" pos="{pos}" {turn}><freejoint/><geom name="{name}" {shape} mass="1"/></body>'


def begun(
    xml: str, factor: float, *elements: str, engine: str = "mujoco", given: np.ndarray | None = None, **options: Any
) -> Engine:
    """Returns two worlds in which sizes, `given` by a layout or the model's, are `factor` times as large."""
    model = load_model(xml)
    worlds, ids = make_engine(engine, model, 2, 1), np.arange(2)
    own = () if given is None else ("geom_size",)
    size = Randomisation(field="geom_size", elements=elements, low=factor, high=factor, **options)
    randomiser = Randomiser(worlds, {"size": size}, own, num_actions=1, control_hz=10.0)
    worlds.reset(ids)
    if given is not None:
        worlds.randomise("geom_size", given, ids)
    randomiser.begin(ids, Draws(3, Stream.TRAIN, ids, 0 * ids))
    worlds.forward()
    return worlds


def heights(engine: Engine) -> np.ndarray:
    """Returns how high the free bodies of the second world are."""
    joints = np.flatnonzero(engine.model.jnt_type == 0)
    return np.asarray(on_host(engine.read("qpos"))[1, engine.model.jnt_qposadr[joints] + 2], np.float64)


@pytest.mark.parametrize("engine", ["mujoco", "bullet", "warp"])
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_lying_and_stacked_things_stay_on_what_they_lie_on(engine: str, factor: float) -> None:
    if engine == "warp":
        pytest.importorskip("mujoco_warp")
    lying = thing("lying", "1 0 .02", 'type="box" size=".02 .05 .2"', 'euler="0 90 0"')
    xml = scene(thing("below", "0 0 .05"), lying, thing("above", "0 .01 .15"))
    names = ("below", "lying", "above")
    expected = np.array([0.05, 0.02, 0.15]) * factor
    np.testing.assert_allclose(heights(begun(xml, factor, *names, engine=engine)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "along"),
    [
        ('type="sphere" size=".05"', 0.05),
        ('type="capsule" size=".02 .05"', 0.02 + 0.05 * 0.5),
        ('type="cylinder" size=".02 .05"', 0.02 * np.sqrt(0.75) + 0.05 * 0.5),
        ('type="ellipsoid" size=".02 .03 .05"', np.hypot(0.03 * np.sqrt(0.75), 0.05 * 0.5)),
        ('type="box" size=".02 .03 .05"', 0.03 * np.sqrt(0.75) + 0.05 * 0.5),
    ],
)
def test_tilted_shapes_keep_the_height_of_their_lowest_point(shape: str, along: float) -> None:
    engine = begun(scene(thing("it", "0 0 .3", shape, 'euler="60 0 0"')), 1.5, "it")
    assert heights(engine)[0] == pytest.approx(0.3 + 0.5 * along, abs=1e-6)


@pytest.mark.parametrize("elements", [("floor",), ("it",)])
def test_what_a_layout_gave_is_what_it_counted_with(elements: tuple[str, ...]) -> None:
    xml = scene(thing("it", "0 0 .05"))
    given = np.repeat(load_model(xml).geom_size[None], 2, axis=0)
    given[:, 1] = 0.08
    assert heights(begun(xml, 1.0, *elements, given=given))[0] == pytest.approx(0.05)
    assert heights(begun(xml, 1.5, "it", given=given))[0] == pytest.approx(0.05 + 0.04)


def test_what_lies_on_a_fixed_thing_that_grows_rises_with_it() -> None:
    xml = scene(
        '<geom name="post" type="cylinder" size=".1 .1" pos="1 0 .1"/>',
        thing("on", "1.05 0 .25"),
        thing("beside", "1.2 0 .25"),
        thing("far", "-1 0 .05"),
    )
    np.testing.assert_allclose(heights(begun(xml, 1.5, "post", columns=(1,))), [0.3, 0.25, 0.05], atol=1e-6)


def test_the_highest_of_several_supports_carries() -> None:
    plank = thing("plank", "0 0 .11", 'type="box" size=".3 .05 .01"')
    bridge = thing("a", "-.2 0 .05"), thing("b", ".2 0 .05"), plank
    assert heights(begun(scene(*bridge), 1.2, "a"))[2] == pytest.approx(0.11 + 0.02)
    assert heights(begun(scene(*bridge), 0.5, "a"))[2] == pytest.approx(0.11)
    assert heights(begun(scene(*bridge), 0.5, "a", "b"))[2] == pytest.approx(0.11 - 0.05)


def test_stacks_rise_floor_by_floor_whatever_the_order_of_bodies() -> None:
    tower = [thing(name, f"0 0 {0.05 + 0.1 * floor}") for floor, name in enumerate("abcd")]
    raised = heights(begun(scene(*tower[::-1]), 1.2, *"abcd"))
    np.testing.assert_allclose(raised, [0.42, 0.3, 0.18, 0.06], atol=1e-6)


def test_a_body_of_several_parts_stands_on_the_lowest() -> None:
    feet = '<body pos=".2 0 -.1"><geom name="foot" type="box" size=".02 .02 .05" mass=".1"/></body>'
    xml = scene(thing("it", "0 0 .15").replace("</body>", f"{feet}</body>"))
    assert heights(begun(xml, 1.4, "foot"))[0] == pytest.approx(0.15 + 0.02, abs=1e-6)
    assert heights(begun(xml, 1.4, "it"))[0] == pytest.approx(0.15)
    assert heights(begun(xml, 4.0, "it"))[0] == pytest.approx(0.2, abs=1e-6)


def test_meshes_rise_with_what_they_stand_on() -> None:
    wedge = thing("wedge", "0 0 .1", 'type="mesh" mesh="wedge"')
    xml = scene(thing("box", "0 0 .05"), wedge)
    assert heights(begun(xml, 1.4, "box"))[1] == pytest.approx(0.1 + 0.04, abs=1e-6)


def test_what_nothing_can_touch_carries_nothing() -> None:
    ghost = '<geom name="ghost" type="box" size=".05 .05 .05" pos="0 0 .05" contype="0" conaffinity="0"/>'
    assert heights(begun(scene(ghost, thing("it", "0 0 .15")), 1.4, "ghost"))[0] == pytest.approx(0.15)
