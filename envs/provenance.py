"""Where data comes from: what of an environment's config changes its numbers, written into every dataset's header.

Ranges are written out as they were drawn from, and with them the sensors' own errors, so that the header tells them
without the code of the task.
"""

from dataclasses import asdict, replace
from typing import Any

from robossl.core import UserError
from robossl.core.registry import TASKS
from robossl.envs.config import EnvConfig
from robossl.envs.make import make_task
from robossl.envs.observable import chosen_keys, picture_keys, sized
from robossl.envs.randomisation import span_of
from robossl.envs.randomiser import switched_on
from robossl.envs.task import TaskSpec

_NOT_OF_THE_DATA = ("num_worlds", "num_threads")


def header(config: EnvConfig) -> dict[str, Any]:
    """Returns what a dataset's header tells of its environment, as JSON values.

    Returns:
        "env": the config, of which an equal environment can be built: its observations and the ranges of its
        randomisation are written out. "task_sensors": {key: the sensor's parameters}; "randomises": {name: what it
        does}. For an id that is not robossl's own only the config.
    """
    env = {name: value for name, value in asdict(config).items() if name not in _NOT_OF_THE_DATA}
    env["randomise"] = {name: list(span_of(span)) for name, span in config.randomise.items()}
    task = _task(config)
    if task is None:
        return {"env": env}
    keys = observations(task, config)
    active = switched_on(task.randomisations, config.randomise)
    env["observations"] = list(keys)
    env["randomise"] = {name: [entry.low, entry.high] for name, entry in active.items()}
    sensors = {key: task.sensors[key] for key in keys if key in task.sensors}
    return {
        "env": env,
        "task_sensors": {key: {"kind": type(sensor).__name__, **asdict(sensor)} for key, sensor in sensors.items()},  # type: ignore[call-overload]
        "randomises": {name: entry.described() for name, entry in active.items()},
    }


def without_pictures(config: EnvConfig) -> EnvConfig:
    """Returns the config of the same worlds with no camera drawn, for data whose pictures are drawn later.

    Where only pictures are observed, the task's own vectors take their place: something must be.

    Raises:
        UserError: if the environment is not robossl's own: others have no states to draw from.
    """
    task = _task(config)
    if task is None:
        raise UserError(f"{config.id} has no states that pictures could be drawn from later")
    drawn = set(picture_keys(task.cameras))
    keys = tuple(key for key in observations(task, config) if key not in drawn)
    sensors = {key: model for key, model in config.sensors.items() if key not in drawn}
    return replace(config, observations=keys or tuple(task.vectors), sensors=sensors)


def observations(task: TaskSpec, config: EnvConfig) -> tuple[str, ...]:
    """Returns the keys that are observed."""
    return chosen_keys(task, sized(task.cameras, config.image_size), config.observations)


def _task(config: EnvConfig) -> TaskSpec | None:
    name = config.id.rpartition(":")[2]
    return make_task(name, config.difficulty).spec if name in TASKS else None
