"""The physics engines, by name."""

import importlib
from typing import Any

from robossl.core import UnknownNameError, UserError
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.mujoco_engine import MujocoEngine

ENGINES = {
    "mujoco": "robossl.envs.mujoco_engine:MujocoEngine",
    "bullet": "robossl.envs.bullet.engine:BulletEngine",
}


def make_delayed(engine: MujocoEngine, delay_s: float, num_substeps: int) -> MujocoEngine:
    """Returns the engine, with commands that take effect `delay_s` late, rounded to whole physics steps."""
    delay = round(delay_s / float(engine.model.opt.timestep))
    late: Any = DelayedEngine(engine, delay=delay, num_substeps=num_substeps)
    found: MujocoEngine = late if delay else engine
    return found


def make_engine(name: str, model: Any, num_worlds: int, num_threads: int) -> MujocoEngine:
    """Builds an engine; only the chosen one is imported.

    Raises:
        UserError: if it is not installed, or cannot run this model.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    module, attribute = ENGINES[name].split(":")
    try:
        build = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UserError(f"engine {name} needs the package {error.name}, which is not installed") from error
    engine: MujocoEngine = build(model, num_worlds, num_threads)
    return engine
