"""The physics engines, by name."""

from typing import Any, cast

import numpy as np

from robossl.core import MotionSpec, UnknownNameError, UserError
from robossl.envs.delayed_engine import DelayedEngine
from robossl.envs.engine import Engine
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.optional import imported
from robossl.envs.straight_lines import StraightLines
from robossl.envs.task import Task

ENGINES = {
    "mujoco": "robossl.envs.mujoco_engine:MujocoEngine",
    "bullet": "robossl.envs.bullet.engine:BulletEngine",
    "warp": "robossl.envs.warp.engine:WarpEngine",
}
_WITH_DEVICES = ("warp",)


def make_delayed(
    engine: MujocoEngine, delay_s: float, num_substeps: int, motion: MotionSpec | None = None
) -> MujocoEngine:
    """Returns the engine, with commands that take effect `delay_s` late, rounded to whole physics steps.

    Where `motion` has a horizon, the joints that it names, the model's first actuators, go to them in straight lines.

    Raises:
        UserError: if a delay is too short to act.
    """
    delay = delay_steps(engine, delay_s)
    lines = None
    if motion is not None and motion.horizon_periods is not None:
        steps = motion.horizon_periods * num_substeps
        lines = StraightLines(engine.num_worlds, engine.model.nu, num_led=len(motion.joints), steps=steps)
    if not delay and lines is None:
        return engine
    late: Any = DelayedEngine(engine, delay=delay, num_substeps=num_substeps, lines=lines)
    found: MujocoEngine = late
    return found


def delay_steps(engine: MujocoEngine, delay_s: float) -> int:
    """Returns the number of physics steps that a delay is rounded to.

    Raises:
        UserError: if a delay is so short that there are none.
    """
    step_s = float(engine.model.opt.timestep)
    num_steps = round(delay_s / step_s)
    if delay_s and not num_steps:
        late, step = f"{1e3 * delay_s:g} ms", f"{1e3 * step_s:g} ms"
        raise UserError(f"a delay of {late} acts as none: it is rounded to whole physics steps, here of {step}")
    return num_steps


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
    build = getattr(imported(f"engine {name}", module), attribute)
    options = {"device": device} if name in _WITH_DEVICES else {}
    engine: MujocoEngine = build(model, num_worlds, num_threads, **options)
    return engine


def make_recorded(task: Task, engine: Engine) -> Task:
    """Returns the task; on a GPU, if it `is_recordable`, as one whose steps are repeated from a recording."""
    if not task.spec.is_recordable or engine.xp is np or engine.device.type == "cpu":
        return task
    from robossl.envs.warp.recorded_task import RecordedTask

    return cast(Task, RecordedTask(task, engine))


def require_installed(name: str) -> None:
    """Imports an engine.

    Raises:
        UserError: if its package is not installed.
    """
    imported(f"engine {name}", ENGINES[name].partition(":")[0])
