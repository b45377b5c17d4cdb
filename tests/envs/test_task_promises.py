"""A task of one's own with a mistake in it: one line says what is wrong, before a wrong number comes out."""

from dataclasses import replace
from typing import Any, cast

import mujoco
import numpy as np
import pytest
from test_task_env import RAIL, Rail

from robossl.core import ArraySpec, CameraSpec, CommandSpec, UserError
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.mujoco_model import load_model
from robossl.envs.randomisation import Push, Randomisation
from robossl.envs.sensors import Touch
from robossl.envs.task_declarations import require_spec
from robossl.envs.task_env import TaskEnv


def command(source: int) -> CommandSpec:
    return CommandSpec(name="force", unit="N", source=source, scale=1.0, offset=0.0, low=-1.0, high=1.0)


def begun(task: Any) -> TaskEnv:
    env = TaskEnv(task, EnvConfig(id="test/Rail-v0", num_worlds=3, num_threads=1), WorldSeed())
    env.reset()
    return env


def step_once(task: Any) -> None:
    begun(task).step(np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control_hz": 4.0}, r"decides every 0.25 s, and 2 physics steps of 0.1 s last 0.2 s"),
        ({"max_episode_steps": 0}, "max_episode_steps must be at least 1, got 0"),
        ({"default_observation": ("proprioo",)}, "unknown observation 'proprioo'; did you mean 'proprio'"),
        ({"random_fields": ("geom_rgb",)}, "unknown field that a task can randomise 'geom_rgb'"),
        ({"random_fields": ("geom_rgba",)}, "does not lay out 'geom_rgba'"),
        ({"randomisations": {"hue": Randomisation(field="geom_rgb", low=0.5, high=1)}}, "'geom_rgb'; did you mean"),
        (
            {"randomisations": {"air": Randomisation(field="opt.density", low=0.5, high=1, elements=("air",))}},
            r"the task's randomisation 'air': opt.density is of no elements, got \['air'\]",
        ),
        ({"randomisations": {"push": Push(body="car", high=1.0)}}, "the task's randomisation 'push': unknown body"),
        ({"randomisations": {"push": Push(body="world", high=1.0)}}, "a push does nothing to body 'world'"),
        ({"randomisations": {"mass": 3}}, "'mass' must be one of Randomisation, ActionDelay, Push, got 3"),
        ({"randomisations": []}, r"the task's randomisations must be a dict, by names of your own, got \[\]"),
        ({"reward_weights": {"right": 1.0}}, "reward terms hold 'effort', which its spec does not declare"),
        ({"metrics": ("count", "way")}, "metrics lack 'way', which its spec declares"),
        ({"num_substeps": 2.0}, "num_substeps must be a whole number, got 2.0"),
        ({"control_hz": 0.0}, "control_hz must be positive, got 0"),
        ({"privileged": {"mass": ArraySpec(shape=())}}, "privileged values lack 'mass'"),
        ({"privileged": {"count": ArraySpec(shape=(7,))}}, r"'count' as \[3, 1\], expected \[3, 7\]"),
        (
            {"vectors": {**Rail.spec.vectors, "count": ArraySpec(shape=(1,), dtype="int64")}},
            "'count' as int64: vectors",
        ),
        (
            {"vectors": {**Rail.spec.vectors, "count": ArraySpec(shape=(1,), names=("a", "b"))}},
            "tells 2 names of 'count'",
        ),
        ({"action": ArraySpec(shape=(1,), low=-2.0, high=2.0)}, "declared as -1 to 1, got -2 to 2"),
        ({"commands": (command(5),)}, "command 'force' is made of action 5: there is none"),
        ({"viewer_camera": "sid"}, "camera for a person's videos 'sid'; did you mean 'side'"),
        ({"cameras": (CameraSpec(name="top", width=8, height=6),)}, "unknown camera of the model 'top'"),
        ({"sensors": {"count": Touch(site="nowhere")}}, "'count' as a vector and as a sensor"),
        ({"vectors": {"a.b": ArraySpec(shape=(1,))}}, "declares 'a.b': a name is not empty and holds no full stop"),
        ({"vectors": {"": ArraySpec(shape=(1,))}}, "declares '': a name is not empty"),
        ({"cameras": (CameraSpec(name="s.ide", of="side", width=8, height=6),)}, "declares 's.ide': a name"),
        ({"randomisations": {"push.left": Push(body="cart", high=1.0)}}, "declares 'push.left': a name"),
        ({"vectors": {"rgb_side": ArraySpec(shape=(2,))}}, "'rgb_side' as no picture, and it is the key of one"),
        ({"vectors": {"privileged_count": ArraySpec(shape=(1,))}}, "'privileged_count': datasets keep what begins so"),
        ({"vectors": {"look1_x": ArraySpec(shape=(1,))}}, "'look1_x': datasets keep what begins so"),
        ({"cameras": 2 * Rail.spec.cameras}, "declares camera 'side' twice"),
        ({"control_hz": None}, "the task's control_hz must be a number, got None"),
        ({"control_hz": "5"}, "the task's control_hz must be a number, got '5'"),
        ({"max_episode_steps": True}, "max_episode_steps must be a whole number, got True"),
        ({"viewer_camera": None}, "viewer_camera must be a text, got None"),
        ({"is_recordable": 1}, "is_recordable must be a truth value, got 1"),
        ({"metrics": "count"}, "metrics must be a list of texts, got 'count'"),
        ({"reward_weights": ["right"]}, "reward_weights must be a dict, got"),
        ({"reward_weights": {"right": "1"}}, "reward_weights.right must be a number, got '1'"),
        ({"vectors": {"count": 3}}, "vectors.count must be an ArraySpec"),
        ({"cameras": ("side",)}, "cameras must be a list of CameraSpecs, got"),
        ({"sensors": {"three": 3}}, "sensor 'three' must be a Sensor, got 3"),
        ({"sensors": [Touch(site="nowhere")]}, "sensors must be a dict"),
        ({"action": ArraySpec(shape=(), low=-1, high=1)}, "action must be a vector"),
        (
            {"vectors": {"count": ArraySpec(shape=cast(Any, 19))}},
            "'count': shape must be a list of whole numbers, got 19",
        ),
        ({"vectors": {"count": ArraySpec(shape=(-1,))}}, "'count': a shape must not be negative"),
        (
            {"vectors": {"count": ArraySpec(shape=(1,), low=1, high=0)}},
            "'count': bounds go from low to high, got 1 to 0",
        ),
        ({"privileged": {"count": ArraySpec(shape=(1,), high=np.nan)}}, "'count': bounds go from low to high"),
        ({"cameras": (CameraSpec(name="side", width=0, height=6),)}, "pictures must have a pixel at least, got 0 x 6"),
        (
            {"cameras": (CameraSpec(name="side", width=cast(Any, 3.5), height=6),)},
            "'side': width must be a whole number",
        ),
        ({"cameras": (CameraSpec(name="side", width=8, height=6, shift_m=np.nan),)}, "shift_m must be finite, got nan"),
    ],
)
def test_what_a_spec_declares_is_held_against_the_task(changes: dict[str, Any], message: str) -> None:
    task = Rail()
    task.spec = replace(Rail.spec, **changes)
    with pytest.raises(UserError, match=message):
        step_once(task)


def test_a_push_on_what_is_only_put_somewhere_is_refused() -> None:
    goal = '<body name="goal" mocap="true"><body name="flag"/></body></worldbody>'
    model = mujoco.MjModel.from_xml_string(RAIL.replace("</worldbody>", goal))
    for body in ("goal", "flag"):
        spec = replace(Rail.spec, randomisations={"push": Push(body=body, high=1.0)})
        with pytest.raises(UserError, match=f"'push': a push does nothing to body '{body}', which cannot move"):
            require_spec(spec, model)


@pytest.mark.parametrize(
    ("method", "wrong", "message"),
    [
        ("observe", lambda seen: {"proprio": seen["proprio"]}, "observed vectors lack 'count'"),
        (
            "observe",
            lambda seen: {**seen, "proprio": seen["proprio"][:, :1]},
            r"'proprio' as \[3, 1\], expected \[3, 2\]",
        ),
        ("control", lambda ctrl: ctrl[:1], r"controls as \[1, 1\], expected \[3, 1\]"),
        ("control", lambda ctrl: ctrl.astype(str), "controls as <U32, expected float64"),
        ("control", lambda ctrl: np.full(ctrl.shape, None), "controls as object, expected float64"),
        ("control", lambda ctrl: ctrl * np.array([[1], [np.nan], [1]]), "control 0 is not finite: nan in world 1"),
        ("control", lambda ctrl: ctrl - np.inf, "control 0 is not finite: -inf in world 0"),
        ("observe", lambda seen: {**seen, "proprio": seen["proprio"] + 1j}, "'proprio' as complex64, expected float32"),
        ("outcome", lambda judged: judged._replace(success=False), r"'success' as \[\], expected \[3\]"),
        ("outcome", lambda judged: judged._replace(terminated=np.zeros((3, 1), bool)), "'terminated' as"),
        ("outcome", lambda judged: None, "outcome is a NoneType, expected an Outcome"),
        (
            "outcome",
            lambda judged: judged._replace(terminated=np.full(3, np.nan)),
            "'terminated' as float64, expected bool",
        ),
        ("outcome", lambda judged: judged._replace(success=np.zeros(3)), "'success' as float64, expected bool"),
        ("observe", lambda seen: [*seen.values()], "observed vectors are a list, expected a dict"),
        ("layout", lambda laid: {**laid, "geom_rgba": np.ones((len(laid["qpos"]), 1, 4))}, "lays out 'geom_rgba'"),
        ("layout", lambda laid: None, "layout is a NoneType, expected a dict"),
        ("layout", lambda laid: {"qpos": laid["qpos"].astype(str)}, "lays out 'qpos' as <U32, expected numbers"),
        ("layout", lambda laid: {"qpos": np.full(laid["qpos"].shape, None)}, "'qpos' as object, expected numbers"),
        ("layout", lambda laid: {"qpos": 0.5}, "lays out 'qpos' as a float, expected an array"),
        ("build_model", lambda model: None, "build_model returns NoneType, expected a compiled MjModel"),
    ],
)
def test_what_a_task_returns_is_held_against_its_spec(method: str, wrong: Any, message: str) -> None:
    class Wrong(Rail):
        pass

    right = getattr(Rail, method)
    setattr(Wrong, method, lambda *arguments: wrong(right(*arguments)))
    with pytest.raises(UserError, match=message):
        step_once(Wrong())


def test_a_task_that_keeps_its_promises_steps() -> None:
    step_once(Rail())


@pytest.mark.parametrize(
    ("method", "wrong", "message"),
    [
        ("outcome", lambda judged: judged._replace(terms={**judged.terms, "bonus": np.ones(3)}), "terms hold 'bonus'"),
        ("outcome", lambda judged: judged._replace(terms={"right": judged.terms["right"]}), "terms lack 'effort'"),
        ("outcome", lambda judged: judged._replace(metrics={}), "metrics lack 'count'"),
        ("outcome", lambda judged: judged._replace(terms={**judged.terms, "effort": np.ones(1)}), r"'effort' as \[1\]"),
        (
            "outcome",
            lambda judged: judged._replace(terminated=np.zeros(1000, bool)),
            r"'terminated' as \[1000\], expected",
        ),
        ("outcome", lambda judged: judged._replace(success=judged.success[:1]), r"'success' as \[1\], expected \[3\]"),
        (
            "outcome",
            lambda judged: judged._replace(success=judged.success * 0.5),
            "'success' as float64, expected bool",
        ),
        ("observe", lambda seen: {**seen, "proprio": seen["proprio"][:1]}, r"'proprio' as \[1, 2\], expected \[3, 2\]"),
        ("observe", lambda seen: {"proprio": seen["proprio"]}, "observed vectors lack 'count'"),
        ("control", lambda ctrl: ctrl[:1], r"controls as \[1, 1\], expected \[3, 1\]"),
        ("control", lambda ctrl: None, r"controls as \[\], expected \[3, 1\]"),
    ],
)
def test_what_a_task_returns_at_a_later_step_is_held_against_its_spec_too(
    method: str, wrong: Any, message: str
) -> None:
    class Late(Rail):
        is_late = False

    def sooner_or_later(self: Any, *arguments: Any) -> Any:
        found = right(self, *arguments)
        return wrong(found) if self.is_late else found

    right, task = getattr(Rail, method), Late()
    setattr(Late, method, sooner_or_later)
    env = begun(task)
    env.step(np.zeros((3, 1)))
    task.is_late = True
    with np.errstate(divide="ignore", invalid="ignore"), pytest.raises(UserError, match=message):
        env.step(np.zeros((3, 1)))


def test_privileged_values_are_held_against_the_spec_whenever_they_are_told() -> None:
    class Late(Rail):
        is_late = False

        def privileged(self, *arguments: Any) -> Any:
            return {"count": super().privileged(*arguments)["count"][: 1 if self.is_late else None]}

    task = Late()
    env = begun(task)
    task.is_late = True
    with pytest.raises(UserError, match=r"'count' as \[1, 1\], expected \[3, 1\]"):
        env.privileged()


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (lambda n: [np.zeros(n)], "new_memory returns list, expected a dict"),
        (lambda n: {"count": 1.0}, "memory 'count' is a float, expected an array"),
        (lambda n: {"count": np.zeros((1, 1))}, r"memory 'count' is \[1, 1\], expected a row for each of 3"),
        (lambda n: {"count": np.zeros((n + 1, 1))}, r"is \[2, 1\], expected a row for each of 1"),
        (lambda n: {"count": np.array(0.0)}, r"is \[\], expected a row for each of 1"),
        (lambda n: {"count": np.zeros((n, 1), "U5")}, "is of <U5, expected one of bool, int8"),
        (lambda n: {"count": np.zeros((n, 1), ">f8")}, "is of >f8, expected one of bool, int8"),
        (lambda n: {"count": np.zeros((n, 1), complex)}, "is of <c16, expected one of bool, int8"),
        (lambda n: {"count": np.broadcast_to(np.zeros(1), (n, 1))}, "memory 'count' cannot be written to"),
        (lambda n: {"count": np.zeros((n, 1)), "/state": np.zeros(n)}, "memory needs another name for '/state'"),
    ],
)
def test_memory_is_a_row_of_plain_numbers_for_each_world(memory: Any, message: str) -> None:
    class Odd(Rail):
        def new_memory(self, num_worlds: int) -> Any:
            return memory(num_worlds)

    with pytest.raises(UserError, match=message):
        step_once(Odd())


@pytest.mark.parametrize(("dtype", "value"), [("int64", np.nan), ("int64", 2.7), ("uint8", 300), ("bool", 0.5)])
def test_memory_of_whole_numbers_begins_with_such(dtype: str, value: float) -> None:
    class Whole(Rail):
        def new_memory(self, num_worlds: int) -> Any:
            return {**super().new_memory(num_worlds), "whole": np.zeros(num_worlds, dtype)}

        def layout(self, draws: Any) -> Any:
            return {**super().layout(draws), "whole": np.full(draws.num_episodes, value)}

    with pytest.raises(UserError, match=f"lays out 'whole' with numbers that are no {dtype}"):
        step_once(Whole())


def test_a_world_that_diverges_changes_no_number_of_the_others() -> None:
    class Double(Rail):
        def outcome(self, *arguments: Any) -> Any:
            judged = super().outcome(*arguments)
            terms = {"right": np.array([0.1, 0.7, 0.2]), "effort": np.array([0.3, 0.1, 0.9])}
            return judged._replace(terms=terms, metrics={"count": np.full(3, 2**24 + 1)})

    alone, beside = (begun(Double()).step(np.array([[0.5], [0.5], [last]])) for last in (0.5, 1.0))
    assert beside.info["diverged"].tolist() == [False, False, True]
    for name, values in alone.info.items():
        assert values.dtype == beside.info[name].dtype, name
        assert values[:2].tolist() == beside.info[name][:2].tolist(), name
    assert alone.reward[:2].tolist() == beside.reward[:2].tolist()


def test_a_control_that_the_physics_made_infinite_costs_its_world_alone() -> None:
    class Unstable(Rail):
        num_steps = 0

        def control(self, *arguments: Any) -> Any:
            self.num_steps += 1
            return super().control(*arguments) * np.array([[1], [np.inf if self.num_steps == 2 else 1], [1]])

    env = begun(Unstable())
    env.step(np.full((3, 1), 0.5))
    batch = env.step(np.full((3, 1), 0.5))
    assert batch.info["diverged"].tolist() == [False, True, False]
    assert batch.final_ids.tolist() == [1]


def test_a_reward_that_is_not_finite_is_named_at_the_step_that_brings_it() -> None:
    class Late(Rail):
        num_steps = 0

        def outcome(self, *arguments: Any) -> Any:
            judged = super().outcome(*arguments)
            Late.num_steps += 1
            worse = np.array([0, np.nan if Late.num_steps == 3 else 0, 0], np.float32)
            return judged._replace(terms={**judged.terms, "effort": judged.terms["effort"] + worse})

    env = begun(Late())
    for _ in range(2):
        env.step(np.zeros((3, 1)))
    with pytest.raises(UserError, match="the task's reward is not finite: 'effort' is nan in world 1"):
        env.step(np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, [0, 0, 0]),
        ({"right": np.array([0.1, 0.2, 0.3])}, np.float32(0.5) * np.array([0.1, 0.2, 0.3])),
        ({"right": np.array([True, False, True])}, [0.5, 0, 0.5]),
    ],
)
def test_rewards_are_one_number_of_single_precision_a_world(terms: dict[str, Any], expected: Any) -> None:
    class Other(Rail):
        def outcome(self, *arguments: Any) -> Any:
            return super().outcome(*arguments)._replace(terms=terms)

    task = Other()
    task.spec = replace(Rail.spec, reward_weights=dict.fromkeys(terms, 0.5))
    reward = begun(task).step(np.zeros((3, 1))).reward
    assert reward.dtype == np.float32
    np.testing.assert_array_equal(reward, np.float32(expected))


@pytest.mark.parametrize(
    ("declared", "returned", "message"),
    [
        ("int32", np.float32, "'count' as float32, expected int32"),
        ("float32", np.str_, "'count' as <U32, expected float32"),
        ("uint8", np.int64, None),
        ("float32", np.float64, None),
        ("float64", np.int32, None),
    ],
)
def test_truth_is_of_the_kind_that_is_declared(declared: str, returned: Any, message: str | None) -> None:
    class Told(Rail):
        spec = replace(Rail.spec, privileged={"count": ArraySpec(shape=(1,), dtype=declared)})

        def privileged(self, *arguments: Any) -> Any:
            return {"count": super().privileged(*arguments)["count"].astype(returned)}

    if message is None:
        begun(Told())
    else:
        with pytest.raises(UserError, match=message):
            begun(Told())


def test_controls_of_a_state_that_somebody_broke_are_not_the_tasks_mistake() -> None:
    class Follows(Rail):
        def control(self, engine: Any, action: Any, memory: Any) -> Any:
            return super().control(engine, action, memory) - engine.read("qpos")

    env = begun(Follows())
    env.engine.write("qpos", np.full((1, 1), np.nan), np.array([1]))
    assert env.step(np.zeros((3, 1))).info["diverged"].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ('gravity="nan 0 0"', "not all are numbers in opt.gravity"),
        ('wind="0 nan 0"', "not all are numbers in opt.wind"),
        ('impratio="nan"', "not all are numbers in opt.impratio"),
        ('gravity="0 0 -inf"', "options must be finite, and gravity is not"),
        ('timestep="inf"', "options must be finite, and timestep is not"),
        ('timestep="0"', "the timestep must be positive, got 0"),
    ],
)
def test_a_model_of_what_is_no_number_is_refused_whoever_compiled_it(option: str, message: str) -> None:
    xml = f"<mujoco><option {option}/></mujoco>"
    with pytest.raises(UserError, match=message):
        load_model(xml)

    class Compiled(Rail):
        def build_model(self) -> Any:
            return mujoco.MjModel.from_xml_string(xml)

    with pytest.raises(UserError, match=f"the task's model: {message}"):
        begun(Compiled())


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ('<worldbody><body pos="nan 0 0"><geom size="1"/></body></worldbody>', "body_pos"),
        ('<visual><map znear="nan"/></visual>', "vis.map.znear"),
        ('<visual><headlight diffuse="nan 0 0"/></visual>', "vis.headlight.diffuse"),
    ],
)
def test_what_is_no_number_in_a_model_is_named(part: str, field: str) -> None:
    with pytest.raises(UserError, match=f"not all are numbers in .*{field}"):
        load_model(f"<mujoco>{part}</mujoco>")


@pytest.mark.parametrize("name", ["flow_rate", "depth_m", "left/q", "rgb_sidecar", "look_side", "objects_xy"])
def test_a_vector_may_have_any_other_name(name: str) -> None:
    class Other(Rail):
        spec = replace(Rail.spec, vectors={name: ArraySpec(shape=(2,))}, default_observation=(name, "rgb_side"))

        def observe(self, *arguments: Any) -> Any:
            return {name: super().observe(*arguments)["proprio"]}

    obs = begun(Other()).reset()
    assert {key: values.shape for key, values in obs.items()} == {name: (3, 2), "rgb_side": (3, 6, 8, 3)}


def test_lists_stand_for_tuples_in_a_spec() -> None:
    task = Rail()
    task.spec = replace(Rail.spec, metrics=cast(Any, ["count"]), privileged={"count": ArraySpec(shape=cast(Any, [1]))})
    assert begun(task).spec.metrics == ("count",)
    assert task.spec.privileged["count"].shape == (1,)
