"""The physics engines, by name."""

import importlib
from typing import Any

from robossl.core import UnknownNameError, UserError
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.mujoco_engine import MujocoEngine

ENGINES = {
    "mujoco": "robossl.envs.mujoco_engine:MujocoEngine",
    "bullet": "robossl.envs.bullet.engine:BulletEngine",
    "warp": "robossl.envs.warp.engine:WarpEngine",
}
_EXTRAS = {"mujoco_warp": "warp", "warp": "warp"}
_WITH_DEVICES = ("warp",)


def make_delayed(engine: MujocoEngine, delay_s: float, num_substeps: int) -> MujocoEngine:
    """Returns the engine, with commands that take effect `delay_s` late, rounded to whole physics steps."""
    delay = round(delay_s / float(engine.model.opt.timestep))
    late: Any = DelayedEngine(engine, delay=delay, num_substeps=num_substeps)
    found: MujocoEngine = late if delay else engine
    return found


def make_engine(name: str, model: Any, num_worlds: int, num_threads: int, device: str | None = None) -> MujocoEngine:
    """Builds an engine; only the chosen one is imported.

    Args:
        name: one of `ENGINES`.
        model: an `MjModel`.
        num_worlds: N.
        num_threads: for engines on the processor.
        device: for engines that know several: "cpu", "cuda" or "cuda:<number>"; the engine's own choice where None.

    Raises:
        UserError: if it is not installed, cannot run this model, or knows no such device.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if device not in (None, "cpu") and name not in _WITH_DEVICES:
        raise UserError(f"env.device: engine {name} runs on the processor, not on {device!r}; engine warp does")
    module, attribute = ENGINES[name].split(":")
    try:
        build = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        extra = f": pip install 'robossl[{_EXTRAS[str(error.name)]}]'" if error.name in _EXTRAS else ""
        raise UserError(f"engine {name} needs the package {error.name}, which is not installed{extra}") from error
    options = {"device": device} if name in _WITH_DEVICES else {}
    engine: MujocoEngine = build(model, num_worlds, num_threads, **options)
    return engine
