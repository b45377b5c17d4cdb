"""A sensor of one's own with a mistake in it: one line says what is wrong, before a wrong number comes out."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from test_task_env import Rail

from robossl.core import ArraySpec, UserError
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.imperfect_env import ImperfectEnv
from robossl.envs.sensor_model import SensorModel
from robossl.envs.sensors import Sensor
from robossl.envs.task_env import TaskEnv

N = 3
STILL = np.zeros((N, 1), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Sensor):
    """Reads [2]: decisions made in the episode, and the world; `wrong` is what is made of right readings at the third.

    Attributes:
        memory: what is remembered beside.
        told: what its spec says.
    """

    wrong: Any = None
    memory: Any = None
    told: ArraySpec = ArraySpec(shape=(2,))  # noqa: RUF009 (frozen)
    forgets: Any = None

    def spec(self, model: Any, num_substeps: int) -> ArraySpec:
        return self.told

    def new_memory(self, num_worlds: int) -> Any:
        return {"seen": np.zeros((num_worlds, 2), np.float32)} if self.memory is None else self.memory

    def begin(self, engine: Any, memory: Any, ids: Any, draws: Any) -> None:
        memory["seen"][ids, 1] = ids

    def advance(self, engine: Any, memory: Any, draws: Any) -> None:
        memory["seen"][:, 0] += 1
        if self.forgets is not None:
            self.forgets(memory)

    def read(self, engine: Any, recorded: Any, memory: Any, ids: Any) -> Any:
        seen = memory["seen"] if len(ids) == N else memory["seen"][ids]
        return self.wrong(seen) if self.wrong is not None and len(ids) and seen[0, 0] == 2 else seen


def rail(**options: Any) -> TaskEnv:
    task: Any = Rail()
    task.spec = replace(Rail.spec, sensors={"clock": Clock(**options)}, default_observation=("proprio", "clock"))
    return TaskEnv(task, EnvConfig(id="test/Rail-v0", num_worlds=N, num_threads=1), WorldSeed())


@pytest.mark.parametrize("is_imperfect", [False, True])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda seen: seen[:, [0, 0, 1]], r"\[3, 3\] of 3 worlds, expected \[3, 2\]"),
        (lambda seen: seen[:1], r"\[1, 2\] of 3 worlds, expected \[3, 2\]"),
        (lambda seen: seen[:, 0], r"\[3\] of 3 worlds, expected \[3, 2\]"),
        (lambda seen: seen.tolist(), "a list, expected an array"),
        (lambda seen: seen.astype("complex64"), "complex64, expected float32"),
        (lambda seen: seen.astype(str), "<U32, expected float32"),
    ],
)
def test_readings_are_held_against_their_spec_at_every_step(is_imperfect: bool, wrong: Any, message: str) -> None:
    env: Any = rail(wrong=wrong)
    if is_imperfect:
        env = ImperfectEnv(env, {"clock": SensorModel(delay_s=0.2)}, WorldSeed())
    env.reset()
    env.step(STILL)
    with pytest.raises(UserError, match=f"the sensor 'clock' returns {message}"):
        env.step(STILL)


def test_rows_of_all_worlds_for_those_that_ended_are_refused() -> None:
    class Deaf(Clock):
        def read(self, engine: Any, recorded: Any, memory: Any, ids: Any) -> Any:
            return memory["seen"]

    env = rail()
    env._sensors._sensors["clock"] = Deaf()
    env.reset()
    broken = np.array([[0], [0.95], [0]], np.float32)
    with pytest.raises(UserError, match=r"returns \[3, 2\] of 1 worlds, expected \[1, 2\]"):
        env.step(broken)


@pytest.mark.parametrize(
    ("given", "told"),
    [("float64", "float32"), ("int64", "float32"), ("bool", "float32"), ("int64", "int32"), ("float32", "float64")],
)
def test_readings_get_the_dtype_of_their_spec(given: str, told: str) -> None:
    env = rail(memory={"seen": np.zeros((N, 2), given)}, told=ArraySpec(shape=(2,), dtype=told))
    seen = env.reset()["clock"]
    assert seen.dtype == told
    assert seen[:, 1].tolist() == ([0, 1, 1] if given == "bool" else [0, 1, 2])


def test_fractions_are_no_ids() -> None:
    with pytest.raises(UserError, match="the sensor 'clock' returns float32, expected int32"):
        rail(told=ArraySpec(shape=(2,), dtype="int32")).reset()


def test_what_was_read_is_never_changed_later() -> None:
    env = rail()
    seen = [env.reset()["clock"], *(env.step(STILL).obs["clock"] for _ in range(2))]
    assert [values[0, 0] for values in seen] == [0, 1, 2]


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ([], "the sensor clock's new_memory returns list, expected a dict"),
        ({"seen": np.zeros((1, 2))}, r"the sensor clock's memory 'seen' is \[1, 2\], expected a row for each of 3"),
        ({"seen": [0, 0, 0]}, "the sensor clock's memory 'seen' is a list, expected an array"),
    ],
)
def test_memory_that_is_not_one_row_a_world_is_refused(memory: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rail(memory=memory)


@pytest.mark.parametrize(
    ("forgets", "message"),
    [
        (lambda memory: memory.update(seen=memory["seen"][:1]), r"to seen float32\[1, 2\]"),
        (lambda memory: memory.update(seen=memory["seen"] * 1.0j), r"to seen complex64\[3, 2\]"),
        (lambda memory: memory.update(more=memory["seen"]), r"to seen float32\[3, 2\], more float32\[3, 2\]"),
        (lambda memory: memory.pop("seen"), "to nothing"),
        (lambda memory: memory.update(seen=None), r"to seen object\[\]"),
    ],
)
def test_memory_keeps_its_layout(forgets: Any, message: str) -> None:
    env = rail(forgets=forgets)
    env.reset()
    with pytest.raises(UserError, match=rf"the sensor 'clock' changes its memory from seen float32\[3, 2\] {message}"):
        env.step(STILL)


@pytest.mark.parametrize("kept", [{}, {"clock": {}}, {"clock": {"seen": np.zeros((1, 2), np.float32)}}])
def test_a_state_of_another_version_of_a_sensor_is_refused(kept: Any) -> None:
    env = rail()
    env.reset()
    with pytest.raises(UserError, match=r"env\.observations and env\.sensors: .*sensors\.clock"):
        env.set_state({**env.get_state(), "sensors": kept})
