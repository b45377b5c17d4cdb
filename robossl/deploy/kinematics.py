"""Where the tool of an arm is, and how it moves with the joints, from published link geometry."""

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.limits import LinkGeometry, ToolGeometry

Vector = NDArray[np.float64]


class ToolKinematics:
    """Forward kinematics of one chain; positions are in the world frame."""

    def __init__(self, geometry: ToolGeometry) -> None:
        self._links = [_link(link) for link in geometry.links]
        self._base_w = np.array(geometry.base_w_m)
        self._flange = _link(geometry.flange) @ _turn(np.array(geometry.flange_turn_rad))

    def frames(self, joint_rad: Vector) -> Vector:
        """Returns the frames [D + 1, K, 4, 4] of the joints and of the tool at K joint positions [K, D]."""
        turns = _turn(joint_rad)
        frame = np.broadcast_to(np.eye(4), (len(joint_rad), 4, 4))
        frames = []
        for i, link in enumerate(self._links):
            frame = frame @ link @ turns[:, i]
            frames.append(frame)
        stacked = np.stack([*frames, frame @ self._flange])
        stacked[..., :3, 3] += self._base_w
        return stacked

    def positions(self, joint_rad: Vector) -> Vector:
        """Returns the tool's positions [K, 3] at K joint positions [K, D]."""
        return self.frames(joint_rad)[-1, :, :3, 3]

    def jacobian(self, joint_rad: Vector) -> tuple[Vector, Vector, Vector]:
        """Returns the tool's position [3], rotation [3, 3] and Jacobian [6, D], translation above rotation."""
        frames = self.frames(joint_rad[None])[:, 0]
        tool, axes, origins = frames[-1], frames[:-1, :3, 2], frames[:-1, :3, 3]
        linear = np.cross(axes, tool[:3, 3] - origins)
        return tool[:3, 3], tool[:3, :3], np.concatenate([linear, axes], axis=1).T


def _link(link: LinkGeometry) -> Vector:
    """Returns Rx(alpha) Tx(a) Tz(d): the joint's own turn about z commutes with Tz and follows it."""
    cos, sin = np.cos(link.alpha_rad), np.sin(link.alpha_rad)
    return np.array(
        [
            [1.0, 0.0, 0.0, link.a_m],
            [0.0, cos, -sin, -sin * link.d_m],
            [0.0, sin, cos, cos * link.d_m],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def _turn(angle_rad: Vector) -> Vector:
    """Returns the turns [..., 4, 4] about z by angles [...]."""
    turn = np.zeros((*angle_rad.shape, 4, 4))
    turn[..., 0, 0] = turn[..., 1, 1] = np.cos(angle_rad)
    turn[..., 1, 0] = np.sin(angle_rad)
    turn[..., 0, 1] = -turn[..., 1, 0]
    turn[..., 2, 2] = turn[..., 3, 3] = 1.0
    return turn
