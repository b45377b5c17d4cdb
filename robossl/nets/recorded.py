"""Updates recorded once and repeated: small networks otherwise keep a GPU waiting for Python to launch kernels."""

import dataclasses
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from robossl.core.undisturbed import undisturbed

_WARM_UP = 3  # runs of an update before it is recorded: libraries prepare themselves in the first ones
_KEPT = 8  # recordings; each holds the memory of a batch and of all that is computed from it

BatchT = TypeVar("BatchT")
Work = Callable[..., dict[str, Tensor]]


class Recorded:
    """Runs updates; on a GPU, from the fourth time on, as one CUDA graph, which repeats the very same kernels.

    What an update does must follow from its arguments, from tensors that are changed in place and from `generators`; it
    must not wait for the device, and its shapes must not depend on values. Its Python runs no more once it is recorded:
    a number that it read then, such as a weight of the loss, stays.

    Args:
        device: elsewhere than on a GPU updates just run.
        generators: all that updates draw from.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._device, self._generators = device, tuple(generators)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._runs: dict[Hashable, int] = {}
        self._graphs: OrderedDict[Hashable, tuple[torch.cuda.CUDAGraph, Any, dict[str, Tensor]]] = OrderedDict()

    def __call__(self, work: Work, batch: BatchT, *variant: Hashable) -> dict[str, Tensor]:
        """Returns what `work(batch, *variant)` does; the next call overwrites it.

        Args:
            work: the update, always the same one.
            batch: a tensor, or a dataclass of tensors, None, dicts of tensors, and numbers that never change.
            variant: whatever else decides what it does; each is recorded for itself.
        """
        if self._stream is None:
            return work(batch, *variant)
        key = (*variant, tuple(tuple(tensor.shape) for tensor in _tensors(batch)))
        if key in self._graphs:
            self._graphs.move_to_end(key)
        else:
            self._runs[key] = self._runs.get(key, 0) + 1
            if self._runs[key] <= _WARM_UP:
                return self._run_aside(self._stream, partial(work, batch, *variant))
            self._record(self._stream, key, work, batch, *variant)
        graph, own, result = self._graphs[key]
        for mine, given in zip(_tensors(own), _tensors(batch), strict=True):
            mine.copy_(given)
        graph.replay()
        return result

    def forget(self) -> None:
        """Drops all recordings: tensors that they know were replaced."""
        self._graphs.clear()
        self._runs.clear()

    def _run_aside(self, stream: torch.cuda.Stream, update: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Runs an update in a stream of its own, as CUDA asks of what will be recorded."""
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True")  # it soon will be of use
            result = update()
        torch.cuda.synchronize(self._device)
        return result

    def _record(self, stream: torch.cuda.Stream, key: Hashable, work: Work, batch: BatchT, *variant: Hashable) -> None:
        while len(self._graphs) >= _KEPT:
            del self._graphs[next(iter(self._graphs))]
        own = _copied(batch)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with (
            undisturbed(),
            torch.cuda.device(self._device),
            torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
        ):
            result = work(own, *variant)
        self._graphs[key] = graph, own, {name: value.detach() for name, value in result.items()}


def generators_of(agent: Any) -> list[torch.Generator]:
    """Returns what an agent's updates draw from: its own generator, and that of its objectives where it has some."""
    return [agent.generator] if agent.learner is None else [agent.generator, agent.learner.generator]


def _tensors(batch: Any) -> list[Tensor]:
    """Returns the tensors of a batch, always in the same order."""
    if batch is None or isinstance(batch, int):
        return []
    if isinstance(batch, Tensor):
        return [batch]
    parts = batch.values() if isinstance(batch, dict) else (getattr(batch, f.name) for f in dataclasses.fields(batch))
    return [tensor for part in parts for tensor in _tensors(part)]


def _copied(batch: Any) -> Any:
    if batch is None or isinstance(batch, int):
        return batch
    if isinstance(batch, Tensor):
        return batch.clone()
    if isinstance(batch, dict):
        return {key: _copied(value) for key, value in batch.items()}
    return dataclasses.replace(batch, **{f.name: _copied(getattr(batch, f.name)) for f in dataclasses.fields(batch)})
