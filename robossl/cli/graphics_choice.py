"""What is wrong with MUJOCO_GL where MuJoCo, which follows it as it is imported, cannot."""

import os
from traceback import walk_tb


def told_of_choice(error: BaseException) -> str | None:
    """Says what to do if MuJoCo ended its own import, as it does when it lacks what MUJOCO_GL asks for; else None."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    if any(frame.f_globals.get("__name__") == "mujoco.rendering.classic.gl_context" for frame in frames):
        choice = os.environ.get("MUJOCO_GL", "")
        return f"MuJoCo cannot start with MUJOCO_GL={choice}: unset it, robossl looks for EGL and OSMesa"
    return None
