"""What a task does at every step, recorded and repeated: a GPU does it faster than Python can tell it to."""

import functools
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray

from robossl.core import Array, Obs, UserError
from robossl.core.undisturbed import undisturbed
from robossl.envs.delayed_engine import undelayed
from robossl.envs.engine import Engine
from robossl.envs.task import Memory, Outcome, Task

_WARM_UP = 2  # runs before a recording, in which libraries prepare themselves

Recorder = Callable[[Callable[[], Any]], tuple[Callable[[], object], Any]]
"""Takes work; returns what repeats it, and where its results are then found. The work itself may not have been done."""


class RecordedTask:
    """See `Task`: another one whose spec says that it `is_recordable`.

    `control`, `outcome` and `observe` are run twice and then recorded: what is repeated are the same operations on the
    same memory, the engine's and the task's, and on copies of what is given. A function that asks the engine for more
    than fields of all worlds, as for sizes that differ between worlds and lie on the host, is run as it is.

    Args:
        task: the other.
        engine: of its worlds: a `WarpEngine`, which may be delayed.
        record: records; as a CUDA graph where None.

    Raises:
        UserError: when a function comes to be recorded that cannot be.
    """

    def __init__(self, task: Task, engine: Engine, record: Recorder | None = None) -> None:
        self._task, self._worlds = task, undelayed(engine)
        self._record = record or partial(_graph, engine.device)
        self._parts = {name: _Part() for name in ("control", "outcome", "observe")}
        self._is_fixed = True  # no function has changed what it was given, or replaced a memory

    def control(self, engine: Engine, action: Array, memory: Memory) -> Array:
        """See `Task.control`; the next call overwrites what it returns."""
        return self._repeat("control", self._task.control, engine, memory, action)

    def outcome(self, engine: Engine, action: Array, recorded: dict[str, Array], memory: Memory) -> Outcome:
        """See `Task.outcome`; the next call overwrites what it returns."""
        outcome: Outcome = self._repeat("outcome", self._task.outcome, engine, memory, action, recorded)
        return outcome

    def observe(self, engine: Engine, memory: Memory) -> Obs:
        """See `Task.observe`; the next call overwrites what it returns."""
        seen: Obs = self._repeat("observe", self._task.observe, engine, memory)
        return seen

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other task's."""
        return getattr(self._task, name)

    @torch.inference_mode(False)  # what it keeps serves outside of that, too; this also turns gradients on
    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _repeat(self, name: str, work: Callable[..., Any], engine: Engine, memory: Memory, *given: Any) -> Any:
        part = self._parts[name]
        if part.num_runs < _WARM_UP or not self._is_fixed or part.look.sees_host(engine):
            part.num_runs += 1
            return self._run(part, work, engine, memory, *given)
        for field in part.look.fields:
            self._worlds.view(field)  # makes it current: a recording knows only where it lies
        if part.repeat is None:
            part.given, part.engine, part.memory = tuple(_copied(one) for one in given), engine, memory
            part.repeat, part.result = self._recorded(name, partial(work, engine, *part.given, memory))
        assert (part.engine, part.memory) == (engine, memory)
        for own, its in zip(_tensors(part.given), _tensors(given), strict=True):
            own.copy_(its)
        part.repeat()
        return part.result

    def _run(self, part: "_Part", work: Callable[..., Any], engine: Engine, memory: Memory, *given: Any) -> Any:
        """Runs a function as it is, and looks what it does."""
        kept, versions = dict(memory), _versions(given)
        part.look.engine = engine
        result = work(part.look, *given, memory)
        self._is_fixed &= versions == _versions(given)
        self._is_fixed &= all(memory[key] is kept[key] for key in kept)
        return result

    def _recorded(self, name: str, work: Callable[[], Any]) -> tuple[Callable[[], object], Any]:
        before = sys.exc_info()[1]
        try:
            return self._record(work)
        except RuntimeError as error:
            raise UserError(
                f"the task's {name} cannot be recorded on a GPU, though its spec says is_recordable: it waits for "
                f"values, or brings some from the host ({_first_cause(error, before)}); begin anew, without that"
            ) from error


def _first_cause(error: BaseException, before: BaseException | None) -> str:
    """Returns the first line of what went wrong first since `before`: a recording that breaks off complains as well."""
    while error.__context__ is not None and error.__context__ is not before:
        error = error.__context__
    return str(error).partition("\n")[0]


class _Part:
    """One of the functions.

    Attributes:
        num_runs: before it was recorded.
        look: what it sees meanwhile.
        repeat: does again what was recorded; None until then.
        engine, memory: that it was recorded with.
        given: tensors that are then looked at.
        result: where its results are then found.
    """

    def __init__(self) -> None:
        self.num_runs, self.look = 0, _Look()
        self.repeat: Callable[[], object] | None = None
        self.engine: Any = None
        self.memory: Any = None
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
    with (
        undisturbed(),
        torch.cuda.device(device),
        torch.cuda.stream(torch.cuda.current_stream(device)),  # comes back where this fails
        torch.cuda.graph(graph, stream=_stream(device), capture_error_mode="thread_local"),
    ):
        result = work()
    return graph.replay, result


@functools.cache
def _stream(device: torch.device) -> Any:
    """Returns what recordings of a device are made in: torch's own stream for this stays on one device."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _tensors(given: Any) -> Iterator[torch.Tensor]:
    for one in given.values() if isinstance(given, dict) else given:
        if isinstance(one, torch.Tensor):
            yield one
        else:
            yield from _tensors(one)


def _versions(given: Any) -> list[int]:
    """Returns numbers that grow with every change; torch forbids changes of tensors that its inference mode made."""
    return [one._version for one in _tensors(given) if not one.is_inference()]


def _copied(given: Any) -> Any:
    return {name: one.clone() for name, one in given.items()} if isinstance(given, dict) else given.clone()
