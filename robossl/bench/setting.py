"""What is measured of simulation and cameras, and the environments it is measured on."""

from dataclasses import dataclass

import numpy as np

from robossl.bench.turns import WARM_UP
from robossl.core import CameraSpec, UserError
from robossl.core.registry import TASKS, load
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.config import EngineName, RendererName
from robossl.envs.task_env import TaskEnv


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationBench:
    """Says what is measured.

    Attributes:
        env: a robossl id.
        num_step_worlds, num_picture_worlds: stepped without pictures, and drawn.
        num_processes: one environment each.
        num_steps: control steps of a turn.
        num_pictures: how often a turn draws all worlds.
        num_repeats: turns.
        num_threads: all cores where None.
    """

    env: str = "robossl/ArmPush-v0"
    num_step_worlds: int = 64
    num_picture_worlds: int = 32
    num_processes: int = 8
    num_steps: int = 40
    num_pictures: int = 4
    num_repeats: int = 9
    num_threads: int | None = None

    @property
    def num_turns(self) -> int:
        """Turns made, those included that warm up."""
        return WARM_UP + self.num_repeats


def make(
    config: SimulationBench,
    num_worlds: int,
    *,
    pictures: tuple[str, ...] = (),
    size: tuple[int, int] | None = None,
    renderer: RendererName = "raycast",
    engine: EngineName = "mujoco",
    device: str | None = None,
) -> TaskEnv:
    """Builds the environment, reset, with all vectors and the `pictures`."""
    task = load(TASKS, config.env, what="environment")()
    env_config = EnvConfig(
        id=config.env,
        num_worlds=num_worlds,
        observations=(*task.spec.vectors, *pictures),
        image_size=size,
        renderer=renderer,
        engine=engine,
        device=device,
        num_threads=config.num_threads,
    )
    env = TaskEnv(task, env_config, WorldSeed())
    env.reset()
    return env


def robot_camera(env: TaskEnv, size: tuple[int, int] | None = None) -> CameraSpec:
    """Returns the last camera, on the robot where it has one, of the model's own; one for people if there is no other.

    Raises:
        UserError: if the task has no camera.
    """
    spec = env.task.spec
    own = [camera for camera in spec.cameras if camera.of is None]
    if not own:
        raise UserError(f"{env.config.id} has no camera: there are no pictures whose speed could be measured")
    camera = ([camera for camera in own if camera.name != spec.viewer_camera] or own)[-1]
    width, height = size or (camera.width, camera.height)
    return CameraSpec(name=camera.name, width=width, height=height)


def everyone(env: TaskEnv) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Returns the numbers [N] of all worlds."""
    return np.arange(env.num_worlds)
