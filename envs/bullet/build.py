"""Builds a `Blueprint` in a PyBullet client. Traps of PyBullet's that it steps round are named where they are."""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.library import pybullet
from robossl.envs.bullet.model import NONE, Blueprint, Link, Tree
from robossl.envs.bullet.shapes import hull_points, is_hull
from robossl.envs.quaternion import conjugate, product, rotated

Floats = NDArray[np.float64]
Place = tuple[int, int]
"""A body of PyBullet's and a link of it, `NONE` for the base."""

_FASTEST = 1e10  # m/s or rad/s of joints: far beyond where a world counts as diverged; Bullet's own limit is 100
_THINNEST_M = 1e-5  # margin round a hull: with none at all, what lies flat on a hull now and then jumps
_STRONGEST_N = 1e6  # of constraints, whose default is 500 N
_HARDEST_N = 1e9  # of joint limits, which otherwise give way to more than 100 N s a step
_XYZW = [1, 2, 3, 0]
_NO_TURN = np.array([1.0, 0.0, 0.0, 0.0])
_GEOM, _JOINT = mujoco.mjtGeom, mujoco.mjtJoint
_BALLS = (_GEOM.mjGEOM_SPHERE.value, _GEOM.mjGEOM_ELLIPSOID.value)
_JOINT_TYPES = {
    int(_JOINT.mjJNT_BALL.value): pybullet.JOINT_SPHERICAL,
    int(_JOINT.mjJNT_SLIDE.value): pybullet.JOINT_PRISMATIC,
    int(_JOINT.mjJNT_HINGE.value): pybullet.JOINT_REVOLUTE,
}
_SELF_COLLISION = pybullet.URDF_USE_SELF_COLLISION | pybullet.URDF_USE_SELF_COLLISION_INCLUDE_PARENT


class Construction:
    """What was built.

    Attributes:
        trees, fixtures: PyBullet's bodies, in the order of the blueprint; handles come last among the fixtures.
        places: {geom: place} of what can touch.
        bodies: {body: place} of what has a mass or is held.
    """

    def __init__(self, client: dict[str, int], blueprint: Blueprint) -> None:
        self._client, self._model = client, blueprint.model
        self.places: dict[int, Place] = {}
        self.bodies: dict[int, Place] = {}
        self.trees = [self._grow(tree) for tree in blueprint.trees]
        self.fixtures = [self._fix(geom) for geom in blueprint.fixtures]
        self.fixtures += [self._hold(body) for body in blueprint.handles]
        self._calm()
        self._let_touch(blueprint.pairs)
        for index in range(blueprint.model.neq):
            self._join(index)

    def _grow(self, tree: Tree) -> int:
        links = tree.links
        inertial = [self._inertial(link.body, link.origin) for link in links]
        model = self._model
        body: int = pybullet.createMultiBody(
            baseMass=_mass(model, tree.body),
            baseCollisionShapeIndex=self._seated(tree.geom, np.zeros(3)),
            basePosition=tree.pos.tolist(),
            baseOrientation=tree.quat[_XYZW].tolist(),
            baseInertialFramePosition=tree.centre.tolist(),
            baseInertialFrameOrientation=tree.axes[_XYZW].tolist(),
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
        self._enter((body, NONE), tree.body, tree.geom)
        for index, link in enumerate(links):
            self._enter((body, index), link.body, link.geom)
            if link.joint != NONE:
                self._free(body, index, link.joint)
        return body

    def _enter(self, place: Place, body: int, geom: int) -> None:
        if body != NONE:
            self.bodies[body] = place
        if geom != NONE:
            self.places[geom] = place

    def _free(self, body: int, link: int, joint: int) -> None:
        """Sets a joint's limit, and switches off the motor that PyBullet gives every joint."""
        model = self._model
        if model.jnt_type[joint] == _JOINT.mjJNT_BALL.value:
            still = {"targetPosition": [0, 0, 0, 1], "positionGain": 0, "velocityGain": 0, "force": [0, 0, 0]}
            pybullet.setJointMotorControlMultiDof(body, link, pybullet.POSITION_CONTROL, **still, **self._client)
            return
        pybullet.setJointMotorControl2(body, link, pybullet.VELOCITY_CONTROL, force=0, **self._client)
        if model.jnt_limited[joint]:
            low, high = (model.jnt_range[joint] - model.qpos0[model.jnt_qposadr[joint]]).tolist()
            margin = min(float(model.jnt_margin[joint]), (high - low) / 2)  # MuJoCo holds joints as far from the end
            low, high = low + margin, high - margin
            limit = {"jointLowerLimit": low, "jointUpperLimit": high, "jointLimitForce": _HARDEST_N}
            pybullet.changeDynamics(body, link, **limit, **self._client)

    def _fix(self, geom: int) -> int:
        shape = self._shape(geom, np.zeros(3), _NO_TURN)
        body: int = pybullet.createMultiBody(0.0, shape, **self._client)
        self.places[geom] = body, NONE
        return body

    def _hold(self, mocap_body: int) -> int:
        """Creates a body without a shape, for welds to hang on."""
        body: int = pybullet.createMultiBody(0.0, NONE, **self._client)
        self.bodies[mocap_body] = body, NONE
        return body

    def _join(self, equality: int) -> None:
        """Welds or connects two bodies, one of which moves."""
        model = self._model
        first, second = int(model.eq_obj1id[equality]), int(model.eq_obj2id[equality])
        data = model.eq_data[equality]
        is_weld = model.eq_type[equality] == mujoco.mjtEq.mjEQ_WELD.value
        points, turn = ((data[3:6], data[0:3]), data[6:10]) if is_weld else ((data[0:3], data[3:6]), _NO_TURN)
        ends = [(first, points[0], turn), (second, points[1], _NO_TURN)]
        ends.sort(key=lambda end: model.body_treeid[end[0]] < 0)
        (parent, link), pos, quat = self._end(*ends[0])
        (child, child_link), child_pos, child_quat = self._end(*ends[1])
        holds_turn = is_weld and data[10] != 0  # the scale of its torque
        constraint = pybullet.createConstraint(
            parent,
            link,
            child,
            child_link,
            pybullet.JOINT_FIXED if holds_turn else pybullet.JOINT_POINT2POINT,
            [0, 0, 0],
            pos.tolist(),
            child_pos.tolist(),
            quat[_XYZW].tolist(),
            child_quat[_XYZW].tolist(),
            **self._client,
        )
        pybullet.changeConstraint(constraint, maxForce=_STRONGEST_N, **self._client)

    def _end(self, body: int, pos: Floats, quat: Floats) -> tuple[Place, Floats, Floats]:
        """Returns a body's place, and a pose in its frame as one in its inertia's, or in the world's if it is fixed."""
        model = self._model
        if body not in self.bodies:
            data = mujoco.MjData(model)
            mujoco.mj_kinematics(model, data)
            turn = data.xquat[body]
            return (NONE, NONE), data.xpos[body] + rotated(turn, pos), product(turn, quat)
        if model.body_treeid[body] < 0:
            return self.bodies[body], pos, quat
        back = conjugate(model.body_iquat[body])
        return self.bodies[body], rotated(back, pos - model.body_ipos[body]), product(back, quat)

    def _calm(self) -> None:
        """Switches off what Bullet does to every body unless told otherwise: damping and limits of speed."""
        for body in (*self.trees, *self.fixtures):
            for link in range(NONE, pybullet.getNumJoints(body, **self._client)):
                calm = {"linearDamping": 0, "angularDamping": 0, "jointDamping": 0, "maxJointVelocity": _FASTEST}
                pybullet.changeDynamics(body, link, **calm, **self._client)
                pybullet.changeDynamics(body, link, restitution=0, **self._client)

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
        if is_hull(self._model, geom):
            return self._hull(pos + rotated(quat, hull_points(self._model, geom)))
        frame = {"collisionFramePosition": pos.tolist(), "collisionFrameOrientation": quat[_XYZW].tolist()}
        shape: int = pybullet.createCollisionShape(**_outline(self._model, geom), **frame, **self._client)
        return shape

    def _hull(self, points: Floats) -> int:
        """Creates the convex hull of points [n, 3], less the margin of 1 mm that PyBullet puts round it.

        PyBullet changes margins of bases alone: a base borrows the shape, and its frame must be the shape's.
        """
        shape: int = pybullet.createCollisionShape(pybullet.GEOM_MESH, vertices=points.tolist(), **self._client)
        base = pybullet.createMultiBody(0.0, shape, **self._client)
        pybullet.changeDynamics(base, NONE, collisionMargin=_THINNEST_M, **self._client)
        pybullet.removeBody(base, **self._client)
        return shape

    def _inertial(self, body: int, origin: Floats) -> tuple[list[float], list[float]]:
        if body == NONE:
            return [0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]
        return (origin + self._model.body_ipos[body]).tolist(), self._model.body_iquat[body][_XYZW].tolist()

    def _joint_type(self, link: Link) -> int:
        return int(pybullet.JOINT_FIXED if link.joint == NONE else _JOINT_TYPES[int(self._model.jnt_type[link.joint])])

    def _axis(self, link: Link) -> list[float]:
        return [0.0, 0.0, 1.0] if link.joint == NONE else list(self._model.jnt_axis[link.joint].tolist())


def _outline(model: Any, geom: int) -> dict[str, Any]:
    """Returns how PyBullet's `createCollisionShape` is told of a geom's shape, if that is no hull."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom].tolist()
    if kind == _GEOM.mjGEOM_PLANE.value:
        return {"shapeType": pybullet.GEOM_PLANE, "planeNormal": [0, 0, 1]}
    if kind in _BALLS:
        return {"shapeType": pybullet.GEOM_SPHERE, "radius": size[0]}
    if kind == _GEOM.mjGEOM_BOX.value:
        return {"shapeType": pybullet.GEOM_BOX, "halfExtents": size}
    if kind == _GEOM.mjGEOM_CAPSULE.value:
        return {"shapeType": pybullet.GEOM_CAPSULE, "radius": size[0], "height": 2 * size[1]}
    return {"shapeType": pybullet.GEOM_CYLINDER, "radius": size[0], "height": 2 * size[1]}


def _mass(model: Any, body: int) -> float:
    return 0.0 if body == NONE else float(model.body_mass[body])
