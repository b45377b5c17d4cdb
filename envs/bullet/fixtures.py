"""Where the solid geoms are that no force moves: of the world and of mocap bodies; and handles."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.model import NONE, Blueprint
from robossl.envs.quaternion import conjugate, normalised, product, rotated

Floats = NDArray[np.float64]

_NO_TURN = np.array([1.0, 0.0, 0.0, 0.0])


class Fixtures:
    """Knows the poses of the blueprint's fixtures, F of them, and which of them Bullet has been told."""

    def __init__(self, blueprint: Blueprint, num_worlds: int) -> None:
        model = blueprint.model
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        geoms, handles = np.array(blueprint.fixtures, np.int64), np.array(blueprint.handles, np.int64)
        bodies = np.concatenate([model.geom_bodyid[geoms], handles])
        roots = model.body_rootid[bodies]
        self._mocap = np.where(bodies == 0, NONE, model.body_mocapid[roots])
        pos = np.concatenate([data.geom_xpos[geoms], data.xpos[handles]])
        quat = product(
            data.xquat[bodies], np.concatenate([model.geom_quat[geoms], np.tile(_NO_TURN, (len(handles), 1))])
        )
        inverse = conjugate(data.xquat[roots])
        moves = (self._mocap != NONE)[:, None]
        self._pos = np.where(moves, rotated(inverse, pos - data.xpos[roots]), pos)
        self._quat = np.where(moves, product(inverse, quat), quat)
        self._told = np.full((num_worlds, len(bodies), 7), np.nan)

    def poses(self, mocap_pos: Floats, mocap_quat: Floats) -> Floats:
        """Returns positions and quaternions [N, F, 7] in the world, for mocap bodies [N, M, 3] and [N, M, 4]."""
        num_worlds = len(self._told)
        pos = np.repeat(self._pos[None], num_worlds, axis=0)
        quat = np.repeat(self._quat[None], num_worlds, axis=0)
        moves = np.flatnonzero(self._mocap != NONE)
        turn = normalised(mocap_quat[:, self._mocap[moves]])
        pos[:, moves] = mocap_pos[:, self._mocap[moves]] + rotated(turn, pos[:, moves])
        quat[:, moves] = product(turn, quat[:, moves])
        return np.concatenate([pos, quat], axis=-1)

    def moved(self, world: int, poses: Floats) -> list[int]:
        """Returns the fixtures that are elsewhere, by `poses` [F, 7], than told last; now they are told."""
        moved = np.flatnonzero((self._told[world] != poses).any(axis=1))
        self._told[world] = poses
        return [int(fixture) for fixture in moved]

    def forget(self, world: int) -> None:
        """Takes back all that a world of Bullet's was told."""
        self._told[world] = np.nan
