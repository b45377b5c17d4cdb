"""Frames per second against bare loops over `Batch.ray` and `mjr_render`, and against Gymnasium's own renderer."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import mujoco
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

from robossl.bench.setting import SimulationBench, everyone, make, robot_camera
from robossl.bench.stepping import Replay, record
from robossl.bench.turns import Side, Work, compare, seconds_in_turns
from robossl.core import CameraSpec
from robossl.core.variables import variables
from robossl.envs.render import make_renderer
from robossl.envs.render.gl import Painter, new_scene, plain
from robossl.envs.render.gl_context import open_context
from robossl.envs.render.raycast import RaycastRenderer
from robossl.envs.task_env import TaskEnv

SQUARE = (64, 64)
Size = tuple[int, int]


def raycast(config: SimulationBench, size: Size | None = None) -> dict[str, float]:
    """Compares colour pictures, of the task's own size where None, with `Batch.ray` along the same rays."""
    env = make(config, config.num_picture_worlds)
    renderer = _raycaster(env, size, ("rgb",))
    figures = compare(
        _frames(env, renderer.render, config), _bare_rays(env, renderer, config), config.num_repeats, "frames_per_s"
    )
    renderer.close()
    env.close()
    return figures


def modalities(config: SimulationBench) -> dict[str, float]:
    """Compares pictures of colour, depth and segmentation together with colour alone."""
    env = make(config, config.num_picture_worlds)
    renderers = [_raycaster(env, SQUARE, kinds) for kinds in (("rgb", "depth", "segmentation"), ("rgb",))]
    together, alone = (_frames(env, renderer.render, config) for renderer in renderers)
    figures = compare(together, alone, config.num_repeats, "frames_per_s")
    for renderer in renderers:
        renderer.close()
    env.close()
    return figures


def gl(config: SimulationBench) -> dict[str, float]:
    """Compares colour pictures by `gl` with `mjr_render` of the same scenes, made before, in as many threads.

    Raises:
        UserError: if OpenGL does not start.
    """
    env = make(config, config.num_picture_worlds)
    camera = robot_camera(env, SQUARE)
    renderer = make_renderer("gl", env.engine, (camera,), (f"rgb_{camera.name}",))
    num_threads = min(env.engine.num_threads, env.num_worlds)
    threads = [ThreadPoolExecutor(1) for _ in range(num_threads)]
    worlds = [(env.engine.batch.get_model(world), env.engine.batch.get_data(world)) for world in range(env.num_worlds)]
    jobs = [thread.submit(_scenes, env, camera, worlds[part::num_threads]) for part, thread in enumerate(threads)]
    painters = [job.result() for job in jobs]

    def bare() -> None:
        jobs = [thread.submit(_render, *painter) for thread, painter in zip(threads, painters, strict=True)]
        for job in jobs:
            job.result()

    figures = compare(
        _frames(env, renderer.render, config), _frames(env, bare, config), config.num_repeats, "frames_per_s"
    )
    for thread, (painter, _) in zip(threads, painters, strict=True):
        thread.submit(painter.close).result()
        thread.shutdown()
    renderer.close()
    env.close()
    return figures


def gymnasium(config: SimulationBench) -> dict[str, float]:
    """Compares the faster one of our renderers with Gymnasium's `MujocoRenderer` at its defaults, on the same model.

    Raises:
        UserError: if OpenGL does not start, which Gymnasium needs.
    """
    env = make(config, config.num_picture_worlds)
    camera = robot_camera(env, SQUARE)
    renderers = [make_renderer(name, env.engine, (camera,), (f"rgb_{camera.name}",)) for name in ("raycast", "gl")]
    context = open_context(*SQUARE)
    platform = type(context).__module__.rpartition(".")[2]
    context.free()
    with variables(MUJOCO_GL=platform):
        theirs: Any = MujocoRenderer(
            env.engine.batch.get_model(0), env.engine.batch.get_data(0), None, *SQUARE, camera_name=camera.name
        )
        mujoco.mj_forward(theirs.model, theirs.data)
        sides = [_frames(env, renderer.render, config) for renderer in renderers]
        turns = seconds_in_turns([*sides, Side(work=lambda: theirs.render("rgb_array"), count=1)], config.num_repeats)
        theirs.close()
    for renderer in renderers:
        renderer.close()
    env.close()
    rays, frames, reference = (1 / median(column) for column in zip(*turns, strict=True))
    return {
        "raycast_frames_per_s": rays,
        "gl_frames_per_s": frames,
        "reference_frames_per_s": reference,
        "ratio": max(median(turn[2] / turn[ours] for turn in turns) for ours in (0, 1)),
    }


def end_to_end(config: SimulationBench, driver: Any) -> dict[str, float]:
    """Compares steps with one camera's pictures with a bare step after a bare render of all worlds.

    An episode's last and the next one's first picture are both drawn; the bare loop draws neither's twin.
    """
    name = f"rgb_{robot_camera(make(config, 1)).name}"
    env = make(config, config.num_picture_worlds, pictures=(name,), size=SQUARE)
    num_steps = max(1, config.num_steps // 4)
    tape = record(env, num_steps * config.num_turns, driver)
    replay, renderer = Replay(env, tape, num_steps), _raycaster(env, SQUARE, ("rgb",))
    rays = _bare_rays(env, renderer, config)
    turns = seconds_in_turns([replay.ours(), replay.bare(), rays], config.num_repeats)
    renderer.close()
    env.close()
    return {
        "steps_per_s": 1 / median(ours for ours, _, _ in turns),
        "reference_steps_per_s": 1 / median(step + render for _, step, render in turns),
        "ratio": median((step + render) / ours for ours, step, render in turns),
        "resets_per_step": tape.resets_per_step,
    }


def _raycaster(env: TaskEnv, size: Size | None, kinds: tuple[str, ...]) -> RaycastRenderer:
    camera = robot_camera(env, size)
    return RaycastRenderer(env.engine, (camera,), tuple(f"{kind}_{camera.name}" for kind in kinds))


def _bare_rays(env: TaskEnv, renderer: RaycastRenderer, config: SimulationBench) -> Side:
    """Casts rays alone, along those by which the worlds would be drawn as a turn begins."""
    rays = renderer.rays(everyone(env))
    rays = {**rays, "pnt": rays["pnt"].copy(), "vec": rays["vec"].copy()}

    def aim() -> None:
        now = renderer.rays(rays["ids"])
        for name in ("pnt", "vec"):
            rays[name][...] = now[name]

    return _frames(env, partial(env.engine.batch.ray, **rays), config, before=aim)


def _frames(env: TaskEnv, draw: Work, config: SimulationBench, before: Work = lambda: None) -> Side:
    def work() -> None:
        for _ in range(config.num_pictures):
            draw()

    return Side(work=work, count=config.num_pictures * env.num_worlds, before=before)


def _scenes(env: TaskEnv, camera: CameraSpec, worlds: list[tuple[Any, Any]]) -> tuple[Painter, list[tuple[Any, Any]]]:
    """Opens a context in the calling thread and returns it with a rectangle and a scene per world."""
    painter = Painter(plain(env.engine.model, (camera,)))
    scenes = []
    for model, data in worlds:
        painter.enter(model, data)
        painter.scene = new_scene(model)
        scenes.append((painter.look(camera), painter.scene))
    return painter, scenes


def _render(painter: Painter, scenes: list[tuple[Any, Any]]) -> None:
    for rect, scene in scenes:
        mujoco.mjr_render(rect, scene, painter.context)
    mujoco.mjr_finish()
