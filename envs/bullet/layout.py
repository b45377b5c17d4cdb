"""Between MuJoCo's generalised coordinates and what Bullet calls by joint and by base: arrays over all worlds.

Of a free body, MuJoCo counts the velocity of its frame's origin and its spin along its own axes; Bullet counts the pose
and velocity of the centre of mass, along the inertia's axes, with the spin along the world's.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.model import NONE, Blueprint
from robossl.envs.quaternion import conjugate, cross, normalised, product, rotated

Floats = NDArray[np.float64]

_BALL = mujoco.mjtJoint.mjJNT_BALL.value
_XYZW, _WXYZ = [1, 2, 3, 0], [3, 0, 1, 2]


@dataclass(slots=True)
class Motion:
    """Where things are and how they move, or, of forces, what pulls them; S scalar joints, K balls, F free bases.

    Attributes:
        joint_pos, joint_vel: [N, S] rad or m.
        ball_quat, ball_vel: [N, K, 4] (x, y, z, w) and [N, K, 3], along the child's axes.
        base_pos, base_quat: [N, F, 3] of the centres of mass, [N, F, 4] (x, y, z, w) of the inertias' axes.
        base_vel, base_spin: [N, F, 3] in the world.
    """

    joint_pos: Floats
    joint_vel: Floats
    ball_quat: Floats
    ball_vel: Floats
    base_pos: Floats
    base_quat: Floats
    base_vel: Floats
    base_spin: Floats


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of a `Motion` are a tree's.

    Attributes:
        scalar_links, ball_links: the tree's links with such joints.
        scalars, balls: their rows.
        base: its base's row, `NONE` if that is fixed.
    """

    scalar_links: tuple[int, ...]
    ball_links: tuple[int, ...]
    scalars: slice
    balls: slice
    base: int


class Layout:
    """Knows which coordinate is which joint's.

    Attributes:
        rows: of each tree of the blueprint.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        model = blueprint.model
        scalars: list[int] = []
        balls: list[int] = []
        bases: list[int] = []
        self.rows: list[Rows] = []
        for tree in blueprint.trees:
            moved = [(index, link.joint) for index, link in enumerate(tree.links) if link.joint != NONE]
            mine = [(index, joint) for index, joint in moved if model.jnt_type[joint] != _BALL]
            round_ones = [(index, joint) for index, joint in moved if model.jnt_type[joint] == _BALL]
            self.rows.append(
                Rows(
                    scalar_links=tuple(index for index, _ in mine),
                    ball_links=tuple(index for index, _ in round_ones),
                    scalars=slice(len(scalars), len(scalars) + len(mine)),
                    balls=slice(len(balls), len(balls) + len(round_ones)),
                    base=len(bases) if tree.joint != NONE else NONE,
                )
            )
            scalars += [joint for _, joint in mine]
            balls += [joint for _, joint in round_ones]
            bases += [tree.joint] if tree.joint != NONE else []
        self._model = model
        self._scalar_pos, self._scalar_vel = model.jnt_qposadr[scalars], model.jnt_dofadr[scalars]
        self._reference = model.qpos0[self._scalar_pos]
        self._ball_pos = _spans(model.jnt_qposadr[balls], 4)
        self._ball_vel = _spans(model.jnt_dofadr[balls], 3)
        self._base_pos, self._base_vel = _spans(model.jnt_qposadr[bases], 7), _spans(model.jnt_dofadr[bases], 6)
        free = [tree for tree in blueprint.trees if tree.joint != NONE]
        self._centre = np.array([tree.centre for tree in free]).reshape(-1, 3)
        self._axes = np.array([tree.axes for tree in free]).reshape(-1, 4)

    def to_bullet(self, qpos: Floats, qvel: Floats) -> Motion:
        """Converts positions [N, nq] and velocities [N, nv]."""
        pose, velocity = qpos[:, self._base_pos], qvel[:, self._base_vel]
        quat = normalised(pose[..., 3:])
        arm, spin = rotated(quat, self._centre), rotated(quat, velocity[..., 3:])
        return Motion(
            joint_pos=qpos[:, self._scalar_pos] - self._reference,
            joint_vel=qvel[:, self._scalar_vel],
            ball_quat=normalised(qpos[:, self._ball_pos])[..., _XYZW],
            ball_vel=qvel[:, self._ball_vel],
            base_pos=pose[..., :3] + arm,
            base_quat=product(quat, self._axes)[..., _XYZW],
            base_vel=velocity[..., :3] + cross(spin, arm),
            base_spin=spin,
        )

    def to_mujoco(self, motion: Motion, qpos: Floats, qvel: Floats, *, bases: bool) -> None:
        """Converts back, into `qpos` [N, nq] and `qvel` [N, nv]; free bases only if asked.

        Of the two quaternions of a pose it writes the one nearer to that in `qpos`: Bullet's has any sign.
        """
        qpos[:, self._scalar_pos] = motion.joint_pos + self._reference
        qvel[:, self._scalar_vel] = motion.joint_vel
        qpos[:, self._ball_pos] = _signed_as(qpos[:, self._ball_pos], motion.ball_quat[..., _WXYZ])
        qvel[:, self._ball_vel] = motion.ball_vel
        if not bases:
            return
        quat = product(motion.base_quat[..., _WXYZ], conjugate(self._axes))
        arm = rotated(quat, self._centre)
        signed = _signed_as(qpos[:, self._base_pos[:, 3:]], quat)
        qpos[:, self._base_pos] = np.concatenate([motion.base_pos - arm, signed], axis=-1)
        velocity = motion.base_vel - cross(motion.base_spin, arm)
        qvel[:, self._base_vel] = np.concatenate([velocity, rotated(conjugate(quat), motion.base_spin)], axis=-1)

    def forces(self, force: Floats, motion: Motion, *, bases: bool) -> tuple[Floats, Floats, Floats, Floats]:
        """Converts generalised forces [N, nv] in the pose `motion`; those on free bases only if asked.

        Returns:
            [N, S] on scalar joints, [N, K, 3] on balls, and force and torque [N, F, 3] on bases' centres of mass.
        """
        pull = force[:, self._base_vel]
        if not bases:
            return force[:, self._scalar_vel], force[:, self._ball_vel], pull[..., :3], pull[..., 3:]
        quat = product(motion.base_quat[..., _WXYZ], conjugate(self._axes))
        torque = rotated(quat, pull[..., 3:]) - cross(rotated(quat, self._centre), pull[..., :3])
        return force[:, self._scalar_vel], force[:, self._ball_vel], pull[..., :3], torque

    def empty(self, num_worlds: int) -> Motion:
        """Returns a `Motion` of that many worlds with arbitrary content."""
        num_scalars, num_balls, num_bases = len(self._scalar_pos), len(self._ball_pos), len(self._base_pos)
        scalar, three = (num_worlds, num_scalars), (num_worlds, num_bases, 3)
        shapes: list[Any] = [scalar, scalar, (num_worlds, num_balls, 4), (num_worlds, num_balls, 3)]
        shapes += [three, (num_worlds, num_bases, 4), three, three]
        return Motion(*(np.zeros(shape) for shape in shapes))


def _signed_as(before: Floats, quat: Floats) -> Floats:
    """Returns quaternions [..., 4] with the signs that bring them nearer to `before`."""
    return np.where((before * quat).sum(axis=-1, keepdims=True) < 0, -quat, quat)


def _spans(first: NDArray[np.int32], length: int) -> NDArray[np.int64]:
    return np.asarray(first, np.int64).reshape(-1, 1) + np.arange(length)
