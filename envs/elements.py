"""Finds named elements in a model."""

from typing import Any

import mujoco

from robossl.core import UnknownNameError

_COUNTS = {"joint": "njnt", "camera": "ncam", "actuator": "nactuator", "material": "nmat", "equality": "neq"}


def element_id(model: Any, kind: str, name: str) -> int:
    """Returns the id of a named element.

    Args:
        model: an `MjModel`.
        kind: "site", "body", "geom", "joint", "camera", "light", "material", "actuator", "sensor", "tendon", "pair" or
            "equality".
        name: of the element.

    Raises:
        UnknownNameError: if the model has none of that name.
    """
    index = mujoco.mj_name2id(model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}").value, name)
    if index < 0:
        known = [getattr(model, kind)(i).name for i in range(getattr(model, _COUNTS.get(kind, f"n{kind}")))]
        raise UnknownNameError(f"{kind} of the model", name, known)
    return int(index)
