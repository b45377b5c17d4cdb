"""Which robots in the rooms may touch something: exact distances, on the host, spare a question to the engine."""

import numpy as np
from numpy.typing import NDArray

from robossl.envs.compiled import compiled

Floats = NDArray[np.float32]


@compiled
def touches(
    found: Floats, pose: Floats, pieces: Floats, shapes: Floats, radius_m: float, inner_m: float, slack_m: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns 1 where robots touched something, and tells which others may touch something now, [N] each.

    Args:
        found: [N, S] contacts in substeps.
        pose: [N, 3].
        pieces: [N, 4, P] x, y, cosine and sine of what stands in the way.
        shapes: [3, P] half_x, half_y and radius of that, as large as it may be.
        radius_m: of the robot.
        inner_m: from the middle to the outer walls.
        slack_m: farther off, nothing touches.
    """
    near_m = radius_m + slack_m
    touched, is_near = np.zeros(len(pose), np.float32), np.zeros(len(pose), np.bool_)
    for world in range(len(pose)):
        x, y = pose[world, 0], pose[world, 1]
        if found[world].any():
            touched[world] = 1
            continue
        near = inner_m - max(abs(x), abs(y)) < near_m
        for piece in range(pieces.shape[2]):
            dx, dy = x - pieces[world, 0, piece], y - pieces[world, 1, piece]
            half_x, half_y, reach = shapes[0, piece], shapes[1, piece], shapes[2, piece] + near_m
            if abs(dx) + abs(dy) < 1.5 * (half_x + half_y + reach):  # the box is in there however it is turned
                cos, sin = pieces[world, 2, piece], pieces[world, 3, piece]
                over_x = max(abs(cos * dx + sin * dy) - half_x, 0)
                over_y = max(abs(cos * dy - sin * dx) - half_y, 0)
                near |= over_x * over_x + over_y * over_y < reach * reach
        is_near[world] = near
    return touched, is_near
