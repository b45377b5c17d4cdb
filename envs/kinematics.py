"""Where the bodies of N worlds are, from their joints: what `mj_kinematics` computes, for all worlds side by side.

MuJoCo's batch computes no less than the whole position stage, contacts included. Here a frame, of a body or a site, is
a few rows of numbers with one column a world, and follows from the frame before it row by row, so that a processor's
vector instructions compute eight worlds at once.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled, inlined
from robossl.envs.mujoco_fields import BODY_FIELDS, state_columns

_FIXED, _HINGE, _SLIDE, _POSED = range(4)
_JOINTS = mujoco.mjtJoint
_KINDS = {  # a ball's is of no use: MuJoCo is asked
    int(joint.value): kind
    for joint, kind in (
        (_JOINTS.mjJNT_FREE, _POSED),
        (_JOINTS.mjJNT_BALL, _FIXED),
        (_JOINTS.mjJNT_SLIDE, _SLIDE),
        (_JOINTS.mjJNT_HINGE, _HINGE),
    )
}
_QUARTERS_PER_RAD, _FAR_RAD = 2 / np.pi, 1e5
_QUARTER_HIGH, _QUARTER_MIDDLE = float.fromhex("0x1.921fb544p+0"), float.fromhex("0x1.0b4611a6p-34")
_QUARTER_LOW = float.fromhex("0x1.3198a2e037073p-69")
"""A quarter turn in three parts. The first two have 33 bits: no multiple of them that is needed is rounded."""
_NO_LENGTH = mujoco.mjMINVAL**2
_NO_POINT, _NO_TURN = np.zeros(3), np.eye(3)
_FRAME = np.dtype(
    [
        ("kind", np.int64),
        ("parent", np.int64),
        ("here", np.int64),
        ("joint", np.int64),
        ("column", np.int64, (2,)),
        ("rest", np.float64),
        ("anchor", np.float64, (3,)),
        ("turn", np.float64, (3, 3, 3)),
        ("axis", np.float64, (3,)),
        ("has_lever", np.bool_),
        ("lever", np.float64, (3,)),
    ],
    align=True,
)
"""A frame, by the one before it.

`parent` and `here` are places among the frames, `joint` is its own or -1, `column` where in the state its joint's
position is, or its own position and quaternion. It stands at `anchor`, turned by turn[0] + cos turn[1] + sin turn[2] of
the angle since `rest`, or moved along `axis`. `lever` leads from its anchor to its origin, as it sees it.
"""


class Kinematics:
    """Follows the frames of N worlds.

    Ball joints are beyond it, and worlds that differ in where bodies are on their parents: there MuJoCo must be asked.

    Args:
        model: that the worlds share.
        batch: the `mujoco.batch.Batch`.
    """

    def __init__(self, model: Any, batch: Any) -> None:
        self._batch = batch
        frames, num_places = _frames_of(model)
        pos, rot = np.zeros((num_places, 3, batch.nsim)), np.zeros((num_places, 9, batch.nsim))
        rot[0, ::4] = 1.0
        anchors, axes = np.zeros((2, model.njnt, 3, batch.nsim))
        self._rows = pos, rot, anchors, axes
        _follow(frames, batch.state, *self._rows)
        self._moving = frames[_is_moving(frames)]
        bodies, sites = slice(model.nbody), slice(model.nbody, model.nbody + model.nsite)
        rows = {"xanchor": anchors, "xaxis": axes, "xpos": pos[bodies], "xmat": rot[bodies]}
        rows |= {"site_xpos": pos[sites], "site_xmat": rot[sites]}
        self._fields = {name: np.moveaxis(values, -1, 0) for name, values in rows.items()}
        self._has_balls = bool((model.jnt_type == mujoco.mjtJoint.mjJNT_BALL).any())
        self._asked: dict[str, Array] = {}  # the batch's own arrays

    def field(self, name: str) -> Array:
        """Returns one of `BODY_FIELDS`, [N, ...], to look at: `follow` writes to it."""
        return self._fields[name]

    def must_ask(self) -> bool:
        """Tells whether this is beyond it: then MuJoCo must compute its position stage before `follow`."""
        own = (self._batch.expanded(name) for name in ("body_pos", "body_quat"))
        if not self._has_balls and all(values is None for values in own):
            return False
        if not self._asked:
            self._asked = {name: self._batch.bind(name) for name in BODY_FIELDS}
        return True

    def follow(self, ids: NDArray[np.int64] | None) -> None:
        """Makes the fields of the worlds `ids` current, or of all; those of the others may be."""
        if not self.must_ask():
            _follow(self._moving, self._batch.state, *self._rows)
            return
        worlds = slice(None) if ids is None else ids
        for name, values in self._asked.items():
            self._fields[name][worlds] = values[worlds]


def _frames_of(model: Any) -> tuple[NDArray[np.void], int]:
    """Returns all frames but the world's, each after the one that it follows from, and how many places there are.

    The bodies' places come first, then the sites', then those between the joints of one body.
    """
    frames, num_places, columns = list[Any](), model.nbody + model.nsite, state_columns(model)
    qpos, mocap_pos, mocap_quat = (columns[name].start for name in ("qpos", "mocap_pos", "mocap_quat"))
    for body in range(1, model.nbody):
        parent, mocap = model.body_parentid[body], model.body_mocapid[body]
        place = model.body_pos[body], _matrix(model.body_quat[body])
        joints = range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body])
        if mocap >= 0:
            frames.append(_frame(_POSED, 0, body, column=(mocap_pos + 3 * mocap, mocap_quat + 4 * mocap)))
        elif not joints:
            frames.append(_frame(_FIXED, parent, body, *place))
        for joint in joints:
            here, at = body if joint == joints[-1] else num_places, qpos + model.jnt_qposadr[joint]
            kind = _KINDS[int(model.jnt_type[joint])]
            its = {"joint": joint, "axis": model.jnt_axis[joint], "rest": model.qpos0[at - qpos]}
            if kind == _POSED:
                frames.append(_frame(_POSED, 0, body, column=(at, at + 3), **its))
            else:
                frames.append(_frame(kind, parent, here, *place, column=(at, at), hold=model.jnt_pos[joint], **its))
            num_places += here != body
            parent, place = here, (_NO_POINT, _NO_TURN)
    for site in range(model.nsite):
        place = model.site_pos[site], _matrix(model.site_quat[site])
        frames.append(_frame(_FIXED, model.site_bodyid[site], model.nbody + site, *place))
    return np.array(frames, _FRAME), num_places


def _frame(
    kind: int,
    parent: int,
    here: int,
    offset: NDArray[np.float64] = _NO_POINT,
    rotation: NDArray[np.float64] = _NO_TURN,
    *,
    column: tuple[int, int] = (-1, -1),
    joint: int = -1,
    axis: NDArray[np.float64] = _NO_POINT,
    rest: float = 0.0,
    hold: NDArray[np.float64] = _NO_POINT,
) -> tuple[Any, ...]:
    """Returns a row of `_FRAME`; `axis` and `hold`, a point of it, are those of its joint in a frame at rest."""
    turn = np.zeros((3, 3, 3))
    turn[0] = rotation
    if kind == _HINGE:  # Rodrigues' formula
        along = np.outer(axis, axis)
        turn[:] = rotation @ along, rotation @ (np.eye(3) - along), rotation @ np.cross(np.eye(3), axis)
    seen = axis if kind == _POSED else rotation @ axis
    return kind, parent, here, joint, column, rest, offset + rotation @ hold, turn, seen, hold.any(), -hold


def _is_moving(frames: NDArray[np.void]) -> NDArray[np.bool_]:
    """Tells which frames follow from the state."""
    moving = {0: False}
    for frame in frames:
        moving[int(frame["here"])] = bool(frame["kind"] != _FIXED) or moving[int(frame["parent"])]
    return np.array([moving[int(frame["here"])] for frame in frames], bool)


def _matrix(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


@inlined
def _place(out: Array, pos: Array, rot: Array, point: Array) -> None:
    """Puts points [3] of frames, at [3, N] and turned by [9, N], into the world's, [3, N]."""
    for i in range(3):
        to, at, a, b, c = out[i], pos[i], rot[3 * i], rot[3 * i + 1], rot[3 * i + 2]
        x, y, z = point[0], point[1], point[2]
        for world in range(out.shape[1]):
            to[world] = at[world] + (a[world] * x + b[world] * y + c[world] * z)


@inlined
def _turn(out: Array, rot: Array, cos: Array, sin: Array, by: Array) -> None:
    """Multiplies rotations [9, N] by by[0] + cos by[1] + sin by[2], with cos and sin [N]."""
    for i in range(3):
        a, b, c = rot[3 * i], rot[3 * i + 1], rot[3 * i + 2]
        for j in range(3):
            to, x, y, z = out[3 * i + j], by[0, 0, j], by[0, 1, j], by[0, 2, j]
            x_cos, y_cos, z_cos = by[1, 0, j], by[1, 1, j], by[1, 2, j]
            x_sin, y_sin, z_sin = by[2, 0, j], by[2, 1, j], by[2, 2, j]
            for world in range(out.shape[1]):
                p, q = cos[world], sin[world]
                first, second = a[world] * (x + p * x_cos + q * x_sin), b[world] * (y + p * y_cos + q * y_sin)
                to[world] = first + second + c[world] * (z + p * z_cos + q * z_sin)


@inlined
def _circle(angle: Array, cos: Array, sin: Array) -> None:
    """Computes cosines and sines of angles [N] to the last bit or two: their series around the nearest quarter turn."""
    is_far = False
    for n in range(len(angle)):
        x = angle[n]
        is_far |= not abs(x) < _FAR_RAD
        k = np.floor(x * _QUARTERS_PER_RAD + 0.5)
        r = x - k * _QUARTER_HIGH - k * _QUARTER_MIDDLE - k * _QUARTER_LOW
        z = r * r
        s = -1 / 39916800 + z * (1 / 6227020800 - z / 1307674368000)
        s = r + r * z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * s))))
        c = 1 / 479001600 + z * (-1 / 87178291200 + z / 20922789888000)
        c = 1 + z * (-1 / 2 + z * (1 / 24 + z * (-1 / 720 + z * (1 / 40320 + z * (-1 / 3628800 + z * c)))))
        half = np.floor(k / 2)
        is_odd, sign = k - 2 * half > 0, 1 - 2 * (half - 2 * np.floor(half / 2))
        cos[n] = sign * (-s if is_odd else c)
        sin[n] = sign * (c if is_odd else s)
    for n in range(len(angle) if is_far else 0):
        if not abs(angle[n]) < _FAR_RAD:
            cos[n], sin[n] = np.cos(angle[n]), np.sin(angle[n])


@inlined
def _pose(pos: Array, rot: Array, state: Array, pos_at: int, quat_at: int) -> None:
    """Takes positions [3, N] and rotations [9, N] out of states [N, S]; quaternions may have any length, none even."""
    for n in range(state.shape[0]):
        row = state[n]
        for i in range(3):
            pos[i, n] = row[pos_at + i]
        w, x, y, z = row[quat_at], row[quat_at + 1], row[quat_at + 2], row[quat_at + 3]
        square = w * w + x * x + y * y + z * z
        k = 0.0 if square < _NO_LENGTH else 2 / square  # as MuJoCo's: no turn
        rot[0, n], rot[1, n], rot[2, n] = 1 - k * (y * y + z * z), k * (x * y - w * z), k * (x * z + w * y)
        rot[3, n], rot[4, n], rot[5, n] = k * (x * y + w * z), 1 - k * (x * x + z * z), k * (y * z - w * x)
        rot[6, n], rot[7, n], rot[8, n] = k * (x * z - w * y), k * (y * z + w * x), 1 - k * (x * x + y * y)


@compiled
def _follow(frames: Array, state: Array, pos: Array, rot: Array, anchors: Array, axes: Array) -> None:
    """Computes frames of N worlds from their states [N, S]."""
    num_worlds = state.shape[0]
    (angle, cos, sin), none = np.empty((3, num_worlds)), np.zeros((3, num_worlds))
    for k in range(len(frames)):
        frame = frames[k]
        here, parent, joint = frame.here, frame.parent, frame.joint
        if frame.kind == _POSED:
            _pose(pos[here], rot[here], state, frame.column[0], frame.column[1])
        elif frame.kind == _HINGE:
            for world in range(num_worlds):
                angle[world] = state[world, frame.column[0]] - frame.rest
            _circle(angle, cos, sin)
            _turn(rot[here], rot[parent], cos, sin, frame.turn)
            _place(pos[here], pos[parent], rot[parent], frame.anchor)
        else:
            _turn(rot[here], rot[parent], none[0], none[0], frame.turn)
            _place(pos[here], pos[parent], rot[parent], frame.anchor)
        if joint >= 0:
            anchors[joint] = pos[here]
            _place(axes[joint], none, rot[parent], frame.axis)  # those of a free joint are the world's
        if frame.kind == _SLIDE:
            for i in range(3):
                for world in range(num_worlds):
                    way = state[world, frame.column[0]] - frame.rest
                    pos[here, i, world] += axes[joint, i, world] * way
        if frame.has_lever:
            _place(pos[here], pos[here], rot[here], frame.lever)
