"""Cameras: three renderers, one interface."""

import sys
from functools import cache
from typing import Any

from robossl.core import CameraSpec, UnknownNameError, UserError
from robossl.envs.delayed_engine import undelayed
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.optional import imported
from robossl.envs.render.derived import DerivedRenderer, base_keys
from robossl.envs.render.gl_context import NoGraphicsError
from robossl.envs.render.mirrored import MirroredRenderer
from robossl.envs.render.poses import LastPoses
from robossl.envs.render.renderer import Renderer, split_key, wanted

__all__ = ["RENDERERS", "Renderer", "make_renderer", "start_renderer"]

_FALLBACK = "raycast"
RENDERERS = {
    "raycast": "robossl.envs.render.raycast:RaycastRenderer",
    "gl": "robossl.envs.render.gl:GLRenderer",
    "warp": "robossl.envs.render.warp:WarpRenderer",
}


def make_renderer(
    name: str,
    engine: MujocoEngine,
    cameras: tuple[CameraSpec, ...],
    keys: tuple[str, ...],
    last: LastPoses | None = None,
) -> Renderer:
    """Builds a renderer; only the chosen one is imported.

    Args:
        name: one of `RENDERERS`.
        engine: whose worlds are drawn; where the renderer draws another kind's, a copy of them in such a one is.
        cameras: the model's cameras with their picture sizes.
        keys: the pictures wanted, such as ("rgb_front", "depth_wrist").
        last: where things were when the last picture was taken; flow is computed from it.

    Raises:
        UserError: if the renderer cannot start on this machine, or cannot draw this model.
    """
    if name not in RENDERERS:
        raise UnknownNameError("renderer", name, RENDERERS)
    module, attribute = RENDERERS[name].split(":")
    keys = tuple(f"{modality}_{name}" for name, part in wanted(cameras, keys).items() for modality in part)
    drawn = base_keys(keys)
    renderer_type = getattr(imported(f"renderer {name}", module), attribute)
    for key in drawn:
        if split_key(key)[0] not in renderer_type.modalities:
            raise UserError(f"the renderer {name!r} does not draw {key!r}; `raycast` does")
    engine = undelayed(engine)
    stage = _stage(engine, renderer_type.engine_type)
    renderer: Renderer = renderer_type(stage, cameras, drawn)
    if stage is not engine:
        renderer = MirroredRenderer(renderer, engine, stage)
    if drawn == keys:
        return renderer
    try:
        if isinstance(engine, MujocoEngine):
            return DerivedRenderer(engine, renderer, cameras, keys, last)
        if stage is engine:
            renderer = MirroredRenderer(renderer, engine, engine.books)
        return DerivedRenderer(engine.books, renderer, cameras, keys, last)
    except BaseException:
        renderer.close()
        raise


def start_renderer(
    name: str,
    engine: MujocoEngine,
    cameras: tuple[CameraSpec, ...],
    keys: tuple[str, ...],
    last: LastPoses | None = None,
) -> Renderer:
    """Builds a renderer as `make_renderer` does, or, where OpenGL cannot start, `raycast`, and says so once.

    What draws is in the renderer's name, which is written wherever pictures are stored: a run whose pictures OpenGL
    made is not continued with others.
    """
    try:
        return make_renderer(name, engine, cameras, keys, last)
    except NoGraphicsError as error:
        _say_once(f"robossl: pictures are drawn by raycast instead: {error}")
        return make_renderer(_FALLBACK, engine, cameras, keys, last)


@cache
def _say_once(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _stage(engine: Any, kind: Any) -> Any:
    """Returns an engine of a kind with the same model: itself if it is of that kind."""
    if isinstance(engine, kind):
        return engine
    if kind is MujocoEngine:
        return engine.books
    return kind(engine.model, engine.num_worlds, engine.num_threads)
