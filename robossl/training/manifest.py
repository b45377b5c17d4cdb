"""The manifest of a checkpoint: what belongs to it, and the hash of every file."""

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robossl.core.errors import CorruptFileError, UserError
from robossl.core.files import read_json, write_atomic, write_json
from robossl.core.specs import EnvSpec
from robossl.training.tree import refuse_pickle
from robossl.version import VERSION

FORMAT = 1
NAME, DONE = "manifest.json", "done"
FileEntry = dict[str, int | str]

_LIBRARIES = ("torch", "numpy", "stable-baselines3", "mujoco")


def library_versions() -> dict[str, str]:
    """Returns {name: version} of what computes the numbers: bits are promised under equal versions only."""
    versions = {"robossl": VERSION, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def write_manifest(folder: Path, *, step: int, spec: EnvSpec | None, hashed: Mapping[str, FileEntry]) -> None:
    """Writes the manifest of a folder whose files are all there and durable, then the done marker.

    Args:
        folder: the checkpoint, all but complete.
        step: environment steps (or updates) made.
        spec: of the environment that they were made in, where there is one.
        hashed: {name: {"bytes", "sha256"}} of files whose hash is known already.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        files[name] = hashed.get(name) or {"bytes": path.stat().st_size, "sha256": _hash(path)}
    made_in = None if spec is None else spec.to_json()
    versions = library_versions()
    write_json(folder / NAME, {"format": FORMAT, "step": step, "versions": versions, "spec": made_in, "files": files})
    write_atomic(folder / DONE, (_hash(folder / NAME) + "\n").encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads the manifest of a checkpoint.

    Raises:
        UserError: if there is none, it was never completed, or another version of robossl wrote it.
        CorruptFileError: if it is not what was written.
    """
    if not (folder / DONE).is_file():
        raise UserError(f"{folder} is not a complete checkpoint: it has no {DONE!r} marker")
    manifest = read_json(folder / NAME)
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise CorruptFileError(f"{folder / NAME} is not the manifest of a checkpoint")
    if manifest["format"] != FORMAT:
        raise UserError(
            f"{folder} has checkpoint format {manifest['format']}, this version of robossl reads format {FORMAT}"
        )
    if _hash(folder / NAME).encode() != (folder / DONE).read_bytes().strip():
        raise CorruptFileError(f"{folder / NAME} is not what was written: its hash is not that in {folder / DONE}")
    return manifest


def require_resumable(folder: Path, manifest: dict[str, Any]) -> None:
    """Checks that this version of robossl would have gone on from a checkpoint as the one that wrote it.

    Raises:
        UserError: if a version wrote it whose agents and environments may compute something else.
    """
    written = str(manifest["versions"].get("robossl"))
    if _series(written) != _series(VERSION):
        raise UserError(
            f"{folder} was written by robossl {written} and this is {VERSION}: resume it with the former, or begin anew"
        )


def _series(version: str) -> list[str]:
    """Returns the part of a version that must not change for a run to go on: before 1.0 that is 0.x, then x."""
    parts = version.split(".")
    return parts[:2] if parts[0] == "0" else parts[:1]


def verify_file(folder: Path, manifest: dict[str, Any], name: str) -> Path:
    """Checks one file against the manifest and returns its path.

    Raises:
        CorruptFileError: naming the file, if it is absent, truncated, changed or carries a pickle.
    """
    path = folder / name
    entry = manifest["files"].get(name)
    if entry is None:
        raise CorruptFileError(f"{folder} holds no {name}: another command or version wrote this checkpoint")
    refuse_pickle(path)
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise CorruptFileError(f"{path} is truncated or changed: it has {size} of {entry['bytes']} bytes")
    if _hash(path) != entry["sha256"]:
        raise CorruptFileError(f"{path} is not what was written: its content was changed")
    return path


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
