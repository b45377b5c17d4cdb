"""The free cube on the table: where it is, and what differs about it from world to world."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.engine import Engine
from robossl.envs.randomisation import AnyRandomisation, Push, Randomisation
from robossl.envs.tasks.arm_geometry import Bounds, between, heading
from robossl.envs.tasks.columns import joined
from robossl.envs.tasks.variation import Change

POSITION = ("block_x_w_m", "block_y_w_m", "block_z_w_m")
VELOCITY = ("block_vx_w_m_s", "block_vy_w_m_s", "block_vz_w_m_s")
HEADING = ("block_sin_yaw", "block_cos_yaw")
OBSERVED = (*POSITION, *VELOCITY, *HEADING, "tool_to_block_x_m", "tool_to_block_y_m", "tool_to_block_z_m")
PRIVILEGED = {"block_position": POSITION, "block_velocity": VELOCITY, "block_heading": HEADING}
PRIVILEGED_TEXTS = {
    "block_position": "the block's centre",
    "block_velocity": "how fast the block's centre moves",
    "block_heading": "sine and cosine of how far the block is turned about the vertical",
}
FALLEN_BELOW_W_M = -0.05
FALLS = "when the block has fallen off the table"
RANDOM_FIELDS = ("body_mass", "geom_friction", "geom_rgba")

GEOM = ("block_box",)

_RGB = (np.array([0.75, 0.20, 0.05]), np.array([1.0, 0.70, 0.35]))


class Block:
    """A body called `block` with a free joint, and its geom `block_box`.

    Attributes:
        half_m: half its edge.
    """

    def __init__(self, half_m: float) -> None:
        self.half_m = half_m
        self._body = self._geom = self._qpos = self._dof = -1

    def bind(self, model: Any) -> None:
        """Looks it up in a compiled model."""
        self._body, self._geom = model.body("block").id, model.geom("block_box").id
        joint = model.joint("block_free")
        self._qpos, self._dof = joint.qposadr[0], joint.dofadr[0]

    def pose(self, place: NDArray[np.float64], yaw_rad: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns qpos values [n, 7] that put it on the table at `place` [n, 2], turned by `yaw_rad` [n]."""
        pose = np.zeros((len(place), 7))
        pose[:, :2], pose[:, 2] = place, self.half_m
        pose[:, 3], pose[:, 6] = np.cos(yaw_rad / 2), np.sin(yaw_rad / 2)
        return pose

    def position(self, engine: Engine) -> Array:
        """Returns where its centres are in the world, [N, 3], m."""
        return engine.read("qpos")[:, self._qpos : self._qpos + 3]

    def velocity(self, engine: Engine) -> Array:
        """Returns the velocities of its centres, [N, 3], m/s."""
        return engine.read("qvel")[:, self._dof : self._dof + 3]

    def half(self, engine: Engine) -> Any:
        """Returns half the edges: a number where all are alike, else [N], m."""
        size = engine.own_values("geom_size")
        if size is None:
            return self.half_m
        return engine.xp.asarray(size[:, self._geom, 0].astype(np.float32), device=engine.device)

    def heading(self, engine: Engine) -> Array:
        """Returns sin and cos of its yaw, [N, 2]."""
        return heading(engine.xp, engine.read("qpos")[:, self._qpos + 3 : self._qpos + 7])

    def observe(self, engine: Engine, tool_w: Array) -> Array:
        """Returns what `OBSERVED` names, [N, 11], float32, beside tools at [N, 3]."""
        qpos, qvel = (engine.view(name) for name in ("qpos", "qvel"))
        place_w, turn = qpos[:, self._qpos : self._qpos + 3], qpos[:, self._qpos + 3 : self._qpos + 7]
        velocity = qvel[:, self._dof : self._dof + 3]
        return joined(engine.xp, place_w, velocity, heading(engine.xp, turn), place_w - tool_w)

    def privileged(self, engine: Engine) -> dict[str, Array]:
        """Returns {`PRIVILEGED`: [N, ...]}."""
        return {
            "block_position": self.position(engine),
            "block_velocity": self.velocity(engine),
            "block_heading": self.heading(engine),
        }

    def changes(self, mass_kg: Bounds, friction: Bounds, unit: NDArray[np.float64]) -> list[Change]:
        """Draws its mass, friction and colour from `unit` [n, 5]."""
        return [
            ("body_mass", (self._body,), between(mass_kg, unit[:, 0])),
            ("geom_friction", (self._geom, 0), between(friction, unit[:, 1])),
            ("geom_rgba", (self._geom, slice(3)), between(_RGB, unit[:, 2:])),
        ]


def randomisations(mass_kg: tuple[float, float], friction: tuple[float, float]) -> dict[str, AnyRandomisation]:
    """Returns what can be random about it beside what layouts vary: over the same ranges, and pushes."""
    return {
        "mass": Randomisation(field="body_mass", elements=("block",), mode="set", low=mass_kg[0], high=mass_kg[1]),
        "friction": Randomisation(
            field="geom_friction", elements=GEOM, columns=(0,), mode="set", low=friction[0], high=friction[1]
        ),
        "push": Push(body="block", high=0.5),
    }
