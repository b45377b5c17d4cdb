"""What a physics engine offers a task: N worlds of one compiled model behind named arrays."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core import Array
from robossl.envs.records import Start

MAX_SPEED = 1e4
"""Of joints, m/s or rad/s: a world beyond it counts as diverged, its energy has exploded.

A hundred times what the tasks reach under random actions and randomisations (docs/simulation.md), and ten times a fast
propeller's; explicit integration that has become unstable passes it within a few substeps.
"""


class Engine(Protocol):
    """N worlds of one `MjModel`.

    After `step` or `forward` everything that `read` returns is current and float32. Arrays of `ids` are not
    changed afterwards by who passes them.
    """

    model: Any
    num_worlds: int
    num_threads: int
    xp: Any
    """Array namespace of all it takes and returns but states and `diverged`: numpy, or torch on a GPU."""
    device: Any
    """Where those arrays are, as the namespace calls it."""
    model_version: NDArray[np.int64]
    """[N], raised for a world whenever its model values change."""
    contact_slack_m: float
    """Up to which gap between two bodies it may still tell of a contact."""
    feels_late: bool
    """Whether sensors of force and acceleration tell of the substep before the moment, not of the one that begins."""
    passing_fields: tuple[str, ...]
    """State fields without which a state goes on, after a decision, as with them but for the last bits."""

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """Puts the worlds `ids` back to the model's defaults; a `forward` must follow, and what is written before it.

        Args:
            ids: [n].
            fields: state fields that do not go back to their defaults.
            values: [n, K] but to these values, side by side.
        """

    def begin(self, ids: NDArray[np.int64], start: Start) -> None:
        """Does what `reset` and `randomise` do together; a `forward` must follow.

        Args:
            ids: [n].
            start: what n episodes begin with.
        """

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """Makes derived quantities current after writes."""

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """Advances all worlds.

        Args:
            ctrl: [N, num_actuators], held for all substeps.
            num_substeps: physics steps.
            record: names to read as every substep begins.
            more: whether the next call goes on with the same decision. Before it nothing may be written, and no
                `sensordata` read; apart from that, parts come to the same as a decision in one.

        Returns:
            {name: [N, num_substeps, ...]}: the values before the first substep, after the first, and so on; those
            after the last one are what `read` returns.
        """

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> Array:
        """Returns the `MjData` field `name` as a new float32 array [N, ...], or of the worlds `ids` alone [n, ...].

        A field that is read of all worlds is kept current from then on, at every step. To ask about few worlds, where
        the others do not matter, costs what those few cost.
        """

    def view(self, name: str) -> Array:
        """Returns what `read` does for all worlds as the engine's own array: to look at, until the state changes."""

    def write(self, name: str, values: Array, ids: NDArray[np.int64]) -> None:
        """Sets the state field `name` (qpos, qvel, mocap_pos, ...) of the worlds `ids` to `values` [n, ...]."""

    def jac(self, body: int, point: Array, ids: NDArray[np.int64] | None = None) -> tuple[Array, Array]:
        """Returns the translational and rotational Jacobians [N, 3, nv] of world points [N, 3] on a body.

        Of the worlds `ids` alone, in ascending order, where they are given.
        """

    def scan(
        self,
        start: Array,
        axes: Array,
        directions: NDArray[np.float64],
        ids: NDArray[np.int64],
        *,
        hidden_body: int = -1,
        least_m: float = 0.0,
    ) -> Array:
        """Returns how far [n, R] rays of the worlds `ids` get before they hit a visible geom, -1 where they never do.

        Geoms are where the last `step` or `forward` put them.

        Args:
            start: [n, 3] where a world's rays begin.
            axes: [n, 3, 3] whose columns are the axes of a frame.
            directions: [R, 3] unit vectors in that frame.
            ids: [n].
            hidden_body: whose geoms they pass through.
            least_m: what is nearer is not hit.
        """

    def randomise(self, field: str, values: Array, ids: NDArray[np.int64]) -> None:
        """Gives the worlds `ids` their own values [n, ...] of the model field, with all that follows from it."""

    def model_values(self) -> dict[str, Array]:
        """Returns the fields that were randomised, {field: [N, ...]}, copied."""

    def own_values(self, field: str) -> NDArray[np.float64] | None:
        """Returns a model field that was randomised, [N, ...] to look at only; None where all share the model's."""

    def get_state(self) -> NDArray[np.float64]:
        """Returns the full integration state [N, S], copied."""

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """Puts back what `get_state` returned and makes derived quantities current."""

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """Checks that it can take a state [N, S] of all worlds and their model values; nothing changes.

        Raises:
            UserError: if a value cannot differ between worlds here, or `set_state` would refuse.
        """

    def keep(self, *, whole: bool) -> None:
        """Remembers the states of all worlds, where they are computed; if not `whole`, at least what a step changes."""

    def take_back(self, ids: NDArray[np.int64]) -> None:
        """Puts the worlds `ids` back to where they were when `keep` was called."""

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """[N] worlds that since they were last reset went non-finite, beyond `MAX_SPEED`, or raised such a warning.

        Some engines look at every substep; all look at what a `step` begins with, after writes, and at where it ends.
        """

    def close(self) -> None:
        """Ends the worker threads."""
