"""Checkpoints: everything that a run needs to continue as if it had never stopped.

Written under a temporary name, synced, renamed; a crash or a full disk at any moment leaves the older ones as they
were. Nothing that is loaded can execute: trees are safetensors and JSON (see `tree`), replay is plain arrays.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from robossl.core.errors import CorruptFileError, UserError
from robossl.core.files import read_json, sync_folder, write_json
from robossl.core.protocols import Tree
from robossl.core.specs import EnvSpec, require_same_control, require_same_observation
from robossl.training.manifest import (
    DONE,
    FileEntry,
    read_manifest,
    require_resumable,
    verify_file,
    write_manifest,
)
from robossl.training.manifest import NAME as MANIFEST
from robossl.training.tree import load_tree, refuse_pickle, save_tree

LAST, BEST = "last", "best"
_REPLAY = "replay"


class SavesReplay(Protocol):
    """A replay memory, stored as files of its own; those that cannot change any more are hard-linked between saves."""

    def save(self, folder: Path, previous: Path | None) -> dict[str, Any]:
        """Writes into `folder`, links from `previous` what it saved there, and returns what `load` needs.

        Among it `files`: name, bytes and sha256 of every file. They are durable when this returns.
        """

    def load(self, folder: Path, meta: dict[str, Any]) -> None:
        """Reads what `save` wrote, every file checked against its hash."""


class Checkpoints:
    """Writes the checkpoints of one run.

        checkpoints/
          000020480/
            manifest.json         format, step, versions, the environment's spec, size and SHA-256 of every file
            <tree>.safetensors    tensors of one tree ("agent", "env", "training")
            <tree>.json           its structure and numbers
            replay.json, replay/  immutable shards, hard-linked from the checkpoint before
            done                  the manifest's SHA-256: written last
          last -> 000020480       where `resume` continues
          best -> 000010240       the best evaluation
          .000030720.tmp/         being written, or left by a crash: ignored and cleared

    Args:
        folder: the run's `checkpoints`.
        keep: how many of the newest to keep, beside those that `last` and `best` point to.
        resumed: the checkpoint that this run continues from, where it does.
        spec: of the environment that is trained in, where there is one.
    """

    def __init__(self, folder: Path, *, keep: int, resumed: Path | None = None, spec: EnvSpec | None = None) -> None:
        if keep < 1:
            raise ValueError(f"at least one checkpoint is kept, got {keep}")
        self.folder, self.keep, self._spec = folder, keep, spec
        self._current = self._resumed = resumed

    def go_on(self) -> None:
        """Points `last` at the checkpoint that is resumed from: the logs are cut to it, so it is where the run is.

        Raises:
            UserError: if that cannot be written.
        """
        resumed = self._resumed
        if resumed is None or resumed.name not in self._names():
            return
        try:
            self._point(LAST, resumed)
        except OSError as error:
            raise UserError(f"cannot write {self.folder / LAST}: {error.strerror or error}") from error

    def save(
        self,
        step: int,
        trees: Mapping[str, Tree],
        *,
        replay: SavesReplay | None = None,
        best: bool = False,
        anew: bool = False,
    ) -> Path:
        """Writes the checkpoint of `step` and points `last` at it, and `best` where asked.

        Saving the step that was just saved or resumed from writes nothing again, unless `anew`.

        Raises:
            UserError: if the disk is full or not writable; what was there before is intact.
        """
        final = self.folder / _folder_name(step)
        try:
            if anew or self._current is None or self._current.resolve() != final.resolve():
                self._write(final, step, trees, replay)
                self._current = final
            if best:
                self._point(BEST, final)
            self._point(LAST, final)
            self._abandon_future(final, is_best=best)
        except OSError as error:
            raise UserError(f"cannot write checkpoint {final}: {error.strerror or error}") from error
        self._rotate()
        return final

    def _write(self, final: Path, step: int, trees: Mapping[str, Tree], replay: SavesReplay | None) -> None:
        temporary = self._hidden(final, "tmp")
        try:
            temporary.mkdir(parents=True)
            for name, tree in trees.items():
                save_tree(temporary, name, tree)
            hashed = self._save_replay(temporary, replay) if replay is not None else {}
            write_manifest(temporary, step=step, spec=self._spec, hashed=hashed)
            if final.exists():  # of a future that was abandoned by resuming from an earlier one, or written anew
                final.rename(self._hidden(final, "old"))
            temporary.rename(final)
        finally:
            _put_back(self.folder)  # what the new one could not take the place of
            for suffix in ("tmp", "old"):
                shutil.rmtree(self.folder / f".{final.name}.{suffix}", ignore_errors=True)
        sync_folder(self.folder)

    def _save_replay(self, temporary: Path, replay: SavesReplay) -> dict[str, FileEntry]:
        folder = temporary / _REPLAY
        folder.mkdir()
        previous = self._current / _REPLAY if self._current is not None else None
        meta = replay.save(folder, previous if previous is not None and previous.is_dir() else None)
        write_json(temporary / f"{_REPLAY}.json", meta)
        return {
            f"{_REPLAY}/{file['name']}": {"bytes": file["bytes"], "sha256": file["sha256"]} for file in meta["files"]
        }

    def _hidden(self, final: Path, suffix: str) -> Path:
        path = self.folder / f".{final.name}.{suffix}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    def _point(self, name: str, target: Path) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target.name)
        pointer = self.folder / name
        if pointer.is_dir() and not pointer.is_symlink():  # the run was copied by what follows links, such as scp
            self._drop(pointer)
        temporary.replace(pointer)
        sync_folder(self.folder)

    def _abandon_future(self, final: Path, *, is_best: bool) -> None:
        """Drops what came after the checkpoint that was resumed from, once the run has gone on from there to `final`.

        The best evaluation so far is that checkpoint's then, if it was one of a future that is no longer the run's.
        """
        resumed = self._resumed
        if resumed is None or resumed.name == final.name:
            return
        self._resumed = None
        names = self._names()
        future = names[names.index(resumed.name) + 1 :] if resumed.name in names else []  # none of it from elsewhere
        best = self.folder / BEST
        if not is_best and best.is_symlink() and best.resolve().name in future:
            self._point(BEST, resumed)
        for name in future:
            if name != final.name:
                self._drop(self.folder / name)

    def _drop(self, path: Path) -> None:
        """Removes a checkpoint, which is there as a whole until it is hidden: a crash leaves no half of one."""
        with suppress(OSError):
            shutil.rmtree(path.rename(self._hidden(path, "old")), ignore_errors=True)

    def _names(self) -> list[str]:
        return [path.name for path in complete_checkpoints(self.folder)]

    def _rotate(self) -> None:
        pointed = {(self.folder / name).resolve() for name in (LAST, BEST)}
        for path in complete_checkpoints(self.folder)[: -self.keep]:
            if path.resolve() not in pointed:
                self._drop(path)
        for leftover in (*self.folder.glob(".*.tmp"), *self.folder.glob(".*.old")):
            shutil.rmtree(leftover, ignore_errors=True)


class Checkpoint:
    """Reads one checkpoint; every file is checked against its hash before it is used.

    Raises:
        UserError: if it is incomplete or of another format.
        CorruptFileError: naming the damaged file, and the checkpoint before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._manifest = self._checked(lambda: read_manifest(self.path))
        self.step: int = self._manifest["step"]
        self.versions: dict[str, str] = self._manifest["versions"]

    def require_resumable(self) -> None:
        """Checks that this version of robossl may go on from it.

        Raises:
            UserError: if an incompatible version wrote it.
        """
        require_resumable(self.path, self._manifest)

    def require_spec(self, spec: EnvSpec) -> None:
        """Checks that an environment shows and does what the checkpoint's agent was trained on.

        Raises:
            UserError: naming what differs.
        """
        if self._manifest.get("spec") is None:
            return
        trained = EnvSpec.from_json(self._manifest["spec"], file=str(self.path / MANIFEST))
        require_same_observation(trained, spec, where=str(self.path))
        require_same_control(trained, spec, where=str(self.path))

    def tree(self, name: str) -> Tree:
        """Returns the tree saved as `name`."""
        return self._checked(lambda: self._read_tree(name))

    def load_replay(self, replay: SavesReplay) -> None:
        """Fills `replay` with what was saved."""
        self._checked(lambda: self._load_replay(replay))

    def _read_tree(self, name: str) -> Tree:
        for suffix in ("safetensors", "json"):
            verify_file(self.path, self._manifest, f"{name}.{suffix}")
        return load_tree(self.path, name)

    def _load_replay(self, replay: SavesReplay) -> None:
        meta = read_json(verify_file(self.path, self._manifest, f"{_REPLAY}.json"))
        for file in meta["files"]:
            refuse_pickle(self.path / _REPLAY / file["name"])
        replay.load(self.path / _REPLAY, meta)

    def _checked(self, read: Any) -> Any:
        try:
            return read()
        except CorruptFileError as error:
            older = [path for path in complete_checkpoints(self.path.parent) if path.name < self.path.name]
            hint = f"; the checkpoint before it is {older[-1]}" if older else "; there is no older checkpoint"
            raise CorruptFileError(f"{error}{hint}") from error


def complete_checkpoints(folder: Path) -> list[Path]:
    """Returns the finished checkpoints in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    finished = [path for path in folder.iterdir() if path.name.isdigit() and (path / DONE).is_file()]
    return sorted(finished, key=lambda path: int(path.name))


def find_checkpoint(path: Path, which: str = LAST) -> Path | None:
    """Returns the checkpoint that `path` means: itself, or of a run folder the one asked for; None if there is none.

    Args:
        path: a checkpoint, or the folder of a run.
        which: `last`, `best`, or the number of a step. Where `last` is missing or dangles, it is the newest.
    """
    if (path / DONE).is_file():
        return path.resolve()
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    _put_back(folder)
    is_step = which.isascii() and which.isdigit()
    name = _folder_name(int(which)) if is_step else which
    if (is_step or which in (LAST, BEST)) and (folder / name / DONE).is_file():
        return (folder / name).resolve()
    finished = complete_checkpoints(folder)
    return finished[-1].resolve() if finished and which == LAST else None


def _put_back(folder: Path) -> None:
    """Gives checkpoints their names back that were hidden to be written anew, where a crash came between."""
    for hidden in folder.glob(".*.old"):
        final = folder / hidden.name[1 : -len(".old")]
        if (hidden / DONE).is_file() and not final.exists() and _is_named(folder, final):
            with suppress(OSError):
                hidden.rename(final)


def _is_named(folder: Path, final: Path) -> bool:
    """Tells whether `last` or `best` points at a checkpoint: others were hidden to be dropped."""
    return any((folder / name).is_symlink() and (folder / name).readlink().name == final.name for name in (LAST, BEST))


def _folder_name(step: int) -> str:
    return f"{step:09d}"
