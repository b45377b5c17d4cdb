"""One world in Bullet: a physics client of its own, built from a `Blueprint`.

A client per world, because then a world's numbers depend on no other: not on the solver's order of contacts, not on
what an earlier episode left behind; and a world that diverges is thrown away alone.
"""

import weakref
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.core.memory import available_bytes
from robossl.envs.bullet.build import Construction
from robossl.envs.bullet.forces import Press
from robossl.envs.bullet.layout import Layout, Motion
from robossl.envs.bullet.library import pybullet
from robossl.envs.bullet.model import NONE, Blueprint

Floats = NDArray[np.float64]

_BYTES = 29 * 2**20  # of a client, whatever is in it
_MAX_WORLDS = 1000  # PyBullet has room for 1,024 clients in a process
_SOLVER_ITERATIONS = 100
_XYZW = [1, 2, 3, 0]


def require_room(num_worlds: int) -> None:
    """Checks that so many worlds fit into PyBullet and into the memory that is free.

    Raises:
        UserError: if they do not.
    """
    if num_worlds > _MAX_WORLDS:
        raise UserError(f"engine bullet: PyBullet holds at most {_MAX_WORLDS} worlds in a process, not {num_worlds}")
    free = available_bytes()
    if free is not None and num_worlds * _BYTES > free:
        raise UserError(f"engine bullet: {num_worlds} worlds need 29 MiB each; there is memory for {free // _BYTES}")


class BulletWorld:
    """Builds a world, and moves it."""

    def __init__(self, blueprint: Blueprint, layout: Layout) -> None:
        client = pybullet.connect(pybullet.DIRECT)
        if client < 0:
            raise UserError("engine bullet: PyBullet has no room for another world")
        self._model = model = blueprint.model
        self._client = {"physicsClientId": client}
        self._free = weakref.finalize(self, pybullet.disconnect, client)
        self._rows = layout.rows
        pybullet.setGravity(*_gravity(model), **self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=float(model.opt.timestep),
            numSolverIterations=_SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            **self._client,
        )
        built = Construction(self._client, blueprint)
        self._trees, self._fixtures = built.trees, built.fixtures
        self._places, self._bodies = built.places, built.bodies
        self._geoms = {place: geom for geom, place in self._places.items()}
        self._movers = [self._places[geom] for geom in sorted(self._places) if geom not in blueprint.fixtures]
        self.set_masses(model.body_mass, model.body_inertia)

    def load(self, world: int, motion: Motion) -> None:
        """Puts everything where row `world` of `motion` says, and forgets all contacts.

        Bullet keeps contacts from step to step. That they are found anew makes what follows a function of the state.
        """
        for body, rows in zip(self._trees, self._rows, strict=True):
            if rows.base != NONE:
                pos, quat = motion.base_pos[world, rows.base], motion.base_quat[world, rows.base]
                vel, spin = motion.base_vel[world, rows.base], motion.base_spin[world, rows.base]
                pybullet.resetBasePositionAndOrientation(body, pos.tolist(), quat.tolist(), **self._client)
                pybullet.resetBaseVelocity(body, vel.tolist(), spin.tolist(), **self._client)
            links, pos, vel = list(rows.scalar_links), [], []
            if links:
                pos = motion.joint_pos[world, rows.scalars, None].tolist()
                vel = motion.joint_vel[world, rows.scalars, None].tolist()
            if rows.ball_links:
                links += rows.ball_links
                pos += motion.ball_quat[world, rows.balls].tolist()
                vel += motion.ball_vel[world, rows.balls].tolist()
            if links:
                pybullet.resetJointStatesMultiDof(body, links, targetValues=pos, targetVelocities=vel, **self._client)
        for body, link in self._movers:
            pybullet.setCollisionFilterGroupMask(body, link, 0, 0, **self._client)

    def place(self, moved: list[int], poses: Floats) -> None:
        """Puts the fixtures `moved`, by their index in the blueprint, at `poses` [F, 7] in the world; before `load`.

        All fixtures are then entered anew, in their order: Bullet treats contacts in the order of entry.
        """
        for fixture in moved:
            pos, quat = poses[fixture, :3].tolist(), poses[fixture, 3:][_XYZW].tolist()
            pybullet.resetBasePositionAndOrientation(self._fixtures[fixture], pos, quat, **self._client)
        for body in self._fixtures if moved else []:
            pybullet.setCollisionFilterGroupMask(body, NONE, 0, 0, **self._client)

    def pull(self, world: int, trees: list[int], forces: tuple[Floats, ...], motion: Motion) -> None:
        """Applies row `world` of `Layout.forces` to some trees, for the next step only."""
        joints, balls, base_force, base_torque = forces
        for tree in trees:
            body, rows = self._trees[tree], self._rows[tree]
            if rows.scalar_links:
                pybullet.setJointMotorControlArray(
                    body,
                    rows.scalar_links,
                    pybullet.TORQUE_CONTROL,
                    forces=joints[world, rows.scalars].tolist(),
                    **self._client,
                )
            for link, torque in zip(rows.ball_links, balls[world, rows.balls].tolist(), strict=True):
                pybullet.setJointMotorControlMultiDof(body, link, pybullet.TORQUE_CONTROL, force=torque, **self._client)
            if rows.base != NONE:
                where = motion.base_pos[world, rows.base].tolist()
                push, turn = base_force[world, rows.base].tolist(), base_torque[world, rows.base].tolist()
                pybullet.applyExternalForce(body, NONE, push, where, pybullet.WORLD_FRAME, **self._client)
                pybullet.applyExternalTorque(body, NONE, turn, pybullet.WORLD_FRAME, **self._client)

    def step(self) -> None:
        """Makes one physics step."""
        pybullet.stepSimulation(**self._client)

    def fetch(self, world: int, trees: list[int], motion: Motion) -> None:
        """Writes where some trees are and how they move into row `world` of `motion`."""
        for tree in trees:
            body, rows = self._trees[tree], self._rows[tree]
            if rows.scalar_links:
                states = pybullet.getJointStates(body, rows.scalar_links, **self._client)
                motion.joint_pos[world, rows.scalars] = [state[0] for state in states]
                motion.joint_vel[world, rows.scalars] = [state[1] for state in states]
            if rows.ball_links:
                states = pybullet.getJointStatesMultiDof(body, rows.ball_links, **self._client)
                motion.ball_quat[world, rows.balls] = [state[0] for state in states]
                motion.ball_vel[world, rows.balls] = [state[1] for state in states]
            if rows.base != NONE:
                pos, quat = pybullet.getBasePositionAndOrientation(body, **self._client)
                vel, spin = pybullet.getBaseVelocity(body, **self._client)
                motion.base_pos[world, rows.base], motion.base_quat[world, rows.base] = pos, quat
                motion.base_vel[world, rows.base], motion.base_spin[world, rows.base] = vel, spin

    def detect(self) -> None:
        """Finds the contacts of the present state without moving anything."""
        pybullet.performCollisionDetection(**self._client)

    def touching(self) -> list[tuple[int, int]]:
        """Returns the pairs of geoms of all contacts that were found last and are no gaps.

        A gap is none where the step has closed it: Bullet stops what would get through, and a moment later the two may
        be apart again.
        """
        points = [point for point in pybullet.getContactPoints(**self._client) if point[8] <= 0.0 or point[9] > 0.0]
        return [(self._geoms[point[1], point[3]], self._geoms[point[2], point[4]]) for point in points]

    def presses(self) -> list[Press]:
        """Returns the contacts that the last step has solved, with their forces."""
        found = []
        for point in pybullet.getContactPoints(**self._client):
            normal_w, sideways = np.array(point[7]), point[10] * np.array(point[11]) + point[12] * np.array(point[13])
            if point[9] == 0:
                continue
            found.append(
                Press(
                    geoms=(self._geoms[point[1], point[3]], self._geoms[point[2], point[4]]),
                    pos_w=(np.array(point[5]) + np.array(point[6])) / 2,
                    normal_w=normal_w,
                    normal_n=float(point[9]),
                    force_w=point[9] * normal_w + sideways,
                )
            )
        return found

    def set_masses(self, mass: Floats, inertia: Floats) -> None:
        """Gives bodies their mass [nbody] and principal inertias [nbody, 3]."""
        for body, (unique, link) in self._bodies.items():
            if self._model.body_treeid[body] < 0:
                continue
            # in a call of their own: together with dampings, PyBullet changes the base instead
            pybullet.changeDynamics(
                unique,
                link,
                mass=float(mass[body]),
                localInertiaDiagonal=inertia[body].tolist(),
                **self._client,
            )

    def set_frictions(self, factors: Floats) -> None:
        """Gives geoms their sliding, torsional and rolling friction factors [ngeom, 3]."""
        for geom, (body, link) in self._places.items():
            sliding, torsional, rolling = factors[geom].tolist()
            pybullet.changeDynamics(
                body,
                link,
                lateralFriction=sliding,
                spinningFriction=torsional,
                rollingFriction=rolling,
                **self._client,
            )

    def close(self) -> None:
        """Frees the world; forgetting it does the same."""
        self._free()


def _gravity(model: Any) -> list[float]:
    is_off = bool(model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY.value)
    return [0.0, 0.0, 0.0] if is_off else list(model.opt.gravity.tolist())
