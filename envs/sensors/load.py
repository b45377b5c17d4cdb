"""What a wrist carries."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.quaternion import conjugate, normalised, product, rotated

Floats = NDArray[np.float64]


class Load(NamedTuple):
    """The masses that a site carries in n worlds, in the site's frame; n is 1 where worlds do not differ.

    Attributes:
        mass: [n] in kg.
        centre: [n, 3] in m.
        inertia: [n, 3, 3] about the centre, kg m2.
    """

    mass: Floats
    centre: Floats
    inertia: Floats


def load_beyond(engine: Engine, site: str, ids: NDArray[np.int64]) -> Load:
    """Returns what a site's body and all that it carries weigh in the worlds `ids`, at the model's first pose."""
    own = tuple(engine.own_values(f"body_{name}") for name in ("mass", "inertia", "ipos"))
    if all(values is None for values in own):
        return _shared_load(engine.model, site)
    return _load(engine.model, site, *(None if values is None else values[ids] for values in own))


@lru_cache(maxsize=16)
def _shared_load(model: Any, site: str) -> Load:
    return _load(model, site, None, None, None)


def _load(model: Any, site: str, mass: Floats | None, inertia: Floats | None, offset: Floats | None) -> Load:
    """Adds up the bodies' masses [n], inertias [n, B, 3] and centres [n, B, 3]: the model's where None."""
    bodies, pos, quat = _carried(model, site)
    mass, inertia, offset = (
        (shared[None] if values is None else values)[:, bodies]
        for values, shared in ((mass, model.body_mass), (inertia, model.body_inertia), (offset, model.body_ipos))
    )
    centres = pos + rotated(quat, offset)
    axes = _matrices(normalised(product(quat, model.body_iquat[bodies])))
    total = mass.sum(axis=1)
    centre = (mass[..., None] * centres).sum(axis=1) / np.where(total > 0, total, 1.0)[:, None]
    arm = centres - centre[:, None]
    moved = (arm * arm).sum(axis=-1)[..., None, None] * np.eye(3) - arm[..., :, None] * arm[..., None, :]
    spread = axes @ (inertia[..., None] * axes.mT) + mass[..., None, None] * moved
    num_worlds = max(len(total), len(centre))
    total, centre, spread = (
        np.ascontiguousarray(np.broadcast_to(part, (num_worlds, *part.shape[1:])))
        for part in (total, centre, spread.sum(axis=1))
    )
    return Load(total, centre, spread)


@compiled
def add_motion(
    wrench: Array,
    data: Array,
    columns: Array,
    period_s: float,
    gravity_w: Array,
    mass: Array,
    centre: Array,
    inertia: Array,
) -> None:
    """Adds to force and torque [n, T, 6] at a site what accelerates its load as it moved, less what MuJoCo took for it.

    Args:
        wrench: in the site's frame.
        data: [n, T + 1, D] sensor readings before and after T substeps.
        columns: [5] where in them the site's velocity, angular velocity, acceleration, angular acceleration and
            orientation begin.
        period_s: of a substep.
        gravity_w: [n or 1, 3] in m/s2.
        mass: [n or 1] see `Load`, as the others.
        centre: [n or 1, 3].
        inertia: [n or 1, 3, 3].
    """
    missing, lin, ang, push = np.empty(6), np.empty(3), np.empty(3), np.empty(3)
    for world in range(wrench.shape[0]):
        load, pull = world % len(mass), world % len(gravity_w)
        for t in range(wrench.shape[1]):
            row, before = data[world, t + 1], data[world, t]
            for i in range(3):
                change = (row[columns[0] + i] - before[columns[0] + i]) / period_s
                missing[i] = change - row[columns[2] + i] - gravity_w[pull, i]
                change = (row[columns[1] + i] - before[columns[1] + i]) / period_s
                missing[3 + i] = change - row[columns[3] + i]
            q = columns[4]
            w, x, y, z = row[q], row[q + 1], row[q + 2], row[q + 3]
            for part, out in ((missing[:3], lin), (missing[3:], ang)):
                a, b, c = part[0], part[1], part[2]
                out[0] = (1 - 2 * (y * y + z * z)) * a + 2 * (x * y + w * z) * b + 2 * (x * z - w * y) * c
                out[1] = 2 * (x * y - w * z) * a + (1 - 2 * (x * x + z * z)) * b + 2 * (y * z + w * x) * c
                out[2] = 2 * (x * z + w * y) * a + 2 * (y * z - w * x) * b + (1 - 2 * (x * x + y * y)) * c
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                push[i] = mass[load] * (lin[i] + ang[j] * centre[load, k] - ang[k] * centre[load, j])
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                wrench[world, t, i] += push[i]
                wrench[world, t, 3 + i] += centre[load, j] * push[k] - centre[load, k] * push[j]
                for j in range(3):
                    wrench[world, t, 3 + i] += inertia[load, i, j] * ang[j]


@lru_cache(maxsize=16)
def _carried(model: Any, site: str) -> tuple[list[int], Floats, Floats]:
    """Returns the bodies that a site carries, its own first, and where they are in its frame: [B, 3] and [B, 4]."""
    index = element_id(model, "site", site)
    back, base = conjugate(model.site_quat[index]), int(model.site_bodyid[index])
    frames = {base: (rotated(back, -model.site_pos[index]), back)}
    for body in range(base + 1, model.nbody):
        if (parent := int(model.body_parentid[body])) in frames:
            pos, quat = frames[parent]
            frames[body] = pos + rotated(quat, model.body_pos[body]), product(quat, model.body_quat[body])
    positions, quats = (np.stack(part) for part in zip(*frames.values(), strict=True))
    return list(frames), positions, quats


def _matrices(quat: Floats) -> Floats:
    """Returns [..., 3, 3] of unit quaternions."""
    return np.stack([rotated(quat, np.broadcast_to(axis, (*quat.shape[:-1], 3))) for axis in np.eye(3)], axis=-1)
