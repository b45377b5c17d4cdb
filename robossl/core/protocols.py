"""The borders between the packages: what a batch of environments and a policy look like from outside.

Shape legend of the whole project: N worlds, B batch, T time, A action, D feature, H W C image, V views, K candidates.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robossl.core.specs import EnvSpec

Array: TypeAlias = Any  # numpy on the CPU, torch on a GPU: whatever the engine's `xp` makes
Obs: TypeAlias = dict[str, Array]
Tree: TypeAlias = Any  # nested dict/list of arrays, tensors, numbers, strings and None: what a checkpoint stores


class StepBatch(NamedTuple):
    """What N worlds answered to one action.

    Worlds that ended were reset in the same step: `obs` holds the first observations of their next episodes and
    `final_obs` the last ones of those that ended.

    Attributes:
        obs: {key: [N, ...]}.
        reward: [N].
        terminated, truncated: [N] bool; never both.
        final_ids: [K] the worlds that ended.
        final_obs: {key: [K, ...]}.
        info: {name: [N]}: `success` and `is_success`, but for foreign environments that tell of none; `reward/<term>`
            unweighted, `metric/<name>` of the episode so far and `randomise/<name>` of it (of the one that just ended
            where one did); the last, to look at only, is [N, E] or [N, E, C] where elements,
            or their columns, draw each their own.
    """

    obs: Obs
    reward: Array
    terminated: Array
    truncated: Array
    final_ids: NDArray[np.int64]
    final_obs: Obs
    info: dict[str, Array]


@runtime_checkable
class Policy(Protocol):
    """Chooses actions for N worlds."""

    def reset(self, ids: NDArray[np.int64]) -> None:
        """Forgets what was remembered of the worlds `ids`, whose episodes begin now."""

    def act(self, obs: Obs, privileged: Obs) -> Array:
        """Returns actions [N, A] in [-1, 1]; only experts may look at `privileged`."""


class BatchEnv(Protocol):
    """N worlds of one environment, stepped together. Images are [N, H, W, C].

    Attributes:
        perf: seconds spent so far in "simulate" and "render".
        before_reset: where set, `step` calls it, once or several times, with worlds [K] that ended, as long as
            `privileged`, `world_state` and `render_frames` still show how.
    """

    num_worlds: int
    spec: EnvSpec
    perf: dict[str, float]
    before_reset: Callable[[NDArray[np.int64]], None] | None

    def reset(self, *, first_world: int = 0, first_episode: int = 0, seed: int | None = None) -> Obs:
        """Starts an episode of the worlds first_world, first_world + 1, ... and returns their observations.

        Args:
            first_world: number of world 0.
            first_episode: number of the episode that every world begins with.
            seed: replaces the seed from now on.
        """

    def step(self, action: Array) -> StepBatch:
        """Advances every world by one control step.

        Args:
            action: [N, A] in [-1, 1]; clipped.

        Raises:
            ValueError: if the shape is wrong or an element is not finite.
            RuntimeError: before the first `reset`.
        """

    def episode_keys(self) -> dict[str, NDArray[np.int64]]:
        """Returns {"world": [N], "episode": [N]}: with seed and stream they name the running episodes."""

    def privileged(self) -> Obs:
        """Returns the simulator's truth {key: [N, ...]}; empty where the environment has none."""

    def world_state(self) -> NDArray[np.float64]:
        """Returns the physics state [N, S]; S may be 0."""

    def model_values(self) -> dict[str, Array]:
        """Returns the randomised model values {field: [N, ...]} of the running episodes."""

    def expert(self) -> Policy | None:
        """Returns the scripted expert, where there is one."""

    def render_frames(self, camera: str | None = None, *, width: int, height: int, world: int = 0) -> NDArray[np.uint8]:
        """Draws one of the N worlds for a person: [height, width, 3]."""

    def get_state(self) -> Tree:
        """Returns everything that the next step depends on."""

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""

    def close(self) -> None:
        """Frees threads and graphics contexts."""
