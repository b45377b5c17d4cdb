"""Writing to disk so that a crash or a full disk loses nothing that was there before."""

import errno
import fcntl
import json
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from robossl.core.errors import CorruptFileError, UserError

_STREAMS = re.compile(r"/dev/fd|/proc/[^/]+(/task/[^/]+)?/fd")
_MAX_LINKS = 40  # one behind the other: where Linux gives up, too


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, syncs it and renames it into place, with the mode of the one before.

    A link is replaced, and what it leads to stays: a copy of a folder that is made of links leaves the original alone.

    Raises:
        UserError: if the disk is full or not writable; the old file, or all of the new one, is then there. Also if what
            is there is no file that could be replaced, such as a device or a pipe.
    """
    temporary = _temporary(path)
    try:
        _require_replaceable(path)
        with temporary.open("wb") as file:
            _keep_mode(file, path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # a read-only file system refuses this as well, whether the file is there or not
            temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def require_writable(path: Path) -> Path:
    """Checks that a file which a person named can be written, before the work that is to be kept there.

    Returns:
        Where links lead: what `write_atomic` is to be given.

    Raises:
        UserError: if its folder is not there or not writable, or if the file itself is a folder, a device, a pipe, or a
            stream of this process, whatever that leads to: a rename would take its file away under who opened it.
    """
    if _is_stream(path):
        raise UserError(f"cannot write {path}: that is an open stream, not a file; --json prints to one")
    target = Path(os.path.realpath(path))  # `resolve` raises for a link that leads to itself
    try:
        _require_replaceable(path)
        _try_file(_temporary(target))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return target


def require_makeable(path: Path) -> None:
    """Checks that a file or folder can be made, with the folders above it, before the work that is to be kept there.

    Raises:
        UserError: if nothing can be written to the folder, or to the first one above that is there.
    """
    try:
        above = next(folder for folder in path.absolute().parents if folder.exists())
        _try_file(_temporary(above / path.name))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, where they are not there yet.

    Raises:
        UserError: if a file is in the way, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error


@contextmanager
def exclusive(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Holds the lock file `path` against other processes; it is free again when the process ends, however it ends.

    In the end the file is removed while it is still held: who waited for it then holds what is nowhere and begins anew.

    Args:
        path: the lock; made where it is not there.
        wait: is called once if another process holds it, before waiting for that.

    Raises:
        UserError: if the lock file cannot be made.
    """
    make_folder(path.parent)
    is_told, is_mine = False, False
    while not is_mine:
        with _opened(path) as lock:
            if not _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if not is_told:
                    wait()
                is_told = True
                _locked(lock, fcntl.LOCK_EX)
            is_mine = _is_at(lock, path)
            if is_mine:
                try:
                    yield
                finally:
                    _remove(lock, path)


def lock_at_once(path: Path) -> BinaryIO | None:
    """Locks the file `path`, made where it is not there, against other processes until it is closed.

    Returns:
        The file; None where another process has locked it.

    Raises:
        UserError: if the lock file cannot be made.
    """
    lock = _opened(path)
    if _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return lock
    lock.close()
    return None


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically."""
    write_atomic(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: if it is absent or cannot be read.
        CorruptFileError: if it is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{path} is not valid JSON: truncated or changed") from error


def _require_replaceable(path: Path) -> None:
    """Checks that there is a file or nothing yet: a rename would put one in place of anything else.

    Raises:
        OSError: if it is a folder, a device, a pipe, a link to one of these or to itself, or cannot be looked at.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError("what is there is no regular file")


def _is_stream(path: Path) -> bool:
    """Tells whether a path is that of an open file of some process, itself or where one of its links leads."""
    for _ in range(_MAX_LINKS):
        folder = os.path.realpath(path.parent)
        if _STREAMS.fullmatch(folder):
            return True
        try:
            path = Path(folder, os.readlink(Path(folder, path.name)))
        except OSError:  # no link
            return False
    return False


def _keep_mode(file: BinaryIO, path: Path) -> None:
    """Gives an open file the mode of the one that it replaces; that of what a link leads to is another's."""
    with suppress(OSError):  # nothing to replace, or a file system without modes
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))


def _try_file(path: Path) -> None:
    """Makes a file and removes it."""
    path.touch()
    path.unlink()


def _temporary(path: Path) -> Path:
    """Returns under which name this thread writes a file before it is complete."""
    return path.with_name(f".{path.name}.{threading.get_native_id()}.tmp")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def _is_at(lock: BinaryIO, path: Path) -> bool:
    """Tells whether an open file is the one at `path`, and not one that was removed from there."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except OSError:
        return False


def _remove(lock: BinaryIO, path: Path) -> None:
    if _is_at(lock, path):  # and not another one's, in a folder of the same name
        with suppress(OSError):
            path.unlink()


def _locked(lock: BinaryIO, operation: int) -> bool:
    """Takes a lock; tells whether nobody else holds it.

    On a file system that has no locks, as one of a network may have none, it says so and goes on.
    """
    try:
        fcntl.flock(lock, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        sys.stderr.write(f"{lock.name} cannot be locked ({error.strerror}): start no second process there\n")
    return True
