"""What rays see that hit nothing."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.render.textures import faces_of

_GROUND, _HORIZON, _ZENITH = (0.45, 0.45, 0.45), (0.80, 0.87, 0.93), (0.35, 0.55, 0.80)
_UP, _DOWN, _FRONT = 2, 3, 4  # MuJoCo's order of a skybox's faces


def sky_colours(model: mujoco.MjModel, num_levels: int) -> NDArray[np.uint8]:
    """Returns [num_levels, 3] colours, equally spaced in the sine of the elevation from straight down to up.

    They are those of the model's skybox, averaged over all directions of one elevation, or else of a clear day.
    """
    boxes = np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX.value)
    known, rgb = _skybox(model, int(boxes[0])) if len(boxes) else _clear_day()
    sine = np.linspace(-1.0, 1.0, num_levels)
    return np.stack([np.rint(np.interp(sine, known, column)) for column in rgb.T], axis=1).astype(np.uint8)


def _clear_day() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([-1.0, -1e-6, 1e-6, 1.0]), np.array([_GROUND, _GROUND, _HORIZON, _ZENITH]) * 255.0


def _skybox(model: mujoco.MjModel, image: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the sines of some elevations, rising, and the colours there: rows of the front face between the poles."""
    faces = faces_of(model, image)
    faces = np.broadcast_to(faces, (6, *faces.shape[1:]))  # one image may stand for all six
    front = faces[_FRONT].mean(axis=1)[::-1]
    tangent = (2.0 * np.arange(len(front)) + 1.0) / len(front) - 1.0
    sine = np.concatenate([[-1.0], np.sin(np.arctan(tangent)), [1.0]])
    middle = len(front) // 2
    return sine, np.vstack([faces[_DOWN, middle, middle], front, faces[_UP, middle, middle]])
