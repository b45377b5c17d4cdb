"""What a task does at every step, recorded and repeated: a GPU does it faster than Python can tell it to."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray

from robossl.core import Array, Obs
from robossl.envs.delayed_engine import undelayed
from robossl.envs.engine import Engine
from robossl.envs.task import Memory, Outcome, Task

_WARM_UP = 2  # runs before a recording: libraries prepare themselves, and whoever reads host memory is found out

Recorder = Callable[[Callable[[], Any]], tuple[Callable[[], object], Any]]
"""Takes work; returns what repeats it, and where its results are then found. The work itself may not have been done."""


class RecordedTask:
    """See `Task`: another one whose spec says that it `is_recordable`.

    `control`, `outcome` and `observe` are run twice and then recorded: what is repeated are the same operations on the
    same memory, the engine's and the task's, and on copies of what is given. A function that turns out to look at more,
    as at sizes that differ between worlds and lie on the host, is run as it is.

    Args:
        task: the other.
        engine: of its worlds: a `WarpEngine`, which may be delayed.
        record: records; as a CUDA graph where None.
    """

    def __init__(self, task: Task, engine: Engine, record: Recorder | None = None) -> None:
        self._task, self._worlds = task, undelayed(engine)
        self._record = record or partial(_graph, engine.device)
        self._parts: dict[str, _Part] = {}

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """See `Task.control`; the next call overwrites what it returns."""
        return self._repeat(self._task.control, engine, memory, action)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`; the next call overwrites what it returns."""
        outcome: Outcome = self._repeat(self._task.outcome, engine, memory, action, recorded)
        return outcome

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`; the next call overwrites what it returns."""
        seen: Obs = self._repeat(self._task.observe, engine, memory)
        return seen

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other task's."""
        return getattr(self._task, name)

    def _repeat(self, work: Callable[..., Any], engine: Engine, memory: Memory, *given: Any) -> Any:
        part = self._parts.setdefault(work.__name__, _Part())
        if part.num_runs < _WARM_UP or part.look.sees_host(engine):
            part.num_runs += 1
            kept = dict(memory)
            part.look.engine = engine
            result = work(part.look, *given, memory)
            part.look.is_wide |= any(memory[name] is not kept[name] for name in kept)
            return result
        for name in part.look.fields:
            self._worlds.view(name)  # makes it current: a recording knows only where it lies
        if part.repeat is None:
            part.given = tuple(_copied(one) for one in given)
            part.repeat, part.result = self._record(partial(work, engine, *part.given, memory))
        for own, its in zip(_tensors(part.given), _tensors(given), strict=True):
            own.copy_(its)
        part.repeat()
        return part.result


class _Part:
    """One of the functions.

    Attributes:
        num_runs: before it was recorded.
        look: what it sees meanwhile.
        repeat: does again what was recorded; None until then.
        given: tensors that are then looked at.
        result: where its results are then found.
    """

    def __init__(self) -> None:
        self.num_runs, self.look = 0, _Look()
        self.repeat: Callable[[], object] | None = None
        self.given: tuple[Any, ...] = ()
        self.result: Any = None


class _Look:
    """What a function of a task sees of an engine; takes note of whether all of that stays in its place.

    Attributes:
        engine: that is seen.
        fields: that were read.
        is_wide: whether something was asked for that is not known to.
    """

    def __init__(self) -> None:
        self.engine: Any = None
        self.fields: set[str] = set()
        self.is_wide = False
        self._asked: set[str] = set()

    def sees_host(self, engine: Engine) -> bool:
        """Tells whether it would be wrong to repeat the function."""
        return self.is_wide or any(engine.own_values(field) is not None for field in self._asked)

    def view(self, name: str) -> Array:
        """See `Engine.view`."""
        self.fields.add(name)
        return self.engine.view(name)

    def read(self, name: str, ids: NDArray[Any] | None = None) -> Array:
        """See `Engine.read`."""
        self.fields.add(name)
        self.is_wide |= ids is not None
        return self.engine.read(name, ids)

    def own_values(self, field: str) -> NDArray[Any] | None:
        """See `Engine.own_values`: they lie on the host."""
        self._asked.add(field)
        values: NDArray[Any] | None = self.engine.own_values(field)
        return values

    def __getattr__(self, name: str) -> Any:
        """What never changes; anything else is not known to stay."""
        self.is_wide |= name not in ("xp", "device", "model", "num_worlds", "contact_slack_m")
        return getattr(self.engine, name)


def _graph(device: torch.device, work: Callable[[], Any]) -> tuple[Callable[[], object], Any]:
    """Records work as a CUDA graph, without doing it."""
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own for this stays on one device
    with torch.cuda.device(device), torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        result = work()
    return graph.replay, result


def _tensors(given: Any) -> Iterator[torch.Tensor]:
    for one in given.values() if isinstance(given, dict) else given:
        if isinstance(one, torch.Tensor):
            yield one
        else:
            yield from _tensors(one)


def _copied(given: Any) -> Any:
    return {name: one.clone() for name, one in given.items()} if isinstance(given, dict) else given.clone()
