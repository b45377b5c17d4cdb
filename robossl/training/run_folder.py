"""Where a run's files go.

runs/<preset>/<n>/   config.yaml command.txt system.json stopwatch.json     written by the command line
                     tb/ videos/ evaluations.npz train.monitor.csv checkpoints/     written by `train`
                     .lock       held by the process that is at work on it
"""

import errno
import os
import platform
import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from robossl.core.errors import UserError
from robossl.core.files import exclusive, write_atomic, write_json
from robossl.core.idle_cores import are_kept_awake
from robossl.core.processor import num_cores, processor_name
from robossl.training.manifest import library_versions
from robossl.training.tensorboard import require_utf8

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)


def new_run_folder(log_folder: Path, preset: str) -> Path:
    """Creates `<log_folder>/<preset>/<n>` with the next free number; two processes never get the same one.

    Raises:
        UserError: if it cannot be created, or its path is not UTF-8.
    """
    parent = log_folder / preset
    require_utf8(parent)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name) for path in parent.iterdir() if path.name.isdigit()]
        for number in range(max(numbers, default=0) + 1, 1 << 31):
            try:
                (parent / str(number)).mkdir()
                return parent / str(number)
            except FileExistsError:
                continue
    except OSError as error:
        raise UserError(f"cannot create a run folder in {parent}: {error.strerror}") from error
    raise UserError(f"no free number in {parent}")


@contextmanager
def only_writer(run_folder: Path) -> Iterator[None]:
    """Keeps a run to this process: two that went on with it would drop each other's checkpoints.

    Raises:
        UserError: if another process is at work on it, or it cannot be written.
    """

    def refuse() -> None:
        raise UserError(f"{run_folder} is being written by another process")

    with exclusive(run_folder / ".lock", refuse):
        yield


@contextmanager
def clear_disk_errors(run_folder: Path) -> Iterator[None]:
    """Turns what libraries raise when the disk is full, at whatever moment, into one clear line.

    TensorBoard writes in a thread of its own and raises there and once more in ours: only the second one is reported.

    Raises:
        UserError: in place of such an error.
    """
    report = threading.excepthook

    def report_others(failure: threading.ExceptHookArgs) -> None:
        if not _is_disk_error(failure.exc_value):
            report(failure)

    threading.excepthook = report_others
    try:
        yield
    except OSError as error:
        if not _is_disk_error(error):
            raise
        later = f"once there is room, --resume {run_folder} goes on from what was saved"
        raise UserError(f"cannot write {run_folder}: {error.strerror}; {later}") from error
    finally:
        threading.excepthook = report


def write_command(run_folder: Path, arguments: Sequence[str]) -> None:
    """Adds a line to `command.txt`: how the run was begun, and how it was continued.

    Raises:
        UserError: if it cannot be written.
    """
    path = run_folder / "command.txt"
    earlier = path.read_bytes() if path.is_file() else b""
    write_atomic(path, earlier + os.fsencode(f"{shlex.join(arguments)}\n"))  # paths may have bytes that are no text


def write_system_json(run_folder: Path) -> None:
    """Writes `system.json`: versions, machine, threads, and the git commit where there is one; of a run's first start.

    Raises:
        UserError: if it cannot be written.
    """
    if (run_folder / "system.json").is_file():
        return
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    system = {
        "versions": library_versions(),
        "platform": platform.platform(),
        "cpu": processor_name(),
        "num_cores": num_cores(),
        "num_torch_threads": torch.get_num_threads(),
        "idle_cores_kept_awake": are_kept_awake(),
        "gpus": gpus,
        "git": _git_commit(),
    }
    write_json(run_folder / "system.json", system)


def _is_disk_error(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in _DISK_ERRORS


def _git_commit() -> str | None:
    """Returns the commit of the source tree, marked where it was changed; None for an installed copy."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
