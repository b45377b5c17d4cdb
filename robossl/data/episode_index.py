"""The list of a dataset's episodes: index.jsonl, one checked line each, and dataset.json, what they have in common.

    <folder>/dataset.json               format version, environment spec, config, how blocks begin, a checksum
             index.jsonl                 one line per episode: where its parts lie, a checksum of each, names
             packed.bin                  a compressed block per episode: all that is no picture (see `packing`)
             shards/<key>/<n>.npy        rows of pictures; an episode of T steps takes T + 1 rows of one shard

A block holds `state`, `obs/<key>`, `action`, `reward`, and `model/<field>` for the model values of the episode.
"""

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robossl.core import Array, ArraySpec, CorruptFileError, EnvSpec, UserError
from robossl.core.files import read_json, write_json
from robossl.data.episode import Episode
from robossl.data.packing import header
from robossl.version import VERSION

FORMAT = "robossl-episodes"
FORMAT_VERSION = 3
"""That is written."""
_READABLE = (2, 3)
INDEX_NAME = "index.jsonl"
PACKED_NAME = "packed.bin"
DATASET_NAME = "dataset.json"
_CHECK = "check"
_UNCHECKED = {"format", "format_version", "created_with", "spec", "config", "dictionary"}
"""What is in dataset.json beside its checksum, and was when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """Where an episode lies and all of it that is no array.

    Attributes:
        shard: of its pictures; -1 where it has none.
        row: its first row there.
        crc32: {key: checksum of the pictures' rows}.
        block: first byte and size of its block, its checksum, and its size when unpacked.
        episode_return: sum of its rewards.
    """

    shard: int
    row: int
    length: int
    crc32: dict[str, int]
    block: list[int]
    terminated: bool
    truncated: bool
    seed: int
    stream: int
    world: int
    episode: int
    episode_return: float
    info: dict[str, float]

    @property
    def end(self) -> int:
        """The row after its last."""
        return self.row + self.length + 1


def shard_path(folder: Path, key: str, shard: int) -> Path:
    """Returns the file of one shard of one picture."""
    return folder / "shards" / key / f"{shard:05d}.npy"


def pictures_of(episode: Episode) -> dict[str, Array]:
    """Returns the pictures {key: [T + 1, H, W, C]} of an episode."""
    return {key: np.ascontiguousarray(value) for key, value in episode.obs.items() if _is_picture(value)}


def arrays_of(episode: Episode) -> dict[str, Array]:
    """Returns all arrays of an episode that are no pictures."""
    return {
        "state": episode.state,  # the first: observations repeat columns of it
        **{f"obs/{key}": value for key, value in episode.obs.items() if not _is_picture(value)},
        "action": episode.action,
        "reward": episode.reward,
        **{f"model/{field}": np.asarray(value) for field, value in episode.model_values.items()},
    }


def format_version(folder: Path) -> int:
    """Returns the version of a dataset that `read_dataset` has read."""
    version: int = read_json(folder / DATASET_NAME)["format_version"]
    return version


def dictionary_of(folder: Path) -> bytes:
    """Returns the bytes that a dataset's blocks are compressed with; none in format 2.

    Raises:
        UserError: if they are no text.
    """
    text = read_json(folder / DATASET_NAME).get("dictionary", "")
    if not isinstance(text, str):
        raise UserError(f"{folder / DATASET_NAME}: key 'dictionary' must be text, got {text!r}")
    return text.encode()


def picture_specs(spec: EnvSpec) -> dict[str, ArraySpec]:
    """Returns the observations that are pictures."""
    return {key: array for key, array in spec.observation.items() if array.is_image}


def _dictionary(spec: EnvSpec) -> str:
    """Returns how all blocks begin, as far as the spec tells."""
    vectors = {key: array for key, array in spec.observation.items() if not array.is_image}
    arrays = {
        "state": np.zeros((1, 1)),
        **{f"obs/{key}": np.zeros((1, *array.shape), array.dtype) for key, array in vectors.items()},
        "action": np.zeros((1, *spec.action.shape), np.float32),
        "reward": np.zeros(1, np.float32),
    }
    return header(arrays).decode()


def _is_picture(value: Array) -> bool:
    return bool(value.ndim == 4)


def write_dataset(folder: Path, spec: EnvSpec, config: dict[str, Any]) -> None:
    """Begins a dataset: writes what its episodes have in common."""
    common = {"format": FORMAT, "format_version": FORMAT_VERSION, "created_with": VERSION}
    described = {"spec": spec.to_json(), "config": config, "dictionary": _dictionary(spec)}
    fields = json.loads(json.dumps({**common, **described}))  # as they are read: keys are text, tuples are lists
    write_json(folder / DATASET_NAME, {**fields, _CHECK: _checksum(fields)})


def read_dataset(folder: Path) -> tuple[EnvSpec, dict[str, Any]]:
    """Reads what a dataset's episodes have in common: their environment's spec, and how they were made.

    Raises:
        UserError: if the folder is not a dataset, or of a version that this code does not read.
        CorruptFileError: if the file was changed.
    """
    path = folder / DATASET_NAME
    if not path.is_file():
        raise UserError(f"{folder} is not a dataset: it has no {DATASET_NAME}")
    common = read_json(path)
    if not isinstance(common, dict) or common.get("format") != FORMAT:
        raise UserError(f"{path} does not describe a dataset of episodes")
    version = common.get("format_version")
    if version not in _READABLE:
        is_older = isinstance(version, int) and version < FORMAT_VERSION
        advice = "collect it anew" if is_older else "read it with the robossl that wrote it"
        known = " and ".join(map(str, _READABLE))
        raise UserError(f"{folder} has format version {version}; this robossl reads versions {known}: {advice}")
    config = common.get("config")
    if not isinstance(config, dict):
        raise UserError(f"{path}: key 'config' must be an object, got {config!r}")
    spec = EnvSpec.from_json(common.get("spec"), file=str(path))
    _require_unchanged(path, common)
    return spec, config


def require_made_alike(folder: Path, told: dict[str, Any]) -> None:
    """Compares how a dataset's episodes were made with what is told of others; an older one does not tell it all.

    Raises:
        UserError: naming the first difference.
    """
    stored, now = read_dataset(folder)[1], json.loads(json.dumps(told))
    for name in now:
        if name in stored and stored[name] != now[name]:
            raise UserError(f"{folder} was collected with other settings: {_difference(name, stored, now)}")


def encode_line(entry: IndexEntry) -> bytes:
    """Returns the line of index.jsonl, with its own checksum."""
    fields = asdict(entry)
    line = json.dumps({**fields, _CHECK: _checksum(fields)}, allow_nan=False, separators=(",", ":"))
    return f"{line}\n".encode()


def decode_line(line: bytes) -> IndexEntry | None:
    """Reads a line of index.jsonl; None if it is damaged."""
    try:
        fields = json.loads(line)
        check = fields.pop(_CHECK)
        return IndexEntry(**fields) if check == _checksum(fields) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_index(folder: Path) -> tuple[list[IndexEntry | None], int, bool]:
    """Reads index.jsonl.

    Returns:
        The entries, None for a damaged line; the bytes they take; whether an unfinished line follows them.
    """
    path = folder / INDEX_NAME
    content = path.read_bytes() if path.exists() else b""
    lines = content.split(b"\n")
    unfinished = lines.pop()
    return [decode_line(line) for line in lines], len(content) - len(unfinished), bool(unfinished)


def _difference(name: str, stored: Any, now: Any) -> str:
    """Says where two JSON values differ."""
    before, after = stored[name], now[name]
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(set(before) | set(after)):
            if before.get(key) != after.get(key):
                return f"{name}.{key} was {before.get(key)} and is now {after.get(key)}"
    return f"{name} was {before} and is now {after}"


def _require_unchanged(path: Path, common: dict[str, Any]) -> None:
    """Compares what dataset.json tells with its checksum; where it has none, it may only hold what it held before."""
    fields = {name: value for name, value in common.items() if name != _CHECK}
    if _CHECK not in common:
        for name in sorted(set(fields) - _UNCHECKED):  # such as a checksum's name with a wrong letter
            raise CorruptFileError(f"{path}: unknown key {name!r}")
    elif common[_CHECK] != _checksum(fields):
        raise CorruptFileError(f"{path} is not what was written: its checksum differs")


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
