"""Randomisations: what they change, by how much, and that they change nothing else."""

from typing import Any

import numpy as np
import pytest

from robossl.core import Draws, Stream, UnknownNameError, UserError
from robossl.envs import EnvConfig
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_model import load_model
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation
from robossl.envs.randomiser import Randomiser, switched_on

XML = """
<mujoco>
  <option timestep="0.01" gravity="0 0 0"/>
  <asset>
    <texture name="one" type="2d" builtin="checker" width="8" height="8"/>
    <material name="one" texture="one"/>
    <material name="two" texture="one"/>
  </asset>
  <worldbody>
    <light name="sun" dir="0.6 0 -0.8" diffuse="0.5 0.9 0.5"/>
    <camera name="eye" quat="0.8 0.6 0 0"/>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="cart">
      <joint name="x" type="slide" axis="1 0 0" damping="2"/>
      <joint name="y" type="slide" axis="0 1 0" damping="3"/>
      <geom name="cart" type="box" size="0.2 0.2 0.2" mass="4" rgba="0.9 0.5 0.1 1" contype="0"/>
    </body>
  </worldbody>
  <actuator>
    <position name="servo" joint="x" kp="10" kv="2"/>
  </actuator>
</mujoco>
"""
BALL = '<mujoco><worldbody><body name="ball"><freejoint/><geom name="ball" size="0.1"/></body></worldbody></mujoco>'
NUM = 400
EVERYONE = np.arange(NUM)


def randomiser(own_fields: tuple[str, ...] = (), num_worlds: int = NUM, **active: AnyRandomisation) -> Randomiser:
    engine = MujocoEngine(load_model(XML), num_worlds, 1)
    engine.reset(np.arange(num_worlds))
    return Randomiser(engine, active, own_fields, num_actions=2, control_hz=10.0)


def begun(**options: Any) -> tuple[MujocoEngine, Randomiser]:
    it = randomiser(**options)
    it.begin(EVERYONE, draws())
    it._engine.forward()
    assert isinstance(it._engine, MujocoEngine)
    return it._engine, it


def draws(worlds: np.ndarray = EVERYONE) -> Draws:
    return Draws(3, Stream.TRAIN, worlds, np.zeros_like(worlds))


def mass(**options: Any) -> Randomisation:
    return Randomisation(**{"field": "body_mass", "low": 0.5, "high": 1.0, **options})


def wrong(value: Any) -> Any:
    return value


def assert_uniform(values: np.ndarray, low: float, high: float) -> None:
    assert low <= values.min() < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < values.max() <= high
    assert abs(values.mean() - (low + high) / 2) < 0.1 * (high - low)


def test_a_scale_multiplies_what_the_model_has_and_leaves_the_rest() -> None:
    engine, it = begun(damping=Randomisation(field="dof_damping", elements=("y",), low=0.5, high=1.5))
    damping = engine.model_values()["dof_damping"]
    np.testing.assert_array_equal(damping[:, 0], 2.0)
    assert_uniform(damping[:, 1] / 3, 0.5, 1.5)
    np.testing.assert_allclose(it.info()["randomise/damping"], damping[:, 1] / 3, rtol=1e-6)


def test_fields_that_change_alike_share_their_numbers() -> None:
    gains = Randomisation(field=("actuator_gainprm", "actuator_biasprm"), low=0.5, high=2.0)
    values = begun(gains=gains)[0].model_values()
    factor = values["actuator_gainprm"][:, 0, 0] / 10
    assert_uniform(factor, 0.5, 2.0)
    np.testing.assert_allclose(values["actuator_biasprm"][:, 0, 1:3], -factor[:, None] * [10, 2], rtol=1e-12)


def test_what_the_task_has_written_is_what_is_changed() -> None:
    friction = Randomisation(field="geom_friction", columns=(0,), mode="offset", low=0.1, high=0.1)
    it = randomiser(own_fields=("geom_friction",), friction=friction)
    engine = it._engine
    own = np.repeat(engine.model.geom_friction[None], NUM, axis=0)
    own[:, :, 0] = EVERYONE[:, None]
    for _ in range(2):  # twice: an offset must not pile up from episode to episode
        engine.randomise("geom_friction", own, EVERYONE)
        it.begin(EVERYONE, draws())
    np.testing.assert_allclose(engine.model_values()["geom_friction"][:, 0, 0], EVERYONE + 0.1)


def test_episodes_do_not_pile_up_on_the_model() -> None:
    it = randomiser(mass=Randomisation(field="body_mass", elements=("cart",), low=2.0, high=2.0))
    for _ in range(3):
        it.begin(EVERYONE, draws())
    np.testing.assert_allclose(it._engine.model_values()["body_mass"][:, 1], 8.0)


def test_two_randomisations_of_one_field_add_up() -> None:
    engine, _ = begun(
        colour=Randomisation(field="geom_rgba", columns=(0, 1, 2), mode="offset", low=0.2, high=0.2),
        shade=Randomisation(field="geom_rgba", elements=("cart",), columns=(0, 1, 2), low=0.5, high=0.5),
    )
    rgba = engine.model_values()["geom_rgba"][0]
    np.testing.assert_allclose(rgba[1], [0.5, 0.35, 0.15, 1], atol=1e-6)  # red cannot be brighter than full
    np.testing.assert_allclose(rgba[0], [0.7, 0.7, 0.7, 1], atol=1e-6)


def test_each_element_gets_its_own_number_where_asked_for() -> None:
    colour = Randomisation(field="geom_rgba", columns=(0, 1, 2), mode="set", low=0.2, high=0.8, each=True)
    engine, it = begun(colour=colour)
    rgba = engine.model_values()["geom_rgba"]
    assert_uniform(rgba[..., :3], 0.2, 0.8)
    assert len(np.unique(rgba[7, :, :3])) == 6
    assert (rgba[..., 3] == 1).all()
    np.testing.assert_array_equal(it.info()["randomise/colour"], rgba[..., :3].astype(np.float32))


def test_one_column_or_one_number_has_no_axis_of_its_own() -> None:
    fov = Randomisation(field="cam_fovy", low=0.5, high=1.0, each=True)
    damping = Randomisation(field="dof_damping", low=0.5, high=1.0, each=True)
    info = begun(fov=fov, damping=damping)[1].info()
    assert {name: value.shape for name, value in info.items()} == {
        "randomise/fov": (NUM,),  # of the only camera
        "randomise/damping": (NUM, 2),
    }


def test_fields_that_draw_differently_much_tell_all_numbers() -> None:
    both = Randomisation(field=("dof_damping", "jnt_stiffness", "body_mass"), low=0.5, high=1.0, each=True)
    it = begun(both=both)[1]
    drawn = draws().sub("randomise both").uniform(0.5, 1.0, (2,))
    np.testing.assert_array_equal(it.values["both"], drawn)


def test_what_was_told_never_changes() -> None:
    colour = Randomisation(field="geom_rgba", columns=(0, 1, 2), mode="set", low=0.2, high=0.8, each=True)
    _, it = begun(colour=colour)
    told = it.info()["randomise/colour"]
    before = told.copy()
    assert it.info()["randomise/colour"] is told  # a step copies nothing
    it.begin(EVERYONE[:3], draws(EVERYONE[:3] + NUM))
    np.testing.assert_array_equal(told, before)
    now = it.info()["randomise/colour"]
    np.testing.assert_array_equal((now != told).any(axis=(1, 2)), EVERYONE < 3)
    it.set_state({**it.get_state(), "values": {"colour": np.zeros((NUM, 2, 3))}})
    assert now.min() >= np.float32(0.2)


def test_a_state_from_before_elements_were_told_gives_all_the_mean() -> None:
    _, it = begun(damping=Randomisation(field="dof_damping", low=0.5, high=1.0, each=True))
    it.set_state({**it.get_state(), "values": {"damping": EVERYONE / NUM}})
    np.testing.assert_array_equal(it.values["damping"], np.repeat(EVERYONE[:, None] / NUM, 2, axis=1))


def test_a_delay_tells_how_late_actions_are() -> None:
    alone = randomiser(delay=ActionDelay(low=0.16, high=0.24))  # at 10 Hz: two decisions
    alone.begin(EVERYONE, draws())
    np.testing.assert_array_equal(alone.info()["randomise/delay"], np.float32(0.2))
    both = randomiser(a=ActionDelay(low=0.04, high=0.04), b=ActionDelay(low=0.08, high=0.08))
    both.begin(EVERYONE, draws())
    told = both.info()
    np.testing.assert_array_equal(told["randomise/a"] + told["randomise/b"], np.float32(0.1))


def test_turns_are_by_the_angle_about_any_axis() -> None:
    turn = Randomisation(field=("light_dir", "cam_quat"), mode="turn", low=0.3, high=0.3)
    values = begun(turn=turn)[0].model_values()
    light, quat = values["light_dir"][:, 0], values["cam_quat"][:, 0]
    np.testing.assert_allclose(np.linalg.norm(light, axis=1), 1, rtol=1e-5)
    angle = np.arccos(light @ [0.6, 0, -0.8])
    assert angle.max() == pytest.approx(0.3, abs=2e-3)
    assert (angle < 0.3 + 1e-4).all()  # less where the axis is not at right angles to the light
    np.testing.assert_allclose(np.linalg.norm(quat, axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(2 * np.arccos(quat @ [0.8, 0.6, 0, 0]), 0.3, rtol=1e-6)
    assert np.abs(light.mean(axis=0) - np.array([0.6, 0, -0.8])).max() < 0.05


def test_whole_numbers_are_chosen_evenly_with_both_ends() -> None:
    texture = Randomisation(field="geom_matid", elements=("floor",), mode="choose", low=-1, high=1)
    material = begun(texture=texture)[0].model_values()["geom_matid"]
    counts = [(material[:, 0] == index).sum() for index in (-1, 0, 1)]
    assert sum(counts) == NUM
    assert min(counts) > 100
    assert (material[:, 1] == -1).all()


def test_the_state_at_the_start_is_offset() -> None:
    start = Randomisation(field="qpos", elements=("y",), mode="offset", low=-0.5, high=0.5)
    engine, _ = begun(start=start)
    assert (engine.read("qpos")[:, 0] == 0).all()
    assert_uniform(engine.read("qpos")[:, 1], -0.5, 0.5)


def test_actions_are_late_by_whole_decisions_of_each_episodes_own() -> None:
    it = randomiser(delay=ActionDelay(high=0.25))  # rounded to 0, 1 or 2 decisions
    it.begin(EVERYONE, draws())
    delay = np.floor(it.values["delay"] * 10 + 0.5).astype(int)
    assert set(delay) == {0, 1, 2}
    for decision in range(6):
        action = np.full((NUM, 2), decision + 1, np.float32)
        acted = it.act(action, draws(), np.full(NUM, decision))
        np.testing.assert_array_equal(acted[:, 0], np.maximum(decision + 1 - delay, 0))
    it.begin(EVERYONE[:1], draws(EVERYONE[:1]))
    decisions = np.where(EVERYONE == 0, 0, 6)
    assert it.act(np.full((NUM, 2), 9, np.float32), draws(), decisions)[0, 0] in (0, 9)  # nothing of the last episode


def test_pushes_come_now_and_then_from_all_sides_with_the_episodes_strength() -> None:
    it = randomiser(push=Push(body="cart", low=1.0, high=3.0, chance=0.25))
    it.begin(EVERYONE, draws())
    engine, forces = it._engine, []
    for decision in range(40):
        it.act(np.zeros((NUM, 2), np.float32), draws(), np.full(NUM, decision))
        forces.append(engine.read("xfrc_applied")[:, 1])
    strength = np.linalg.norm(np.array(forces), axis=-1)
    is_pushed = strength > 0
    assert abs(is_pushed.mean() - 0.25) < 0.02
    np.testing.assert_allclose(
        strength[is_pushed], np.broadcast_to(it.values["push"], strength.shape)[is_pushed], rtol=1e-5
    )
    assert_uniform(it.values["push"], 1.0, 3.0)
    directions = np.array(forces)[is_pushed][:, :2] / strength[is_pushed][:, None]
    assert np.abs(directions.mean(axis=0)).max() < 0.05
    assert (np.array(forces)[..., 2:] == 0).all()


def test_names_have_numbers_of_their_own() -> None:
    mass = Randomisation(field="body_mass", low=0.5, high=1.5)
    damping = Randomisation(field="dof_damping", low=0.5, high=1.5)
    alone, both = begun(mass=mass)[1], begun(damping=damping, mass=mass)[1]
    np.testing.assert_array_equal(alone.values["mass"], both.values["mass"])
    assert abs(np.corrcoef(both.values["mass"], both.values["damping"])[0, 1]) < 0.15
    one = randomiser(num_worlds=1, mass=mass)
    one.begin(np.array([0]), draws(np.array([7])))
    assert one.values["mass"][0] == alone.values["mass"][7]


@pytest.mark.parametrize("order", [("mass", "size", "inertia"), ("inertia", "size", "mass")])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_factors_of_inertia_multiply_what_masses_and_sizes_lead_to(order: tuple[str, ...], factor: float) -> None:
    entries = {
        "mass": Randomisation(field="body_mass", elements=("ball",), low=0.5, high=2.0),
        "size": Randomisation(field="geom_size", elements=("ball",), low=0.5, high=2.0),
        "inertia": Randomisation(field="body_inertia", elements=("ball",), low=factor, high=factor),
    }
    found = []
    for names in (order, ("mass", "size")):
        engine = MujocoEngine(load_model(BALL), NUM, 1)
        it = Randomiser(engine, {name: entries[name] for name in names}, (), num_actions=1, control_hz=10.0)
        for _ in range(2):  # the second time the engine has inertias of its own
            it.begin(EVERYONE, draws())
        found.append(engine.own_values("body_inertia")[:, 1])
    np.testing.assert_array_equal(found[0], found[1] * factor)
    assert np.ptp(found[0], axis=0).min() > 0


def test_an_inertia_follows_the_mass_that_the_layout_gave_unless_it_gave_the_inertia() -> None:
    inertia = Randomisation(field="body_inertia", elements=("cart",), low=2.0, high=2.0)
    for own, expected in ((("body_mass",), 6.0), (("body_mass", "body_inertia"), 10.0)):
        it = randomiser(own_fields=own, num_worlds=1, inertia=inertia)
        engine, world = it._engine, np.array([0])
        engine.randomise("body_mass", 3 * engine.model.body_mass[None], world)
        if "body_inertia" in own:
            engine.randomise("body_inertia", 5 * engine.model.body_inertia[None], world)
        it.begin(world, draws(world))
        np.testing.assert_allclose(
            engine.own_values("body_inertia")[0, 1], expected * engine.model.body_inertia[1], rtol=1e-12
        )


def test_all_stands_for_every_range_by_its_strength() -> None:
    declared: dict[str, AnyRandomisation] = {
        "mass": Randomisation(field="body_mass", low=0.5, high=2.0),
        "fov": Randomisation(field="cam_fovy", mode="set", low=40, high=60),
        "delay": ActionDelay(high=0.2),
    }
    half = switched_on(declared, {"all": 0.5, "fov": (45.0, 46.0)})
    assert {name: (entry.low, entry.high) for name, entry in half.items()} == {
        "mass": (0.75, 1.5),
        "fov": (45.0, 46.0),
        "delay": (0.0, 0.1),
    }
    assert switched_on(declared, {"all": 1.0}) == declared
    assert switched_on(declared, {"all": 0.0}) == switched_on(declared, {}) == {}
    assert switched_on(declared, {"mass": 0.7})["mass"].low == switched_on(declared, {"mass": 0.7})["mass"].high == 0.7
    with pytest.raises(UnknownNameError, match="unknown randomisation 'mas'; did you mean 'mass'"):
        switched_on(declared, {"mas": 1.0})
    with pytest.raises(UserError, match=r"env.randomise.all is one number, .*, got 0.2 1"):
        switched_on(declared, {"all": (0.2, 1.0)})
    with pytest.raises(UserError, match=r"env.randomise.all is one number, .*, got -1"):
        switched_on(declared, {"all": -1.0})


def test_a_range_without_a_whole_number_is_nothing_to_choose_from() -> None:
    declared = {"texture": Randomisation(field="geom_matid", mode="choose", low=-1, high=2)}
    with pytest.raises(UserError, match=r"env\.randomise\.texture: there is no whole number from 0\.3 to 0\.4"):
        switched_on(declared, {"texture": (0.3, 0.4)})
    assert switched_on(declared, {"texture": (0.3, 1.4)})["texture"].high == 1.4


def test_two_delays_that_are_late_only_together_are() -> None:
    one = randomiser(num_worlds=1, a=ActionDelay(low=0.04, high=0.04), b=ActionDelay(low=0.04, high=0.04))
    one.begin(np.array([0]), draws(np.array([0])))
    acted = [one.act(np.full((1, 2), t + 1, np.float32), draws(np.array([0])), np.array([t]))[0, 0] for t in range(3)]
    assert acted == [0, 1, 2]


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UserError, match=r"env.randomise.mass: a range goes from low to high, got 2 1"):
        EnvConfig(randomise={"mass": (2.0, 1.0)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Randomisation(field="body_mass", low=2.0, high=1.0),
            "range of body_mass goes from low to high, got 2 1",
        ),
        (lambda: Randomisation(field="body_mass", low=1.0, high=float("nan")), "got 1 nan"),
        (lambda: Randomisation(field="body_mass", low=1.0, high=1e300), r"got 1 1e\+300"),
        (lambda: EnvConfig(randomise={"push": (0.0, 1e300)}), r"got 0 1e\+300"),
        (
            lambda: Randomisation(field="actuator_gainprm", low=-1.0, high=1.0),
            "factors of actuator_gainprm goes from low to high and not below 0, got -1 1",
        ),
        (lambda: ActionDelay(low=-0.1, high=0.1), "not below 0, got -0.1 0.1"),
        (lambda: ActionDelay(high=1e9), r"an action's delay must be at most 60 s, got 1e\+09"),
        (lambda: Push(body="car", low=3.0, high=2.0), "a push on car goes from low to high"),
        (lambda: Push(body="car", high=2.0, chance=1.5), "chance in 0..1, got 1.5"),
        (
            lambda: mass(mode="multiply"),
            "randomisation of body_mass: unknown mode 'multiply'; known: choose",
        ),
        (lambda: mass(mode=None), "body_mass: mode must be one of scale, offset, set, turn, choose, got None"),
        (lambda: mass(low="a"), "body_mass: low must be a number, got 'a'"),
        (lambda: mass(columns=()), r"body_mass: of which columns\?, got \[\]"),
        (lambda: mass(columns=1), "body_mass: columns must be a list of whole numbers, got 1"),
        (lambda: mass(columns=(1.0,)), r"body_mass: columns must be a list of whole numbers, got \(1.0,\)"),
        (lambda: mass(elements="cart"), "body_mass: elements must be a list of texts, got 'cart'"),
        (lambda: mass(each=2), "body_mass: each must be a truth value, got 2"),
        (lambda: mass(field=()), r"a randomisation's field must be a name, or a tuple of names, got \(\)"),
        (lambda: mass(field=None), "a randomisation's field must be a name, or a tuple of names, got None"),
        (lambda: ActionDelay(high=wrong("a")), "an action's delay: high must be a number, got 'a'"),
        (lambda: Push(body=wrong(3), high=1.0), "a push: body must be a text, got 3"),
    ],
)
def test_a_range_that_is_none_is_refused(make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Randomisation(field="body_mass", elements=("cart",), mode="set", low=-1.0, high=1.0), "beyond 1e-09 to inf"),
        (Randomisation(field="geom_friction", columns=(0, 9), low=0.5, high=1.0), "has the columns 0 to 2, got 0, 9"),
        (Randomisation(field="body_mass", low=0.0, high=1.0), "body_mass times 0 to 1: that makes 0 to 4, beyond"),
        (
            Randomisation(field="geom_friction", mode="offset", low=-2.0, high=0.0),
            r"makes -1\.9999 to 1, beyond 0 to inf",
        ),
        (Randomisation(field="cam_fovy", low=1.0, high=5.0), "that makes 45 to 225, beyond 1 to 179"),
        (Randomisation(field="geom_matid", mode="choose", low=0.0, high=2.0), "makes 0 to 2, beyond -1 to 1"),
        (Randomisation(field="geom_matid", mode="choose", low=-2.0, high=1.0), "makes -2 to 1, beyond -1 to 1"),
    ],
)
def test_a_range_that_makes_no_model_is_refused_before_anything_is_drawn(entry: Randomisation, message: str) -> None:
    with pytest.raises(UserError, match=message):
        randomiser(num_worlds=1, it=entry)


def test_half_a_range_to_choose_from_gives_whole_numbers_inside_it() -> None:
    whole = Randomisation(field="geom_matid", elements=("floor",), mode="choose", low=-1, high=1)
    engine, it = begun(texture=switched_on({"texture": whole}, {"all": 0.75})["texture"])
    np.testing.assert_array_equal(np.unique(it.values["texture"]), [0.0])
    np.testing.assert_array_equal(engine.model_values()["geom_matid"][:, 0], 0)


def test_ranges_that_make_no_model_only_together_are_refused_before_a_world_has_them() -> None:
    less = Randomisation(field="dof_damping", mode="offset", low=-1.5, high=-1.5)
    it = randomiser(num_worlds=1, a=less, b=less)
    with pytest.raises(UserError, match="dof_damping, as it is laid out and randomised, has -1 to -1, beyond 0 to inf"):
        it.begin(np.array([0]), draws(np.array([0])))


def test_a_range_that_makes_no_model_of_what_the_task_laid_out_is_refused() -> None:
    less = Randomisation(field="dof_damping", mode="offset", low=-1.5, high=-1.5)
    it, world = randomiser(("dof_damping",), num_worlds=1, it=less), np.array([0])
    it._engine.randomise("dof_damping", np.array([[1.0, 3.0]]), world)
    with pytest.raises(UserError, match=r"dof_damping, as it is laid out and randomised, has -0\.5 to -0\.5, beyond"):
        it.begin(world, draws(world))
