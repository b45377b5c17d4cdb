"""Trees on disk: nested dicts and lists of tensors, arrays and numbers as one safetensors and one JSON file.

    <name>.safetensors   every tensor and array, named by its path in the tree
    <name>.json          the structure; numbers, strings and None stand in it exactly; "$tensor", "$array" and
                         "$scalar" (numpy's) point into the other file; "$tuple", "$items" (a dict whose keys are not
                         plain strings) and "$float" (nan, inf) hold what JSON has no word for

Nothing in either file can execute. A file that carries a pickle is refused by its first bytes.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from robossl.core.errors import CorruptFileError
from robossl.core.files import write_atomic
from robossl.core.protocols import Tree

_PICKLE = re.compile(rb"PK\x03\x04|\x80[\x02-\x05]|\x93NUMPY(?s:.{0,200})'descr': ?(?:'\|?O|\[.*'\|?O)")
_SAFETENSORS = re.compile(rb"(?s).{4}\x00{4}\{")  # a header's length, which may begin like a pickle, then the header


def save_tree(folder: Path, name: str, tree: Tree) -> None:
    """Writes `tree` as `<name>.safetensors` and `<name>.json` into `folder`.

    Tensors come back on the CPU. Two places of the tree that share one tensor store it once.

    Raises:
        TypeError: naming the place in the tree that holds something that cannot be stored.
        UserError: if the disk is full or not writable.
    """
    encoder = _Encoder()
    structure = encoder.encode(tree, name)
    write_atomic(folder / f"{name}.safetensors", save_tensors(encoder.tensors))
    write_atomic(folder / f"{name}.json", (json.dumps(structure, indent=1, allow_nan=False) + "\n").encode())


def load_tree(folder: Path, name: str) -> Tree:
    """Reads what `save_tree` wrote; every tensor and array of the result owns its memory.

    Raises:
        CorruptFileError: if a file is missing, not what was written, or carries a pickle.
    """
    tensors_path, structure_path = folder / f"{name}.safetensors", folder / f"{name}.json"
    try:
        tensors = load_tensors(_read(tensors_path))
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptFileError(f"{tensors_path} is not a safetensors file: truncated or changed") from error
    try:
        return _decode(json.loads(_read(structure_path).decode()), tensors)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{structure_path} does not describe a tree: truncated or changed") from error


def refuse_pickle(path: Path) -> None:
    """Checks by its first bytes that a file is no pickle, no zip of pickles and no array of Python objects.

    Raises:
        CorruptFileError: if it is one of them, and nothing in it was executed; or if it is missing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(256)
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path} is missing") from error
    if _PICKLE.match(head) and not _SAFETENSORS.match(head):
        raise CorruptFileError(f"{path} carries a pickle, which could execute code: refused and not read")


class _Encoder:
    """Turns a tree into JSON values, and gathers its tensors on the way."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._storages: set[int] = set()
        self._alive: list[torch.Tensor] = []  # an address identifies a tensor only as long as that lives

    def encode(self, node: Tree, path: str) -> Any:
        """Returns the JSON value of `node`, which stands at `path`."""
        if node is None or isinstance(node, (bool, str)) or type(node) is int:
            return node
        if type(node) is float:
            return node if math.isfinite(node) else {"$float": repr(node)}
        if isinstance(node, torch.Tensor):
            return {"$tensor": self._store(node, path)}
        if isinstance(node, (np.ndarray, np.generic)):
            tag = "$array" if isinstance(node, np.ndarray) else "$scalar"
            return {tag: self._store(_as_tensor(node, path), path)}
        if isinstance(node, list):
            return [self.encode(item, f"{path}.{i}") for i, item in enumerate(node)]
        if isinstance(node, tuple):
            return {"$tuple": [self.encode(item, f"{path}.{i}") for i, item in enumerate(node)]}
        if isinstance(node, dict):
            return self._encode_dict(node, path)
        raise TypeError(f"{path} is a {type(node).__name__}, which a checkpoint cannot hold")

    def _encode_dict(self, node: dict[Any, Any], path: str) -> Any:
        if all(isinstance(key, str) and not key.startswith("$") for key in node):
            return {key: self.encode(value, f"{path}.{key}") for key, value in node.items()}
        for key in node:
            if not isinstance(key, (str, int)):
                raise TypeError(f"{path} has the key {key!r}, which is neither text nor an integer")
        return {"$items": [[key, self.encode(value, f"{path}.{key}")] for key, value in node.items()]}

    def _store(self, tensor: torch.Tensor, path: str) -> str:
        tensor = tensor.detach()
        identity = (tensor.data_ptr(), tensor.device, tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))
        if tensor.numel() and identity in self._names:
            return self._names[identity]
        self._alive.append(tensor)
        stored = tensor.cpu().contiguous()
        storage = stored.untyped_storage().data_ptr()
        if storage in self._storages:  # safetensors takes no overlapping views
            stored = stored.clone()
        self._storages.add(storage)
        self.tensors[path] = stored
        self._names[identity] = path
        return path


def _as_tensor(array: Any, path: str) -> torch.Tensor:
    values = np.array(array)
    try:
        return torch.from_numpy(values)
    except TypeError as error:
        raise TypeError(f"{path} is an array of {values.dtype}, which a checkpoint cannot hold") from error


def _decode(value: Any, tensors: dict[str, torch.Tensor]) -> Tree:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "$tensor":
            return tensors[content].clone()
        if tag == "$array":
            return tensors[content].clone().numpy()
        if tag == "$scalar":
            return tensors[content].numpy()[()]
        if tag == "$float":
            return float(content)
        if tag == "$tuple":
            return tuple(_decode(item, tensors) for item in content)
        if tag == "$items":
            return {key: _decode(item, tensors) for key, item in content}
    return {key: _decode(item, tensors) for key, item in value.items()}


def _read(path: Path) -> bytes:
    refuse_pickle(path)
    return path.read_bytes()
