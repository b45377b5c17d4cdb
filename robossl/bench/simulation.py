"""Speed of simulation and cameras, as ratios to bare loops and to SB3's SubprocVecEnv.

What is compared runs in turns, and a ratio is the median over the turns: a busy machine slows both sides.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import mujoco
import numpy as np
from mujoco import batch as mujoco_batch
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import SubprocVecEnv

from robossl.core import CameraSpec, UserError
from robossl.core.registry import TASKS, load
from robossl.envs import EnvConfig, WorldSeed
from robossl.envs.config import RendererName
from robossl.envs.gym_env import GymEnv
from robossl.envs.render import make_renderer
from robossl.envs.render.gl import Painter, new_scene, plain
from robossl.envs.render.raycast import RaycastRenderer
from robossl.envs.task_env import TaskEnv

_WARM_UP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationBench:
    """Says what is measured.

    Attributes:
        env: a robossl id.
        num_step_worlds, num_picture_worlds: stepped without pictures, and drawn.
        num_processes: of SB3's SubprocVecEnv, one environment each.
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
    num_pictures: int = 5
    num_repeats: int = 9
    num_threads: int | None = None


def run(config: SimulationBench) -> dict[str, Any]:
    """Measures everything.

    Returns:
        {"env": id, "num_threads": n, "steps": figures, "subprocess": figures, "raycast": figures, "gl": figures}; see
        the functions of these names; "gl" is {"unavailable": reason} where OpenGL does not start.

    Raises:
        UnknownNameError: if no task has that id.
    """
    env = _make(config, config.num_step_worlds, None)
    num_threads = env.engine.num_threads
    figures: dict[str, dict[str, Any]] = {"steps": steps(env, config), "subprocess": subprocess(env, config)}
    env.close()
    for name, measure in (("raycast", raycast), ("gl", gl)):
        try:
            figures[name] = measure(config)
        except UserError as error:
            figures[name] = {"unavailable": str(error)}
    return {"env": config.env, "num_threads": num_threads, **figures}


def steps(env: TaskEnv, config: SimulationBench) -> dict[str, float]:
    """Compares `TaskEnv.step` with a loop that replays the same controls and reset states and reads nothing.

    Returns:
        Control steps per second of both over all worlds, their ratio, and how many worlds a step resets.
    """
    tape = record(env, config.num_steps)
    bare = mujoco_batch.Batch(env.engine.model, env.num_worlds, env.engine.num_threads)

    def ours() -> None:
        for action in tape.actions:
            env.step(action)

    def rewind() -> None:
        env.set_state(tape.start)
        bare.state[:] = tape.start["physics"]

    theirs = partial(replay, bare, tape, env.task.spec.num_substeps)
    figures = _compare(ours, theirs, config, config.num_steps * env.num_worlds, before=rewind)
    resets = sum(len(ids) for ids, _ in tape.resets) / config.num_steps
    return {**_named(figures, "steps_per_s"), "resets_per_step": resets}


def subprocess(env: TaskEnv, config: SimulationBench) -> dict[str, float]:
    """Compares `TaskEnv.step` with SB3's SubprocVecEnv over the same environment, one world per process.

    Returns:
        Control steps per second of both over all worlds, and their ratio.
    """
    single = EnvConfig(id=config.env, observations=env.config.observations, num_threads=1)
    processes = SubprocVecEnv([partial(GymEnv, single)] * config.num_processes)
    processes.reset()
    rng = np.random.default_rng(0)
    shape = env.spec.action.shape
    num_theirs = max(1, config.num_steps // 4)

    def ours() -> None:
        for _ in range(config.num_steps):
            env.step(rng.uniform(-1, 1, (env.num_worlds, *shape)))

    def theirs() -> None:
        for _ in range(num_theirs):
            processes.step(rng.uniform(-1, 1, (config.num_processes, *shape)).astype(np.float32))

    figures = _compare(ours, theirs, config, config.num_steps * env.num_worlds, num_theirs * config.num_processes)
    processes.close()
    return {**_named(figures, "steps_per_s"), "num_processes": config.num_processes}


def raycast(config: SimulationBench) -> dict[str, float]:
    """Compares colour pictures by `raycast` with `Batch.ray` along the same rays, with normals and as many threads.

    Returns:
        Frames per second of both, and their ratio.
    """
    env, cameras, keys = _drawn(config, "raycast")
    renderer = RaycastRenderer(env.engine, cameras, keys)
    rays = renderer.rays(np.arange(env.num_worlds))
    rays = {**rays, "pnt": rays["pnt"].copy(), "vec": rays["vec"].copy()}

    def ours() -> None:
        for _ in range(config.num_pictures):
            renderer.render()

    def theirs() -> None:
        for _ in range(config.num_pictures):
            env.engine.batch.ray(**rays)

    figures = _compare(ours, theirs, config, config.num_pictures * env.num_worlds * len(cameras))
    renderer.close()
    env.close()
    return _named(figures, "frames_per_s")


def gl(config: SimulationBench) -> dict[str, float]:
    """Compares colour pictures by `gl` with `mjr_render` of the same scenes, made before, in as many threads.

    Returns:
        Frames per second of both, and their ratio.

    Raises:
        UserError: if OpenGL does not start.
    """
    env, cameras, keys = _drawn(config, "gl")
    renderer = make_renderer("gl", env.engine, cameras, keys)
    num_threads = min(env.engine.num_threads, env.num_worlds)
    threads = [ThreadPoolExecutor(1) for _ in range(num_threads)]
    parts = np.array_split(np.arange(env.num_worlds), num_threads)
    worlds = [
        [(env.engine.batch.get_model(world), env.engine.batch.get_data(world)) for world in part] for part in parts
    ]
    jobs = [thread.submit(_scenes, env, cameras, part) for thread, part in zip(threads, worlds, strict=True)]
    painters = [job.result() for job in jobs]

    def ours() -> None:
        for _ in range(config.num_pictures):
            renderer.render()

    def theirs() -> None:
        for _ in range(config.num_pictures):
            jobs = [thread.submit(_render, *painter) for thread, painter in zip(threads, painters, strict=True)]
            for job in jobs:
                job.result()

    figures = _compare(ours, theirs, config, config.num_pictures * env.num_worlds * len(cameras))
    for thread, (painter, _) in zip(threads, painters, strict=True):
        thread.submit(painter.close).result()
        thread.shutdown()
    renderer.close()
    env.close()
    return _named(figures, "frames_per_s")


@dataclass(frozen=True, slots=True)
class Tape:
    """A recorded run: where it began, [T] actions and controls, and which worlds were reset to what."""

    start: dict[str, Any]
    actions: list[NDArray[np.float32]]
    controls: list[NDArray[np.float64]]
    resets: list[tuple[NDArray[np.int64], NDArray[np.float64]]]


def record(env: TaskEnv, num_steps: int) -> Tape:
    """Steps with random actions from the environment's first episodes on."""
    rng = np.random.default_rng(0)
    env.reset()
    tape = Tape(env.get_state(), [], [], [])
    ctrl = env.engine.view("ctrl")
    for _ in range(num_steps):
        tape.actions.append(rng.uniform(-1, 1, (env.num_worlds, *env.spec.action.shape)).astype(np.float32))
        before: list[NDArray[np.float64]] = []
        env.before_reset = lambda ids, before=before: before.append(ctrl.copy())
        step = env.step(tape.actions[-1])
        tape.controls.append(before[0] if before else ctrl.copy())
        tape.resets.append((step.final_ids, env.world_state()[step.final_ids]))
    env.before_reset = None
    return tape


def replay(bare: mujoco_batch.Batch, tape: Tape, num_substeps: int) -> None:
    """Repeats the physics of a tape whose first states `bare` is in."""
    ctrl = bare.bind("ctrl")
    for values, (ids, states) in zip(tape.controls, tape.resets, strict=True):
        ctrl[:] = values
        bare.step(nstep=num_substeps)
        bare.state[ids] = states


def _compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    config: SimulationBench,
    num_ours: int,
    num_theirs: int | None = None,
    *,
    before: Callable[[], None] = lambda: None,
) -> tuple[float, float, float]:
    """Runs both in turns; returns the rates of both, of what they do `num_ours` and `num_theirs` of, and the ratio."""
    rates: list[tuple[float, float]] = []
    for _ in range(_WARM_UP + config.num_repeats):
        before()
        rates.append((num_ours / _seconds(ours), (num_theirs or num_ours) / _seconds(theirs)))
    rates = rates[_WARM_UP:]
    return median(a for a, _ in rates), median(b for _, b in rates), median(a / b for a, b in rates)


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _named(figures: tuple[float, float, float], unit: str) -> dict[str, float]:
    return {unit: figures[0], f"reference_{unit}": figures[1], "ratio": figures[2]}


def _make(config: SimulationBench, num_worlds: int, renderer: RendererName | None) -> TaskEnv:
    """Builds the environment; without a renderer it gives all vectors and no picture."""
    task = load(TASKS, config.env, what="environment")()
    env_config = EnvConfig(
        id=config.env,
        num_worlds=num_worlds,
        observations=tuple(task.spec.vectors),
        renderer=renderer or "raycast",
        num_threads=config.num_threads,
    )
    env = TaskEnv(task, env_config, WorldSeed())
    env.reset()
    return env


def _drawn(config: SimulationBench, renderer: RendererName) -> tuple[TaskEnv, tuple[CameraSpec, ...], tuple[str, ...]]:
    """Builds the environment and names its robot's cameras: all but the one that is for people."""
    env = _make(config, config.num_picture_worlds, renderer)
    cameras = tuple(camera for camera in env.task.spec.cameras if camera.name != env.task.spec.viewer_camera)
    return env, cameras, tuple(f"rgb_{camera.name}" for camera in cameras)


def _scenes(
    env: TaskEnv, cameras: tuple[CameraSpec, ...], worlds: list[tuple[Any, Any]]
) -> tuple[Painter, list[tuple[Any, Any]]]:
    """Opens a context in the calling thread and returns it with a rectangle and a scene per world and camera."""
    painter = Painter(plain(env.engine.model, cameras))
    scenes = []
    for model, data in worlds:
        painter.enter(model, data)
        for camera in cameras:
            painter.scene = new_scene(model)
            scenes.append((painter.look(camera), painter.scene))
    return painter, scenes


def _render(painter: Painter, scenes: list[tuple[Any, Any]]) -> None:
    for rect, scene in scenes:
        mujoco.mjr_render(rect, scene, painter.context)
    mujoco.mjr_finish()
