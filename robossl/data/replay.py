"""The replay: every observation stored once, on a device; stacks, windows and n-step returns are made when sampled.

One class serves reinforcement learning (written step by step) and pretraining (filled from episodes).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import Array, ArraySpec, Obs
from robossl.core.specs import image_keys
from robossl.data.batches import TransitionBatch, WindowBatch
from robossl.data.columns import Columns
from robossl.data.episode import Episode, Episodes
from robossl.data.links import EpisodeLinks
from robossl.data.replay_files import ReplayFiles
from robossl.data.replay_sampling import BatchReader
from robossl.data.slots import episode_slots, nothing_done, observed, single_spec, slot_specs


class Replay:
    """Keeps the newest slots of N worlds in a ring; one slot is one single observation of one world.

    Three worlds, two calls of `add`; world 1 ends in the second one (its last observation is slot 6):

        serial   0   1   2 | 3   4   5   6 | 7 ...        prev: towards the episode's start
        world    0   1   2 | 0   1   2   1 | 0 ...        next: towards its end
        obs      o   o   o | o   o   o   o |              an episode's first slot is its own prev,
        action   a   a   a | a   a   a   - |              its last slot its own next and holds no action
        prev     0   1   2 | 0   1   2   4 | 3
        next     3   4   5 | 7   6   9   6 |              7, 9: numbered already, written by the next call

    A frame of a stack of k, the next observation and the last observation of an episode are all just slots, found by
    following prev and next. Written slots never change (but for `end_episodes`), so checkpoints share them.

    Args:
        capacity: slots; each step takes one, and each ended episode one more.
        observation: single frames; pictures channels-first [C, H, W]. The uint8 pictures are stacked.
        num_worlds: N of `add`.
        frame_stack: k, frames per stacked picture.
        n_step: rewards summed by `sample`.
        gamma: discount of `sample`.
        device: where slots lie and batches come from.

    Raises:
        ValueError: if the capacity is too small for the worlds and stacks, or a number is out of its range.
    """

    def __init__(
        self,
        capacity: int,
        observation: Mapping[str, ArraySpec],
        action_dim: int,
        *,
        num_worlds: int = 1,
        frame_stack: int = 1,
        n_step: int = 1,
        gamma: float = 0.99,
        device: torch.device | str = "cpu",
    ) -> None:
        if min(num_worlds, frame_stack, n_step) < 1 or not 0 <= gamma <= 1:
            raise ValueError(
                f"num_worlds, frame_stack and n_step must be at least 1 and gamma in [0, 1], "
                f"got {num_worlds}, {frame_stack}, {n_step}, {gamma}"
            )
        self.observation = dict(observation)
        self.action_dim, self.frame_stack, self.n_step, self.gamma = action_dim, frame_stack, n_step, gamma
        self.device = torch.device(device)
        self._stacked = image_keys(self.observation)
        self._columns = Columns(slot_specs(self.observation, action_dim), capacity, self.device)
        self._links = EpisodeLinks(self._columns, capacity, num_worlds, frame_stack)
        self._reader = BatchReader(self._columns, self._links, self.observation, frame_stack)
        self._files = ReplayFiles(self._columns, self._links)

    @classmethod
    def from_episodes(
        cls,
        episodes: Episodes,
        *,
        frame_stack: int = 1,
        n_step: int = 1,
        gamma: float = 0.99,
        device: torch.device | str = "cpu",
        keys: Sequence[str] | None = None,
        split: Sequence[int] | None = None,
    ) -> "Replay":
        """Builds a replay that holds whole episodes.

        Args:
            episodes: an `EpisodeStore` or a list.
            frame_stack: as of the constructor, like the next three.
            n_step: see above.
            gamma: see above.
            device: see above.
            keys: observations to keep; all where None.
            split: numbers of the episodes to keep; all where None.

        Raises:
            ValueError: if there is no episode or an episode lacks a key.
            CorruptFileError: if a stored episode is damaged.
        """
        chosen = [episodes[i] for i in (range(len(episodes)) if split is None else split)]
        if not chosen:
            raise ValueError("a replay needs at least one episode")
        observation = {key: single_spec(chosen[0].obs[key]) for key in keys or chosen[0].obs}
        num_slots = sum(episode.length + 1 for episode in chosen)
        replay = cls(
            max(num_slots, 2 * frame_stack + 2),
            observation,
            chosen[0].action.shape[-1],
            frame_stack=frame_stack,
            n_step=n_step,
            gamma=gamma,
            device=device,
        )
        for episode in chosen:
            replay.add_episode(episode)
        return replay

    def __len__(self) -> int:
        """Returns the number of transitions that can be sampled."""
        return self._links.num_transitions

    @property
    def capacity(self) -> int:
        """Number of slots."""
        return self._links.capacity

    @property
    def num_worlds(self) -> int:
        """Worlds that `add` takes."""
        return self._links.num_worlds

    @property
    def num_bytes(self) -> int:
        """Bytes of all slots, written or not."""
        return self._columns.num_bytes

    @property
    def longest_episode(self) -> int:
        """Steps of the longest episode, or of what is left of it; found by walking through all."""
        return self._links.longest_episode()

    @property
    def stacked_observation(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """What sampled observations look like: {key: (shape without batch axes, dtype)}."""
        return {
            key: (
                (spec.shape[0] * self.frame_stack, *spec.shape[1:]) if key in self._stacked else spec.shape,
                spec.dtype,
            )
            for key, spec in self.observation.items()
        }

    def add(
        self,
        obs: Obs,
        action: Array,
        reward: Array,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        final_ids: NDArray[np.int64],
        final_obs: Obs,
    ) -> None:
        """Stores one step of all worlds.

        Args:
            obs: {key: [N, ...]}, the single newest frames that the actions were chosen from.
            action: [N, A].
            reward: [N].
            terminated: [N] bool.
            truncated: [N] bool.
            final_ids: [K] the worlds that ended.
            final_obs: {key: [K, ...]} their last observations, single frames too.

        Raises:
            ValueError: if shapes or dtypes differ from the specs, or `final_ids` are not the worlds that ended.
        """
        ended = np.flatnonzero(np.asarray(terminated) | np.asarray(truncated))
        if not np.array_equal(np.sort(final_ids), ended):
            raise ValueError(f"worlds {ended.tolist()} ended, but final_ids are {np.asarray(final_ids).tolist()}")
        values = {**observed(obs, self.observation), "action": action, "reward": reward, "terminated": terminated}
        final = {**observed(final_obs, self.observation), **nothing_done(len(final_ids), self.action_dim)}
        self._columns.check(values, self.num_worlds)
        self._columns.check(final, len(final_ids))
        serial, final_serial = self._links.append_step(np.asarray(final_ids, np.int64))
        self._columns.put(self._links.rows(serial), values)
        self._columns.put(self._links.rows(final_serial), final)

    def add_episode(self, episode: Episode) -> None:
        """Stores a whole episode; its pictures are [H, W, C] and stored [C, H, W].

        Raises:
            ValueError: if worlds are running, the episode does not fit, or it differs from the specs.
        """
        values = episode_slots(episode, self.observation, self.action_dim)
        self._columns.check(values, episode.length + 1)
        rows = self._links.rows(self._links.append_episode(episode.length))
        self._columns.put(rows, values)

    def end_episodes(self) -> None:
        """Ends the running episodes because their worlds are reset from outside; their newest actions are dropped.

        What came before keeps its bootstrapped value: an episode cut so counts as truncated.
        """
        self._links.end_episodes()

    def sample(self, batch_size: int, generator: torch.Generator) -> TransitionBatch:
        """Draws transitions uniformly, with replacement.

        Sums of rewards stop where the episode does, or at the newest observation of a running one.

        Raises:
            ValueError: if there is none yet.
        """
        return self.transitions(self.draw(batch_size, generator))

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws where transitions or windows begin, [count], as `sample` and `sample_windows` do.

        Raises:
            ValueError: if there is none yet.
        """
        return self._links.draw(count, generator, self.device)

    def transitions(self, start: torch.Tensor) -> TransitionBatch:
        """Returns the transitions that begin at `start` [B]; on a GPU nothing waits for the device."""
        return self._reader.transitions(start, self.n_step, self.gamma)

    def windows(self, start: torch.Tensor, length: int) -> WindowBatch:
        """Returns the windows of `length` observations that begin at `start` [B]; on a GPU nothing waits for it."""
        return self._reader.windows(start, length)

    def sample_windows(self, batch_size: int, length: int, generator: torch.Generator) -> WindowBatch:
        """Draws windows of `length` observations, their first ones uniformly among the transitions.

        Raises:
            ValueError: if there is no transition yet, or `length` is less than 1.
        """
        if length < 1:
            raise ValueError(f"a window needs at least one step, got {length}")
        return self.windows(self.draw(batch_size, generator), length)

    def save(self, folder: Path, previous: Path | None = None) -> dict[str, Any]:
        """Writes the slots into `folder`; what `previous` has already is hard-linked.

        Args:
            folder: exists; gets files of its own only.
            previous: where this replay was saved or loaded before.

        Returns:
            What `load` needs, as JSON values: sizes, the ring's state, and name, length and hash of each file.

        Raises:
            UserError: if the disk is full or not writable.
        """
        return {"config": self._config(), **self._files.save(folder, previous)}

    def load(self, folder: Path, meta: dict[str, Any]) -> None:
        """Takes back what `save` wrote; sampling then repeats exactly.

        Raises:
            CorruptFileError: naming a file that is missing, truncated or changed.
            UserError: if it was saved by a replay of other sizes.
        """
        self._files.load(folder, meta, self._config())

    def _config(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity,
            "num_worlds": self.num_worlds,
            "action_dim": self.action_dim,
            "observation": {key: [spec.dtype, *spec.shape] for key, spec in self.observation.items()},
        }
