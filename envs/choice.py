"""What an environment has of a task: its own model, what of it is observed and what varies, as a config chooses."""

import copy
from typing import Any, NamedTuple

from robossl.core import ArraySpec
from robossl.envs.config import EnvConfig
from robossl.envs.memory_estimate import require_memory
from robossl.envs.observable import Cameras, chosen_keys, observation_specs, sized
from robossl.envs.randomisation import AnyRandomisation
from robossl.envs.randomiser import model_fields, switched_on
from robossl.envs.sensors.quiet import switch_off_unused
from robossl.envs.sensors.sensor import Sensor
from robossl.envs.sensors.suite import sensor_specs
from robossl.envs.task import Task
from robossl.envs.task_declarations import require_spec
from robossl.envs.task_promises import require_new_memory


class Choice(NamedTuple):
    """The model, and what of the task is observed, seen by cameras and random.

    Attributes:
        model: compiled, the environment's own; MJCF sensors that nobody reads are off.
        available: {key: spec} of all that can be observed beside pictures.
        keys: that are observed.
        observation: {key: spec} of them.
        cameras: with pictures of the chosen size.
        sensors: {key: sensor} that are observed.
        randomisations: {name: what varies}.
    """

    model: Any
    available: dict[str, ArraySpec]
    keys: tuple[str, ...]
    observation: dict[str, ArraySpec]
    cameras: Cameras
    sensors: dict[str, Sensor]
    randomisations: dict[str, AnyRandomisation]


def choose(task: Task, config: EnvConfig) -> Choice:
    """Builds a task's model and chooses, before anything is allocated for its worlds.

    Raises:
        UserError: if the task declares what cannot be, or the config asks for what it does not declare or for more
            worlds than fit into memory.
    """
    model = task.build_model()
    require_spec(task.spec, model)
    model = copy.copy(model)  # the task may keep its own, for others
    available = {**task.spec.vectors, **sensor_specs(model, task.spec.sensors, task.spec.num_substeps)}
    cameras = sized(task.spec.cameras, config.image_size)
    keys = chosen_keys(task.spec, cameras, config.observations)
    sensors = {key: sensor for key, sensor in task.spec.sensors.items() if key in keys}
    switch_off_unused(model, sensors.values(), task.spec.mjcf_sensors)
    active = switched_on(task.spec.randomisations, config.randomise)
    fields = model_fields(active) | {*task.spec.random_fields}
    observation = observation_specs(keys, available, cameras)
    require_new_memory(memory := task.new_memory(1), 1)
    require_memory(config.num_worlds, model, observation, fields, memory)
    return Choice(model, available, keys, observation, cameras, sensors, active)
