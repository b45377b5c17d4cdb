"""One world in Bullet: a physics client of its own, built from a `Blueprint`. The one module that imports PyBullet.

A client per world, because then a world's numbers depend on no other: not on the solver's order of contacts, not on
what an earlier episode left behind; and a world that diverges is thrown away alone.
"""

from typing import Any

import mujoco
import numpy as np
import pybullet
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.bullet_layout import Layout, Motion, Rows
from robossl.envs.bullet_model import NONE, Blueprint, Link, Tree
from robossl.envs.bullet_shapes import hull_points

Floats = NDArray[np.float64]
Place = tuple[int, int]
"""A body of PyBullet's and a link of it, `NONE` for the base."""

MAX_WORLDS = 1000  # PyBullet has room for 1,024 clients in a process
_SOLVER_ITERATIONS = 100
_FASTEST = 1e10  # m/s or rad/s of joints: where a world counts as diverged; Bullet's own limit is 100
_STRONGEST_N = 1e6  # of constraints, whose default is 500 N
_XYZW = [1, 2, 3, 0]
_GEOM, _JOINT = mujoco.mjtGeom, mujoco.mjtJoint
_JOINT_TYPES = {
    int(_JOINT.mjJNT_BALL.value): pybullet.JOINT_SPHERICAL,
    int(_JOINT.mjJNT_SLIDE.value): pybullet.JOINT_PRISMATIC,
    int(_JOINT.mjJNT_HINGE.value): pybullet.JOINT_REVOLUTE,
}
_SELF_COLLISION = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_INCLUDE_PARENT


class BulletWorld:
    """Builds a world, and moves it.

    Attributes:
        places: {geom: place} of what can touch.
    """

    def __init__(self, blueprint: Blueprint, layout: Layout) -> None:
        client = pybullet.connect(pybullet.DIRECT)
        if client < 0:
            raise UserError("engine bullet: PyBullet has no room for another world")
        self._model = model = blueprint.model
        self._client = {"physicsClientId": client}
        self.places: dict[int, Place] = {}
        self._bodies: dict[int, Place] = {}  # with mass
        self._rows = layout.rows
        pybullet.setGravity(*_gravity(model), **self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=float(model.opt.timestep),
            numSolverIterations=_SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            **self._client,
        )
        self._trees = [self._grow(tree) for tree in blueprint.trees]
        self._fixtures = [self._fix(geom) for geom in blueprint.fixtures]
        self._calm()
        self._let_touch(blueprint.pairs)
        moving = [geom for geom in sorted(self.places) if geom not in blueprint.fixtures]
        self._movers = [self.places[geom] for geom in moving]
        self._geoms = {place: geom for geom, place in self.places.items()}

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

    def place(self, fixture: int, pos: Floats, quat: Floats) -> None:
        """Puts a fixture, by its index in the blueprint, at a pose in the world."""
        body = self._fixtures[fixture]
        pybullet.resetBasePositionAndOrientation(body, pos.tolist(), quat[_XYZW].tolist(), **self._client)
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
                pybullet.setJointMotorControlMultiDof(
                    body, link, pybullet.TORQUE_CONTROL, force=torque, **self._client
                )
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
        """Returns the pairs of geoms of all contacts that were found last and are no gaps."""
        points = pybullet.getContactPoints(**self._client)
        geoms = self._geoms
        return [(geoms[point[1], point[3]], geoms[point[2], point[4]]) for point in points if point[8] <= 0.0]

    def set_masses(self, mass: Floats, inertia: Floats) -> None:
        """Gives bodies their mass [nbody] and principal inertias [nbody, 3]."""
        for body, (unique, link) in self._bodies.items():
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
        for geom, (body, link) in self.places.items():
            sliding, torsional, rolling = factors[geom].tolist()
            pybullet.changeDynamics(
                body,
                link,
                lateralFriction=sliding,
                spinningFriction=torsional,
                rollingFriction=rolling,
                **self._client,
            )

    def mass_matrix(self, tree: int, joint_pos: Floats) -> Floats:
        """Returns the joint-space inertia [S, S] of a tree with a fixed base and scalar joints at positions [S]."""
        matrix = pybullet.calculateMassMatrix(self._trees[tree], joint_pos.tolist(), **self._client)
        return np.asarray(matrix)

    def close(self) -> None:
        """Frees the world."""
        if pybullet.isConnected(**self._client):
            pybullet.disconnect(**self._client)

    def _grow(self, tree: Tree) -> int:
        links = tree.links
        inertial = [self._inertial(link.body, link.origin) for link in links]
        model, base = self._model, self._inertial(tree.body, np.zeros(3))
        body: int = pybullet.createMultiBody(
            baseMass=_mass(model, tree.body),
            baseCollisionShapeIndex=self._seated(tree.geom, np.zeros(3)),
            basePosition=tree.pos.tolist(),
            baseOrientation=tree.quat[_XYZW].tolist(),
            baseInertialFramePosition=base[0],
            baseInertialFrameOrientation=base[1],
            linkMasses=[_mass(model, link.body) for link in links],
            linkCollisionShapeIndices=[self._seated(link.geom, link.origin) for link in links],
            linkVisualShapeIndices=[NONE] * len(links),
            linkPositions=[link.pos.tolist() for link in links],
            linkOrientations=[link.quat[_XYZW].tolist() for link in links],
            linkInertialFramePositions=[pos for pos, _ in inertial],
            linkInertialFrameOrientations=[quat for _, quat in inertial],
            linkParentIndices=[link.parent + 1 for link in links],
            linkJointTypes=[self._joint_type(link) for link in links],
            linkJointAxis=[self._axis(link) for link in links],
            flags=_SELF_COLLISION,
            **self._client,
        )
        for index, part in [(NONE, tree), *enumerate(links)]:
            if part.body != NONE:
                self._bodies[part.body] = body, index
            if part.geom != NONE:
                self.places[part.geom] = body, index
            if part.joint != NONE and index != NONE:
                self._free(body, index, part.joint)
        return body

    def _free(self, body: int, link: int, joint: int) -> None:
        """Sets a joint's limit and dry friction, and switches off the motor that PyBullet gives every joint."""
        model = self._model
        if model.jnt_type[joint] == _JOINT.mjJNT_BALL.value:
            still = {"targetPosition": [0, 0, 0, 1], "positionGain": 0, "velocityGain": 0, "force": [0, 0, 0]}
            pybullet.setJointMotorControlMultiDof(body, link, pybullet.POSITION_CONTROL, **still, **self._client)
            return
        friction = float(model.dof_frictionloss[model.jnt_dofadr[joint]])
        pybullet.setJointMotorControl2(body, link, pybullet.VELOCITY_CONTROL, force=friction, **self._client)
        if model.jnt_limited[joint]:
            low, high = (model.jnt_range[joint] - model.qpos0[model.jnt_qposadr[joint]]).tolist()
            pybullet.changeDynamics(body, link, jointLowerLimit=low, jointUpperLimit=high, **self._client)

    def _fix(self, geom: int) -> int:
        shape = self._shape(geom, np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))
        body: int = pybullet.createMultiBody(0.0, shape, **self._client)
        self.places[geom] = body, NONE
        return body

    def _calm(self) -> None:
        """Switches off what Bullet does to every body unless told otherwise: damping and limits of speed."""
        for body in (*self._trees, *self._fixtures):
            for link in range(NONE, pybullet.getNumJoints(body, **self._client)):
                calm = {"linearDamping": 0, "angularDamping": 0, "jointDamping": 0, "maxJointVelocity": _FASTEST}
                pybullet.changeDynamics(body, link, **calm, **self._client)
                pybullet.changeDynamics(body, link, restitution=0, **self._client)
        self.set_masses(self._model.body_mass, self._model.body_inertia)

    def _let_touch(self, pairs: NDArray[np.int64]) -> None:
        """Lets the pairs [P, 2] of geoms touch, and no others: a mask of 0 touches nothing unless a pair says so."""
        for body, link in self.places.values():
            pybullet.setCollisionFilterGroupMask(body, link, 0, 0, **self._client)
        for first, second in pairs.tolist():
            (body, link), (other, other_link) = self.places[first], self.places[second]
            pybullet.setCollisionFilterPair(body, other, link, other_link, 1, **self._client)

    def _seated(self, geom: int, origin: Floats) -> int:
        """Creates the shape of a geom whose body's frame is at `origin` in the link's; none for `NONE`."""
        if geom == NONE:
            return NONE
        return self._shape(geom, origin + self._model.geom_pos[geom], self._model.geom_quat[geom])

    def _shape(self, geom: int, pos: Floats, quat: Floats) -> int:
        frame = {"collisionFramePosition": pos.tolist(), "collisionFrameOrientation": quat[_XYZW].tolist()}
        shape: int = pybullet.createCollisionShape(**_outline(self._model, geom), **frame, **self._client)
        return shape

    def _inertial(self, body: int, origin: Floats) -> tuple[list[float], list[float]]:
        if body == NONE:
            return [0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]
        return (origin + self._model.body_ipos[body]).tolist(), self._model.body_iquat[body][_XYZW].tolist()

    def _joint_type(self, link: Link) -> int:
        return pybullet.JOINT_FIXED if link.joint == NONE else _JOINT_TYPES[int(self._model.jnt_type[link.joint])]

    def _axis(self, link: Link) -> list[float]:
        return [0.0, 0.0, 1.0] if link.joint == NONE else list(self._model.jnt_axis[link.joint].tolist())


def _outline(model: Any, geom: int) -> dict[str, Any]:
    """Returns how PyBullet's `createCollisionShape` is told of a geom's shape."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom].tolist()
    if kind == _GEOM.mjGEOM_PLANE.value:
        return {"shapeType": pybullet.GEOM_PLANE, "planeNormal": [0, 0, 1]}
    if kind == _GEOM.mjGEOM_SPHERE.value:
        return {"shapeType": pybullet.GEOM_SPHERE, "radius": size[0]}
    if kind == _GEOM.mjGEOM_BOX.value:
        return {"shapeType": pybullet.GEOM_BOX, "halfExtents": size}
    if kind == _GEOM.mjGEOM_CAPSULE.value:
        return {"shapeType": pybullet.GEOM_CAPSULE, "radius": size[0], "height": 2 * size[1]}
    if kind == _GEOM.mjGEOM_CYLINDER.value:
        return {"shapeType": pybullet.GEOM_CYLINDER, "radius": size[0], "height": 2 * size[1]}
    return {"shapeType": pybullet.GEOM_MESH, "vertices": hull_points(model, geom).tolist()}


def _mass(model: Any, body: int) -> float:
    return 0.0 if body == NONE else float(model.body_mass[body])


def _gravity(model: Any) -> list[float]:
    is_off = bool(model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY.value)
    return [0.0, 0.0, 0.0] if is_off else list(model.opt.gravity.tolist())
