"""From steps of N worlds to episodes of one world each.

Arrays [N, R, ...] hold what every world saw, was and did in the first step of its running episode, in the second, and
so on. The next episode begins at the first row again. R is the length of the longest episode that there may be, or
grows towards it, where it is so long that hardly any ever is.
"""

from collections.abc import Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import UserError
from robossl.core.memory import available_bytes
from robossl.core.protocols import Array, BatchEnv, Obs
from robossl.data.episode import Episode
from robossl.training.privileged import prefixed
from robossl.training.rollout import Moment

_GIB = 2**30
_NUM_ROWS = 1024  # with room for which arrays begin; what is not written to takes no memory
_STATE, _ACTION, _REWARD = "state", "action", "reward"  # beside observations, whose keys have "obs/" before them


def require_memory(env: BatchEnv, *, keeps_privileged: bool) -> None:
    """Checks that the running episodes, each as long as any may be, fit into the memory that is free.

    Raises:
        UserError: naming what they need and what is free.
    """
    spec = env.spec
    arrays = [*spec.observation.values(), *(spec.privileged.values() if keeps_privileged else ()), spec.action]
    step = sum(array.num_bytes for array in arrays) + np.asarray(env.world_state())[0].nbytes
    each, free = (spec.max_episode_steps + 1) * step, available_bytes()
    if free is not None and env.num_worlds * each > free:
        raise UserError(
            f"env.num-worlds {env.num_worlds}: their episodes, of up to {spec.max_episode_steps:,} steps, need about "
            f"{env.num_worlds * each / _GIB:,.1f} GiB of memory until they end and {free / _GIB:,.1f} GiB are free: "
            f"room for about {free // each:,} worlds, or for more with smaller or fewer pictures"
        )


class EpisodeBuilder:
    """Keeps the steps of running episodes and hands out those that end.

    Entered as a context, because it asks the environment for the last states before they are reset away.

    Args:
        env: what is watched; its episodes begin with their number 0.
        seed, stream: of its worlds.
        keeps_privileged: whether the truth is stored beside the observations, under keys of its own.
        forgotten: columns of states that are stored as zeros.
    """

    def __init__(
        self, env: BatchEnv, *, seed: int, stream: int, keeps_privileged: bool, forgotten: Sequence[int] = ()
    ) -> None:
        self._env, self._seed, self._stream = env, seed, stream
        self._keeps_privileged, self._forgotten = keeps_privileged, np.array(forgotten, np.int64)
        self._rows: dict[str, Array] = {}
        self._worlds, self._ages = np.arange(env.num_worlds), np.zeros(env.num_worlds, np.int64)
        self._state = np.zeros((env.num_worlds, 0))
        self._keys: dict[str, NDArray[np.int64]] = {}
        self._model_values: list[dict[str, Array]] = [{} for _ in range(env.num_worlds)]
        self._last: dict[int, tuple[Obs, NDArray[np.float64]]] = {}

    def __enter__(self) -> "EpisodeBuilder":
        self._env.before_reset = self._keep_last
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._env.before_reset = None

    def begin(self) -> None:
        """Takes note of the episodes that a reset of all worlds has begun."""
        self._ages[:] = 0
        self._note_beginnings(self._worlds)

    def add(self, moment: Moment) -> list[Episode]:
        """Takes one step and returns the episodes that it ended; their arrays hold until the next one.

        Raises:
            UserError: if an episode is longer than the environment says that any is.
        """
        batch = moment.batch
        action = np.clip(np.asarray(moment.action, np.float32), -1.0, 1.0)
        obs = {f"obs/{key}": value for key, value in {**moment.obs, **self._truth(moment.privileged)}.items()}
        self._keep({**obs, _STATE: self._state, _ACTION: action, _REWARD: np.asarray(batch.reward, np.float32)})
        final_ids = np.asarray(batch.final_ids, np.int64)
        episodes = [self._episode(moment, row, world) for row, world in enumerate(final_ids.tolist())]
        self._ages[final_ids] = 0
        self._note_beginnings(final_ids)
        return episodes

    def _keep(self, step: dict[str, Array]) -> None:
        """Copies what all worlds saw, were and did behind what they did before."""
        longest = self._env.spec.max_episode_steps
        if self._ages.max() >= longest:
            raise UserError(f"an episode has more steps than {longest}, which {self._env.spec.id} promises")
        for key, value in step.items():
            self._with_room(key, value, longest + 1)[self._worlds, self._ages] = value
        self._ages += 1

    def _with_room(self, key: str, value: Array, most: int) -> Array:
        """Returns the rows of a key, with room for one more and the last of an episode."""
        rows, needed = self._rows.get(key), int(self._ages.max()) + 2
        num_rows = 0 if rows is None else rows.shape[1]
        if rows is None or num_rows < needed:
            more = np.empty((len(value), min(max(2 * num_rows, _NUM_ROWS), most), *value.shape[1:]), value.dtype)
            if rows is not None:
                more[:, :num_rows] = rows
            rows = self._rows[key] = more
        return rows

    def _episode(self, moment: Moment, row: int, world: int) -> Episode:
        batch, length = moment.batch, int(self._ages[world])
        truth, state = self._last.pop(world)
        final = {**{key: value[row] for key, value in batch.final_obs.items()}, **truth}
        metrics = {name: float(batch.info[f"metric/{name}"][world]) for name in self._env.spec.metrics}
        drawn = {
            name: float(np.mean(value[world])) for name, value in batch.info.items() if name.startswith("randomise/")
        }
        success = {"success": float(batch.info["success"][world])} if "success" in batch.info else {}
        lost = {"diverged": 1.0} if batch.info.get("diverged", np.zeros(world + 1))[world] else {}
        return Episode(
            obs={key: self._ending(f"obs/{key}", world, value) for key, value in final.items()},
            action=self._rows[_ACTION][world, :length],
            reward=self._rows[_REWARD][world, :length],
            terminated=bool(batch.terminated[world]),
            truncated=bool(batch.truncated[world]),
            state=self._ending(_STATE, world, state),
            model_values=self._model_values[world],
            info={**success, **metrics, **drawn, **lost},
            seed=self._seed,
            stream=self._stream,
            world=int(self._keys["world"][world]),
            episode=int(self._keys["episode"][world]),
        )

    def _ending(self, key: str, world: int, last: Array) -> Array:
        """Returns all rows of an episode that ended, with the last one."""
        rows, length = self._rows[key][world], int(self._ages[world])
        rows[length] = last
        return rows[: length + 1]

    def _keep_last(self, ids: NDArray[np.int64]) -> None:
        truth, state = self._truth(self._env.privileged()), self._states()
        for world in ids.tolist():
            self._last[world] = {key: value[world] for key, value in truth.items()}, state[world]

    def _truth(self, privileged: Obs) -> Obs:
        return prefixed(privileged, self._env.spec) if self._keeps_privileged else {}

    def _states(self) -> NDArray[np.float64]:
        states = np.array(self._env.world_state(), np.float64)
        states[:, self._forgotten] = 0
        return states

    def _note_beginnings(self, ids: NDArray[np.int64]) -> None:
        self._state = self._states()
        if len(ids) == 0:
            return
        self._keys = self._env.episode_keys()
        values = self._env.model_values()
        for world in ids.tolist():
            self._model_values[world] = {field: np.array(value[world]) for field, value in values.items()}
