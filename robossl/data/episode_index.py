"""The list of a dataset's episodes: index.jsonl, one checked line each, and dataset.json, what they have in common.

    <folder>/dataset.json               format version, environment spec, config
             index.jsonl                 one line per episode: shard, first row, length, a checksum per column, names
             shards/<column>/<n>.npy     preallocated rows; an episode of T steps takes T + 1 rows of one shard

Columns are `obs/<key>`, `action`, `reward` and `state`. Action and reward have no value at the last observation: their
last row is zero, so that one row number serves all columns.
"""

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robossl.core import Array, ArraySpec, EnvSpec, UserError
from robossl.core.files import read_json, write_json
from robossl.data.episode import Episode
from robossl.version import VERSION

FORMAT = "robossl-episodes"
FORMAT_VERSION = 1
INDEX_NAME = "index.jsonl"
DATASET_NAME = "dataset.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """Where an episode lies and everything of it that is not in a column.

    Attributes:
        row: its first row in the shard.
        crc32: {column: checksum of its rows}.
        episode_return: sum of its rewards.
        model_values: {field: {dtype, shape, base64}}.
    """

    shard: int
    row: int
    length: int
    crc32: dict[str, int]
    terminated: bool
    truncated: bool
    seed: int
    stream: int
    world: int
    episode: int
    episode_return: float
    info: dict[str, float]
    model_values: dict[str, dict[str, Any]]

    @property
    def end(self) -> int:
        """The row after its last."""
        return self.row + self.length + 1


def shard_path(folder: Path, column: str, shard: int) -> Path:
    """Returns the file of one shard of one column."""
    return folder / "shards" / column / f"{shard:05d}.npy"


def columns_of(episode: Episode) -> dict[str, Array]:
    """Returns the rows [T + 1, ...] that an episode stores in each column."""
    columns = {
        **{f"obs/{key}": np.ascontiguousarray(value) for key, value in episode.obs.items()},
        "action": np.concatenate([episode.action, np.zeros_like(episode.action[:1])]),
        "reward": np.concatenate([episode.reward, np.zeros_like(episode.reward[:1])]),
        "state": np.ascontiguousarray(episode.state),
    }
    return {name: rows for name, rows in columns.items() if rows.size}


def row_specs(spec: EnvSpec) -> dict[str, ArraySpec]:
    """Returns what a row of each column is; not of `state`, whose size only the simulator knows."""
    observations = {f"obs/{key}": array for key, array in spec.observation.items()}
    return {**observations, "action": ArraySpec(shape=spec.action.shape), "reward": ArraySpec(shape=())}


def write_dataset(folder: Path, spec: EnvSpec, config: dict[str, Any]) -> None:
    """Begins a dataset: writes what its episodes have in common."""
    common = {"format": FORMAT, "format_version": FORMAT_VERSION, "created_with": VERSION}
    write_json(folder / DATASET_NAME, {**common, "spec": spec.to_json(), "config": config})


def read_dataset(folder: Path) -> tuple[EnvSpec, dict[str, Any]]:
    """Reads what a dataset's episodes have in common: their environment's spec, and how they were made.

    Raises:
        UserError: if the folder is not a dataset, of a version that this code does not read, or the file was changed.
    """
    path = folder / DATASET_NAME
    if not path.is_file():
        raise UserError(f"{folder} is not a dataset: it has no {DATASET_NAME}")
    common = read_json(path)
    if not isinstance(common, dict) or common.get("format") != FORMAT:
        raise UserError(f"{path} does not describe a dataset of episodes")
    if common.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{folder} has format version {common.get('format_version')}; this robossl reads version {FORMAT_VERSION}"
        )
    config = common.get("config")
    if not isinstance(config, dict):
        raise UserError(f"{path}: key 'config' must be an object, got {config!r}")
    return EnvSpec.from_json(common.get("spec"), file=str(path)), config


def encode_line(entry: IndexEntry) -> bytes:
    """Returns the line of index.jsonl, with its own checksum."""
    fields = asdict(entry)
    return (json.dumps({**fields, "check": _checksum(fields)}, allow_nan=False) + "\n").encode()


def decode_line(line: bytes) -> IndexEntry | None:
    """Reads a line of index.jsonl; None if it is damaged."""
    try:
        fields = json.loads(line)
        check = fields.pop("check")
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


def encode_array(array: Array) -> dict[str, Any]:
    """Returns a small array as JSON values, bit for bit."""
    values = np.asarray(array)
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"dtype": str(values.dtype), "shape": list(values.shape), "base64": data}


def decode_array(fields: dict[str, Any]) -> Array:
    """Returns the array that `encode_array` got."""
    return np.frombuffer(base64.b64decode(fields["base64"]), fields["dtype"]).reshape(fields["shape"])


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
