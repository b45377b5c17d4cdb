"""Storage of the replay: named arrays with one row per slot, on one device."""

from collections.abc import Mapping

import numpy as np
import torch

from robossl.core import Array, ArraySpec


class Columns:
    """Holds one tensor [num_rows, *shape] per name. Memory that was never written is not paid for.

    On the CPU rows are gathered by numpy: torch's indexing was measured eight times slower there, and its
    `index_select` stalls when another process holds one of the cores that it counts on.
    """

    def __init__(self, specs: Mapping[str, ArraySpec], num_rows: int, device: torch.device) -> None:
        self.specs, self.device = dict(specs), device
        self._tensors = {
            name: torch.empty((num_rows, *spec.shape), dtype=torch_dtype(spec.dtype), device=device)
            for name, spec in self.specs.items()
        }
        self._views = {name: tensor.numpy() for name, tensor in self._tensors.items()} if device.type == "cpu" else {}

    @property
    def num_bytes(self) -> int:
        """Bytes of all rows, written or not."""
        return sum(tensor.nbytes for tensor in self._tensors.values())

    def take(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        """Returns a copy of the rows [...] of a column, [..., *shape]."""
        if self._views:
            return torch.from_numpy(np.take(self._views[name], rows.numpy(), axis=0))
        tensor = self._tensors[name]
        picked = tensor.index_select(0, rows.flatten().to(tensor.device))
        return picked.view(*rows.shape, *picked.shape[1:])

    def check(self, values: Mapping[str, Array], num_rows: int) -> None:
        """Checks what is about to be `put`, numpy and torch alike.

        Raises:
            ValueError: if a shape differs, or a dtype in kind: colours in float are a mistake upstream.
        """
        for name, array in values.items():
            spec = self.specs[name]
            dtype = array.dtype if isinstance(array, torch.Tensor) else torch_dtype(str(array.dtype))
            if tuple(array.shape) != (num_rows, *spec.shape) or not torch.can_cast(dtype, torch_dtype(spec.dtype)):
                raise ValueError(
                    f"{name!r} must be {spec.dtype}{[num_rows, *spec.shape]}, got {array.dtype}{list(array.shape)}"
                )

    def put(self, rows: torch.Tensor, values: Mapping[str, Array]) -> None:
        """Writes arrays {name: [n, *shape]} into the rows [n]."""
        for name, array in values.items():
            if self._views:
                self._views[name][rows.numpy()] = array.numpy(force=True) if isinstance(array, torch.Tensor) else array
            else:
                tensor = self._tensors[name]
                source = array if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array))
                tensor.index_copy_(0, rows.to(tensor.device), source.to(tensor.device, tensor.dtype))


def torch_dtype(name: str) -> torch.dtype:
    """Returns torch's dtype of the numpy dtype `name`."""
    return torch.from_numpy(np.empty(0, name)).dtype
