"""Cameras: two renderers, one interface."""

import importlib

from robossl.core import CameraSpec
from robossl.core.errors import UnknownNameError
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.render.renderer import Renderer

__all__ = ["RENDERERS", "Renderer", "make_renderer"]

RENDERERS = {
    "raycast": "robossl.envs.render.raycast:RaycastRenderer",
    "gl": "robossl.envs.render.gl:GLRenderer",
}


def make_renderer(name: str, engine: MujocoEngine, cameras: tuple[CameraSpec, ...], keys: tuple[str, ...]) -> Renderer:
    """Builds a renderer; only the chosen one is imported.

    Args:
        name: one of `RENDERERS`.
        engine: whose worlds are drawn.
        cameras: the model's cameras with their picture sizes.
        keys: the pictures wanted, such as ("rgb_front", "depth_wrist").

    Raises:
        UserError: if the renderer cannot start on this machine, or cannot draw this model.
    """
    if name not in RENDERERS:
        raise UnknownNameError("renderer", name, RENDERERS)
    module, attribute = RENDERERS[name].split(":")
    renderer: Renderer = getattr(importlib.import_module(module), attribute)(engine, cameras, keys)
    return renderer
