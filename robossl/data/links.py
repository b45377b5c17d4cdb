"""Which slots follow each other: the order of the replay's ring and the chains of its episodes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from robossl.core import ArraySpec
from robossl.data.columns import Columns

LINK_SPECS = {"prev": ArraySpec(shape=(), dtype="int64"), "next": ArraySpec(shape=(), dtype="int64")}
NO_EPISODE = -1


class EpisodeLinks:
    """Numbers the slots of a ring and links those of one episode in both directions.

    A slot's serial counts all slots ever written; slot s lies in row s % capacity. `prev` and `next` hold serials. An
    episode's first slot is its own `prev`, so that stacks pad with the first frame; its last slot is its own `next`,
    so that walks stay there. A running world's `next` is known before it is written: the call to come puts world w
    at head + w. Until then it is >= head, which tells that the slot has no successor yet.

    Once the ring has wrapped, its oldest slots serve only as the past of younger ones: `first` is the oldest serial
    whose whole stack is surely there (within one episode neighbours are less than 2 * num_worlds slots apart).

    Attributes:
        num_actions: slots from `first` on that hold an action, complete or not.
    """

    def __init__(self, columns: Columns, capacity: int, num_worlds: int, frame_stack: int) -> None:
        self.capacity = capacity
        self.num_worlds = num_worlds
        self._columns = columns
        self._context = (frame_stack - 1) * 2 * num_worlds
        if capacity < self._context + 4 * num_worlds:
            raise ValueError(
                f"a capacity of {capacity} slots is too small for {num_worlds} worlds with stacks of {frame_stack}: "
                f"at least {self._context + 4 * num_worlds}"
            )
        self._head = torch.zeros((), dtype=torch.int64, device=columns.device)
        self.head = 0
        self.num_actions = 0
        self._last = np.full(num_worlds, NO_EPISODE, np.int64)

    @property
    def head(self) -> int:
        """The serial that comes next."""
        return self._next

    @head.setter
    def head(self, serial: int) -> None:
        self._next = serial
        self._head.fill_(serial)

    @property
    def oldest(self) -> int:
        """The oldest serial that is still stored."""
        return max(0, self.head - self.capacity)

    @property
    def first(self) -> int:
        """The oldest serial that may be sampled."""
        return self._first_at(self.head)

    @property
    def num_running(self) -> int:
        """Worlds whose newest slot waits for its successor."""
        return int(np.count_nonzero(self._last != NO_EPISODE))

    @property
    def num_transitions(self) -> int:
        """Slots that may be sampled: those with an action and a successor."""
        return self.num_actions - self.num_running

    @property
    def num_settled(self) -> int:
        """All serials below this will never change again."""
        return max(0, self.head - 2 * self.num_worlds)

    def append_step(self, final_ids: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Adds one slot per world and one per world that ended.

        Args:
            final_ids: [K].

        Returns:
            The serials [N] of the worlds' slots and [K] of the last observations.
        """
        num_worlds, num_final = self.num_worlds, len(final_ids)
        serial = self.head + np.arange(num_worlds)
        final = self.head + num_worlds + np.arange(num_final)
        head = self.head + num_worlds + num_final
        following = head + np.arange(num_worlds)
        following[final_ids] = final
        self._write(
            np.concatenate([serial, final]),
            prev=np.concatenate([np.where(self._last != NO_EPISODE, self._last, serial), serial[final_ids]]),
            following=np.concatenate([following, final]),
        )
        self._last = serial.copy()
        self._last[final_ids] = NO_EPISODE
        return torch.from_numpy(serial), torch.from_numpy(final)

    def append_episode(self, length: int) -> torch.Tensor:
        """Adds a whole episode of `length` actions and returns the serials [length + 1] of its observations.

        Raises:
            ValueError: if episodes are running, whose next slots are already numbered.
        """
        if self.num_running:
            raise ValueError("whole episodes can be added only while no world is running")
        if length >= self.capacity:
            raise ValueError(f"an episode of {length} steps does not fit into {self.capacity} slots")
        serial = self.head + np.arange(length + 1)
        self._write(serial, prev=np.maximum(serial - 1, self.head), following=np.minimum(serial + 1, serial[-1]))
        return torch.from_numpy(serial)

    def end_episodes(self) -> None:
        """Ends the running episodes where they are: their newest slots become last observations."""
        serial = self._last[self._last != NO_EPISODE]
        self._columns.put(self.rows(torch.from_numpy(serial)), {"next": serial})
        self.num_actions -= len(serial)
        self._last[:] = NO_EPISODE

    def rows(self, serial: torch.Tensor) -> torch.Tensor:
        """Returns the rows [...] of slots [...]."""
        return serial % self.capacity

    def draw(self, count: int, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Draws serials [count] int64, uniformly among those that may be sampled, with replacement.

        Raises:
            ValueError: if there are none.
        """
        if self.num_transitions < 1:
            raise ValueError("the replay holds no complete transition yet")
        serial = self._draw_any(count, generator, device)
        while True:
            rejected = (self.after(serial) == serial).nonzero().flatten()
            if len(rejected) == 0:
                return serial
            serial[rejected] = self._draw_any(len(rejected), generator, device)

    def after(self, serial: torch.Tensor) -> torch.Tensor:
        """Returns the successors [...] of slots [...]: the slot itself where there is none."""
        following = self._columns.take("next", self.rows(serial))
        return torch.where(following < self._head, following, serial)

    def walk(self, serial: torch.Tensor, num_steps: int) -> torch.Tensor:
        """Returns the slots [..., num_steps + 1] from `serial` on; at an episode's end the last one repeats."""
        path = [serial]
        for _ in range(num_steps):
            path.append(self.after(path[-1]))
        return torch.stack(path, dim=-1)

    def stack(self, serial: torch.Tensor, num_frames: int) -> torch.Tensor:
        """Returns the slots [..., num_frames] that end at `serial`, oldest first, padded with the episode's first."""
        path = [serial]
        for _ in range(num_frames - 1):
            path.append(self._columns.take("prev", self.rows(path[-1])))
        return torch.stack(path[::-1], dim=-1)

    def longest_episode(self) -> int:
        """Returns how many steps of one episode follow each other at the most, from `first` on."""
        serial = torch.arange(self.first, self.head, device=self._columns.device)
        before = self._columns.take("prev", self.rows(serial))
        serial = serial[(before == serial) | (before < self.first)]
        num_steps = -1
        while len(serial):
            after, num_steps = self.after(serial), num_steps + 1
            serial = after[after != serial]
        return max(num_steps, 0)

    def get_state(self) -> dict[str, int | list[int]]:
        """Returns what is not in the slots."""
        return {"head": self.head, "last": self._last.tolist()}

    def set_state(self, head: int, last: Sequence[int]) -> None:
        """Continues a ring whose slots have been written back."""
        self.head = head
        self._last = np.array(last, np.int64)
        self.num_actions = self._count_actions(self.first, head)

    def _write(self, serial: NDArray[np.int64], *, prev: NDArray[np.int64], following: NDArray[np.int64]) -> None:
        head = self.head + len(serial)
        self.num_actions -= self._count_actions(self.first, min(self._first_at(head), self.head))
        self._columns.put(self.rows(torch.from_numpy(serial)), {"prev": prev, "next": following})
        self.head = head
        self.num_actions += self._count_actions(max(self.first, int(serial[0])), head)

    def _count_actions(self, start: int, stop: int) -> int:
        serial = torch.arange(start, stop)
        following = self._columns.take("next", self.rows(serial)).cpu()
        return int((following != serial).sum())

    def _first_at(self, head: int) -> int:
        return head - self.capacity + self._context if head > self.capacity else 0

    def _draw_any(self, count: int, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        return torch.randint(self.first, self.head, (count,), generator=generator, device=generator.device).to(device)
