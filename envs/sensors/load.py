"""What a wrist carries."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.quaternion import conjugate, cross, normalised, product, rotated

Floats = NDArray[np.float64]


class Load(NamedTuple):
    """The masses that a site carries in n worlds, in the site's frame.

    Attributes:
        mass: [n, 1, 1] in kg.
        centre: [n, 1, 3] in m.
        inertia: [n, 3, 3] about the centre, kg m2.
    """

    mass: Floats
    centre: Floats
    inertia: Floats

    def wrench(self, acceleration: Floats, turning: Floats) -> tuple[Floats, Floats]:
        """Returns force and torque at the site, [n, T, 3] each, that accelerate it so, and it so much besides.

        Args:
            acceleration: [n, T, 3] of the site, m/s2.
            turning: [n, T, 3] angular acceleration, rad/s2.
        """
        force = self.mass * (acceleration + cross(turning, self.centre))
        return force, turning @ self.inertia + cross(np.broadcast_to(self.centre, force.shape), force)


def load_beyond(engine: Engine, site: str, ids: NDArray[np.int64]) -> Load:
    """Returns what a site's body and all that it carries weigh in the worlds `ids`, at the model's first pose."""
    model, index = engine.model, element_id(engine.model, "site", site)
    base = int(model.site_bodyid[index])
    back = conjugate(model.site_quat[index])
    frames = {base: (rotated(back, -model.site_pos[index]), back)}
    for body in range(base + 1, model.nbody):
        if (parent := int(model.body_parentid[body])) in frames:
            pos, quat = frames[parent]
            frames[body] = pos + rotated(quat, model.body_pos[body]), product(quat, model.body_quat[body])
    bodies = list(frames)
    mass, inertia, offset = (_values(engine, f"body_{name}", ids)[:, bodies] for name in ("mass", "inertia", "ipos"))
    pos, quat = (np.stack(part) for part in zip(*frames.values(), strict=True))
    centres = pos + rotated(quat, offset)
    axes = _matrices(normalised(product(quat, model.body_iquat[bodies])))
    total = mass.sum(axis=1)[:, None, None]
    centre = (mass[..., None] * centres).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    arm = centres - centre
    moved = (arm * arm).sum(axis=-1)[..., None, None] * np.eye(3) - arm[..., :, None] * arm[..., None, :]
    turned = axes @ (inertia[..., None] * axes.mT)
    return Load(total, centre, (turned + mass[..., None, None] * moved).sum(axis=1))


def _values(engine: Engine, field: str, ids: NDArray[np.int64]) -> Floats:
    """Returns a model field [n, ...] as the worlds `ids` have it."""
    own = engine.own_values(field)
    shared: Any = getattr(engine.model, field)
    return np.asarray(np.broadcast_to(shared, (len(ids), *shared.shape)) if own is None else own[ids])


def _matrices(quat: Floats) -> Floats:
    """Returns [..., 3, 3] of unit quaternions."""
    return np.stack([rotated(quat, np.broadcast_to(axis, (*quat.shape[:-1], 3))) for axis in np.eye(3)], axis=-1)
