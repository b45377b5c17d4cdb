"""Unit quaternions (w, x, y, z) over arrays [..., 4]; every result is elementwise."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])


def rotated(quat: Floats, vector: Floats) -> Floats:
    """Rotates vectors [..., 3]."""
    axis, w = quat[..., 1:], quat[..., :1]
    twice = 2.0 * cross(axis, vector)
    return np.asarray(vector + w * twice + cross(axis, twice))


def product(first: Floats, second: Floats) -> Floats:
    """Multiplies: `second` is applied first."""
    a, b = first[..., :1], second[..., :1]
    u, v = first[..., 1:], second[..., 1:]
    scalar = a * b - (u * v).sum(axis=-1, keepdims=True)
    return np.concatenate([scalar, a * v + b * u + cross(u, v)], axis=-1)


def conjugate(quat: Floats) -> Floats:
    """Inverts."""
    return np.asarray(quat * _CONJUGATE)


def normalised(quat: Floats) -> Floats:
    """Scales to length 1."""
    return np.asarray(quat / np.sqrt((quat * quat).sum(axis=-1, keepdims=True)))


def cross(first: Floats, second: Floats) -> Floats:
    """Returns the cross products of vectors [..., 3]; numpy's own takes five times as long on few."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)
