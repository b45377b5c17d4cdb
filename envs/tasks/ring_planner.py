"""The scripted expert of the ring corridor: a planner that knows the true geometry.

It rolls out every plan of a few constant steering angles, drops those that come too near to something, and takes the
first action of the plan that makes most progress with room to spare. Its distance is the yardstick for learned drivers.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, Obs
from robossl.envs.tasks.ring_geometry import (
    CAR_RADIUS_M,
    arc_coordinate,
    obstacle_distance,
    wall_distance,
    wrapped,
)

Floats = NDArray[np.float32]

_ROOM_WEIGHT, _EFFORT_WEIGHT = 2.0, 0.02  # metres of progress that a metre of room, and a full turn, are worth
_TOUCHES = -1000.0  # below the score of any plan that stays clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """How the car moves: at a constant speed, with the steering's yaw rate held through a decision."""

    speed_m_s: float
    yaw_rate_rad_s: float
    substep_s: float
    num_substeps: int


class RingPlanner:
    """Steers by the best of several plans, made afresh at every decision. Keeps no memory.

    The plans of one world never depend on the others.

    Args:
        drive: the car's motion.
        segments: decisions in each segment of a plan, one steering angle each.
        num_angles: steering angles tried per segment.
        margin_m: room that a plan must leave to walls and obstacles.
        comfort_m: room beyond which more is not worth anything.
        pace: progress along the ring per metre driven beyond which more is not worth anything: it is only to be had
            by hugging the inner wall.
        num_nearest: obstacles looked at; more are never within a plan's reach.
    """

    def __init__(
        self,
        drive: Drive,
        *,
        segments: tuple[int, ...] = (2, 3, 4),
        num_angles: int = 7,
        margin_m: float = 0.06,
        comfort_m: float = 0.35,
        pace: float = 1.2,
        num_nearest: int = 4,
    ) -> None:
        self._num_nearest = num_nearest
        self._margin_m, self._comfort_m = np.float32(margin_m), np.float32(comfort_m)
        self._steering = np.array(list(product(np.linspace(-1.0, 1.0, num_angles), repeat=len(segments))))
        self._along, self._across = roll_out(drive, np.repeat(self._steering, segments, axis=1))
        seconds = sum(segments) * drive.num_substeps * drive.substep_s
        self._enough_m = np.float32(pace * seconds * drive.speed_m_s)
        self._effort = np.abs(self._steering).sum(axis=1).astype(np.float32)

    def reset(self, ids: NDArray[np.int64]) -> None:
        """Does nothing: there is no memory."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """Returns the steering [N, 1] from `privileged`'s pose, route and obstacles; `obs` is not looked at."""
        pose = np.asarray(privileged["pose"], np.float32)
        route = np.asarray(privileged["route"], np.float32)
        x, y = self._points(pose)
        clearance = self._clearance(x, y, self._nearest(pose, privileged))
        progress = route[:, :1] * wrapped(np, arc_coordinate(np, x[..., -1], y[..., -1]) - route[:, 1:2])
        best = np.argmax(self._score(clearance, progress), axis=1)
        return self._steering[best, :1].astype(np.float32)

    def _points(self, pose: Floats) -> tuple[Floats, Floats]:
        """Returns the plans' points x, y [N, K, T] in the world."""
        cos, sin = np.cos(pose[:, 2])[:, None, None], np.sin(pose[:, 2])[:, None, None]
        x = pose[:, 0, None, None] + cos * self._along - sin * self._across
        y = pose[:, 1, None, None] + sin * self._along + cos * self._across
        return np.asarray(x, np.float32), np.asarray(y, np.float32)

    def _nearest(self, pose: Floats, privileged: Obs) -> Floats:
        """Returns the obstacles [N, num_nearest, 7] nearest to the cars."""
        obstacles = np.asarray(privileged["obstacles"], np.float32)
        dx, dy = obstacles[..., 0] - pose[:, None, 0], obstacles[..., 1] - pose[:, None, 1]
        order = np.argsort(dx * dx + dy * dy, axis=1, kind="stable")[:, : self._num_nearest]
        return np.take_along_axis(obstacles, order[..., None], axis=1)

    def _clearance(self, x: Floats, y: Floats, obstacles: Floats) -> Floats:
        """Returns the car's distance [N, K, T] to the nearest thing at every point."""
        clearance = wall_distance(np, x, y)
        for index in range(obstacles.shape[1]):
            distance = obstacle_distance(np, x, y, obstacles[:, index, None, None])
            np.minimum(clearance, distance, out=clearance)
        return np.asarray(clearance - np.float32(CAR_RADIUS_M))

    def _score(self, clearance: Floats, progress: Floats) -> Floats:
        """Returns [N, K]: plans that stay clear by progress and room, the others, far below, by when they touch."""
        blocked = clearance < self._margin_m
        is_blocked = blocked.any(axis=2)
        room = np.clip(clearance.min(axis=2), None, self._comfort_m)
        free = np.minimum(progress, self._enough_m) + _ROOM_WEIGHT * room - _EFFORT_WEIGHT * self._effort
        touching = _TOUCHES + blocked.argmax(axis=2) + room
        return np.asarray(np.where(is_blocked, touching, free), np.float32)


def roll_out(drive: Drive, steering: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Integrates plans as the engine does: a substep moves along the heading at its start.

    Args:
        drive: the car's motion.
        steering: [K, num_decisions] in [-1, 1].

    Returns:
        Metres ahead and to the left of the start, [K, T] each, at every second substep and the last one.
    """
    turn = np.repeat(steering, drive.num_substeps, axis=1) * (drive.yaw_rate_rad_s * drive.substep_s)
    heading = np.cumsum(turn, axis=1) - turn
    step_m = drive.speed_m_s * drive.substep_s
    along, across = np.cumsum(np.cos(heading), axis=1) * step_m, np.cumsum(np.sin(heading), axis=1) * step_m
    checked = np.arange(along.shape[1] - 1, -1, -2)[::-1]
    return along[:, checked].astype(np.float32), across[:, checked].astype(np.float32)
