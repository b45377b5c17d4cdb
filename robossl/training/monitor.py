"""A line per finished training episode, in the format of SB3's `Monitor`: its `load_results` and plots read it."""

import csv
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from robossl.core.errors import UserError
from robossl.core.protocols import Tree


class MonitorFile:
    """Writes r, l, t and the task's metrics of every episode; after a resume it goes on where the checkpoint was.

    Args:
        path: ends in `.monitor.csv`.
        env_id: for the header.
        metrics: names of the task's metrics.
    """

    def __init__(self, path: Path, *, env_id: str, metrics: Sequence[str]) -> None:
        self._path, self._env_id = path, env_id
        self._metrics = tuple(metrics)
        self._begun_s = time.time()
        self._size: int | None = None
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Begins the file anew, or drops what was written after the checkpoint that was put back.

        Raises:
            UserError: if it cannot be written.
        """
        try:
            if self._size is not None and self._path.is_file() and self._path.stat().st_size >= self._size:
                os.truncate(self._path, self._size)
                self._file = self._path.open("ab")
                return
            self._file = self._path.open("wb")
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}") from error
        header = {"t_start": self._begun_s, "env_id": self._env_id}
        self._write(f"#{json.dumps(header)}\n".encode() + _row(["r", "l", "t", "is_success", *self._metrics]))

    def add(self, infos: Sequence[Mapping[str, Any]]) -> None:
        """Writes the episodes that ended in this step: infos as SB3's VecEnvs return them."""
        rows = [self._values(info) for info in infos if "episode" in info]
        if rows:
            self._write(b"".join(_row(row) for row in rows))

    def get_state(self) -> Tree:
        """Returns how far it is written, durably."""
        assert self._file is not None, "the file is open while training"
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"size": self._file.tell(), "begun_s": self._begun_s}

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned; `open` acts on it."""
        self._size, self._begun_s = int(state["size"]), float(state["begun_s"])

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _values(self, info: Mapping[str, Any]) -> list[float]:
        episode = info["episode"]
        metrics = [info.get(f"metric/{name}", float("nan")) for name in self._metrics]
        success = int(info["is_success"]) if "is_success" in info else float("nan")  # until an environment tells of it
        elapsed_s = round(time.time() - self._begun_s, 6)
        return [round(episode["r"], 6), episode["l"], elapsed_s, success, *metrics]

    def _write(self, content: bytes) -> None:
        assert self._file is not None, "the file is open while training"
        try:
            self._file.write(content)
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}") from error


def _row(values: Sequence[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue().encode()
