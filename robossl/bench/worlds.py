"""Engine and renderer `warp` at different numbers of worlds, against a bare loop over MuJoCo Warp's step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from robossl.bench.setting import SimulationBench, make, robot_camera
from robossl.bench.turns import Side, compare, seconds_in_turns
from robossl.core import UserError
from robossl.envs.render import make_renderer
from robossl.envs.task_env import TaskEnv

Figures = dict[str, Any]

_ON_GPU, _ON_PROCESSOR = (1, 8, 64, 512, 2048, 8192), (1, 8, 32)
_SQUARE = (64, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldsBench:
    """Says what is measured.

    Attributes:
        env: a robossl id.
        device: as in `EnvConfig`.
        num_worlds: one row each; a list that suits the device where None.
        num_steps: control steps, or pictures of all worlds, of a turn.
        num_repeats: turns.
    """

    env: str = "robossl/ArmPush-v0"
    device: str | None = None
    num_worlds: tuple[int, ...] | None = None
    num_steps: int = 6
    num_repeats: int = 5

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.num_worlds is not None and min(self.num_worlds, default=0) < 1:
            raise UserError(f"worlds must be at least 1 each, got {self.num_worlds}")


def run(config: WorldsBench, report: Callable[[int, Figures], None] = lambda number, figures: None) -> Figures:
    """Measures one task, and reports each row as it comes.

    Returns:
        {"device": its name, "worlds": {number: rates of control steps and of 64x64 colour pictures per second}}.

    Raises:
        UserError: if the engine cannot start.
    """
    from robossl.envs.warp.library import device_named

    device = device_named(config.device)
    rows = {}
    for number in config.num_worlds or (_ON_GPU if device.is_cuda else _ON_PROCESSOR):
        rows[number] = _row(config, number)
        report(number, rows[number])
    return {"device": device.name, "worlds": rows}


def _row(config: WorldsBench, number: int) -> Figures:
    env = make(SimulationBench(env=config.env), number, engine="warp", device=config.device)
    camera = robot_camera(env, _SQUARE)
    actions = np.random.default_rng(0).uniform(-1, 1, (config.num_steps, number, *env.spec.action.shape))
    count = config.num_steps * number
    figures = compare(
        Side(work=partial(_drive, env, actions.astype(np.float32)), count=count),
        Side(work=partial(_drive_bare, env, config.num_steps), count=count, before=env.reset),
        config.num_repeats,
        "steps_per_s",
    )
    renderer = make_renderer("warp", env.engine, (camera,), (f"rgb_{camera.name}",))
    turns = seconds_in_turns([Side(work=renderer.render, count=number)], config.num_repeats)
    env.close()
    return {**figures, "frames_per_s": 1 / float(np.median(turns))}


def _drive(env: TaskEnv, actions: Any) -> None:
    for action in actions:
        env.step(action)


def _drive_bare(env: TaskEnv, num_steps: int) -> None:
    engine: Any = env.engine
    for _ in range(num_steps * env.task.spec.num_substeps):
        engine.worlds.step()
    engine.worlds.wait()
