"""From steps of N worlds to episodes of one world each."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from robossl.core.protocols import Array, BatchEnv, Obs
from robossl.data.episode import Episode
from robossl.training.privileged import prefixed
from robossl.training.rollout import Moment


@dataclass(frozen=True, slots=True)
class _Step:
    """What all N worlds saw, were and did in one step."""

    obs: Obs
    state: NDArray[np.float64]
    action: NDArray[np.float32]
    reward: NDArray[np.float32]


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
        self._steps: list[_Step] = []
        self._starts = np.zeros(env.num_worlds, np.int64)  # where in `_steps` the running episodes begin
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
        self._steps.clear()
        self._starts[:] = 0
        self._note_beginnings(np.arange(self._env.num_worlds))

    def add(self, moment: Moment) -> list[Episode]:
        """Takes one step and returns the episodes that it ended."""
        batch = moment.batch
        obs = {**moment.obs, **self._truth(moment.privileged)}
        action = np.clip(np.asarray(moment.action, np.float32), -1.0, 1.0)
        self._steps.append(_Step(obs, self._state, action, np.asarray(batch.reward, np.float32)))
        final_ids = np.asarray(batch.final_ids, np.int64)
        episodes = [self._episode(moment, row, world) for row, world in enumerate(final_ids.tolist())]
        self._starts[final_ids] = len(self._steps)
        self._note_beginnings(final_ids)
        self._forget()
        return episodes

    def _episode(self, moment: Moment, row: int, world: int) -> Episode:
        batch, steps = moment.batch, self._steps[self._starts[world] :]
        truth, state = self._last.pop(world)
        final = {**{key: value[row] for key, value in batch.final_obs.items()}, **truth}
        metrics = {name: float(batch.info[f"metric/{name}"][world]) for name in self._env.spec.metrics}
        drawn = {
            name: float(np.mean(value[world])) for name, value in batch.info.items() if name.startswith("randomise/")
        }
        success = {"success": float(batch.info["success"][world])} if "success" in batch.info else {}
        lost = {"diverged": 1.0} if batch.info.get("diverged", np.zeros(world + 1))[world] else {}
        return Episode(
            obs={key: np.stack([*(step.obs[key][world] for step in steps), final[key]]) for key in steps[0].obs},
            action=np.stack([step.action[world] for step in steps]),
            reward=np.array([step.reward[world] for step in steps], np.float32),
            terminated=bool(batch.terminated[world]),
            truncated=bool(batch.truncated[world]),
            state=np.stack([*(step.state[world] for step in steps), state]),
            model_values=self._model_values[world],
            info={**success, **metrics, **drawn, **lost},
            seed=self._seed,
            stream=self._stream,
            world=int(self._keys["world"][world]),
            episode=int(self._keys["episode"][world]),
        )

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

    def _forget(self) -> None:
        """Drops the steps before the oldest running episode."""
        oldest = int(self._starts.min())
        del self._steps[:oldest]
        self._starts -= oldest
