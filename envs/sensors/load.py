"""What a wrist carries."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.compiled import compiled
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.per_model import per_model
from robossl.envs.quaternion import conjugate, normalised, product, rotated

Floats = NDArray[np.float64]

_PLACES = ("pos", "quat")
_FIELDS = ("mass", "inertia", "ipos", *_PLACES)
"""Of bodies, less "body_"."""


class Load(NamedTuple):
    """The masses that a site carries in n worlds, in the site's frame; each n is 1 where worlds do not differ in it.

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
    model = engine.model
    own = {name: values for name in _FIELDS if (values := engine.own_values(f"body_{name}")) is not None}
    if not own:
        return _shared_load(model, site)
    bodies, parts, differs = _carried(model, site), dict(_shared_parts(model, site)), False
    for name, values in own.items():
        part, shared, first = values[ids][:, bodies], parts[name], int(name in _PLACES)  # wherever its own body is
        differs |= bool((part[:, first:] != shared[:, first:]).any())
        parts[name] = normalised(part) if name == "quat" else part
    return _load(model, site, **parts) if differs else _shared_load(model, site)


@per_model
def _shared_load(model: Any, site: str) -> Load:
    return _load(model, site, **_shared_parts(model, site))


@per_model
def _shared_parts(model: Any, site: str) -> dict[str, Floats]:
    bodies = _carried(model, site)
    return {name: getattr(model, f"body_{name}")[None, bodies] for name in _FIELDS}


def _load(model: Any, site: str, *, mass: Floats, inertia: Floats, ipos: Floats, pos: Floats, quat: Floats) -> Load:
    """Adds up what a site carries, of bodies that differ in n worlds or not; each n may be 1.

    Args:
        model: of the worlds.
        site: its name.
        mass: [n, B].
        inertia: [n, B, 3].
        ipos: [n, B, 3] centres in the bodies' frames.
        pos: [n, B, 3] where they are on their parents.
        quat: [n, B, 4].
    """
    shared = _shared_parts(model, site)
    is_shared = pos is shared["pos"] and quat is shared["quat"]
    places, turns = _shared_frames(model, site) if is_shared else _frames(model, site, pos, quat)
    centres = places + rotated(turns, ipos)
    axes = _matrices(normalised(product(turns, model.body_iquat[_carried(model, site)])))
    total = mass.sum(axis=1)
    centre = (mass[..., None] * centres).sum(axis=1) / np.where(total > 0, total, 1.0)[:, None]
    arm = centres - centre[:, None]
    moved = (arm * arm).sum(axis=-1)[..., None, None] * np.eye(3) - arm[..., :, None] * arm[..., None, :]
    spread = axes @ (inertia[..., None] * axes.mT) + mass[..., None, None] * moved
    return Load(total, centre, spread.sum(axis=1))


@compiled
def add_motion(
    wrench: Array,
    told: Array,
    velocities: Array,
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
        told: [n, T, D] sensor readings that tell of the T substeps.
        velocities: [n, T + 1, D] those before and after each.
        columns: [5] where in them the site's velocity, angular velocity, acceleration, angular acceleration and
            orientation begin.
        period_s: of a substep.
        gravity_w: [n or 1, 3] in m/s2.
        mass: [n or 1] see `Load`, as the next two.
        centre: [n or 1, 3].
        inertia: [n or 1, 3, 3].
    """
    missing, lin, ang, push = np.empty(6), np.empty(3), np.empty(3), np.empty(3)
    for world in range(wrench.shape[0]):
        m, pull = mass[world % len(mass)], gravity_w[world % len(gravity_w)]
        com, spread = centre[world % len(centre)], inertia[world % len(inertia)]
        for t in range(wrench.shape[1]):
            row, before, after = told[world, t], velocities[world, t], velocities[world, t + 1]
            for i in range(3):
                change = (after[columns[0] + i] - before[columns[0] + i]) / period_s
                missing[i] = change - row[columns[2] + i] - pull[i]
                change = (after[columns[1] + i] - before[columns[1] + i]) / period_s
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
                push[i] = m * (lin[i] + ang[j] * com[k] - ang[k] * com[j])
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                wrench[world, t, i] += push[i]
                wrench[world, t, 3 + i] += com[j] * push[k] - com[k] * push[j]
                for j in range(3):
                    wrench[world, t, 3 + i] += spread[i, j] * ang[j]


@per_model
def _carried(model: Any, site: str) -> list[int]:
    """Returns the bodies that a site carries, its own first."""
    bodies = [int(model.site_bodyid[element_id(model, "site", site)])]
    for body in range(bodies[0] + 1, model.nbody):
        if model.body_parentid[body] in bodies:
            bodies.append(body)
    return bodies


@per_model
def _shared_frames(model: Any, site: str) -> tuple[Floats, Floats]:
    shared = _shared_parts(model, site)
    return _frames(model, site, shared["pos"], shared["quat"])


def _frames(model: Any, site: str, pos: Floats, quat: Floats) -> tuple[Floats, Floats]:
    """Returns where the bodies that a site carries are in its frame, [n, B, 3] and [n, B, 4]; see `_load`."""
    index, (base, *others) = element_id(model, "site", site), _carried(model, site)
    back, shape = conjugate(model.site_quat[index]), (max(len(pos), len(quat)), 1)
    frames = {base: (np.tile(rotated(back, -model.site_pos[index]), shape), np.tile(back, shape))}
    for row, body in enumerate(others, 1):
        place, turn = frames[int(model.body_parentid[body])]
        frames[body] = place + rotated(turn, pos[:, row]), product(turn, quat[:, row])
    places, turns = (np.stack(part, axis=1) for part in zip(*frames.values(), strict=True))
    return places, turns


def _matrices(quat: Floats) -> Floats:
    """Returns [..., 3, 3] of unit quaternions."""
    return np.stack([rotated(quat, np.broadcast_to(axis, (*quat.shape[:-1], 3))) for axis in np.eye(3)], axis=-1)
