"""Writes everything a session hears, decides and says into an MCAP bag, from a thread of its own."""

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer

from robossl.core import UserError
from robossl.deploy.ros_types import RosTypes

_FLUSH_S = 1.0
"""At most so much is lost when the process is killed, and what waits in the queue."""
_QUEUE, _QUEUE_BYTES = 512, 256 * 1024 * 1024
"""Messages that may wait for the disk; more are dropped and counted, or waited for where no robot is."""
_POLL_S = 0.001


class Recorder:
    """One bag.

    Attributes:
        num_dropped: messages that did not get into it.
        failure: why nothing more could be written; None while all is well.

    Args:
        folder: of the bag.
        types: by which messages are written.
        waits: for the disk, instead of dropping messages: where time passes only as fast as somebody listens.

    Raises:
        UserError: if there is something of that name already, or the disk cannot be written.
    """

    def __init__(self, folder: Path, types: RosTypes, *, waits: bool = False) -> None:
        self.num_dropped = 0
        self.failure: str | None = None
        self._types, self._waits = types, waits
        self._queued = self._taken = 0  # bytes, each counted by one thread
        self._queue: queue.Queue[tuple[str, str, int, bytes] | None] = queue.Queue(_QUEUE)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._writer = Writer(folder, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except Exception as error:  # rosbags' own errors and the system's
            raise UserError(f"cannot record to {folder}: {error}") from error
        self._connections: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def message(self, topic: str, kind: str, data: bytes, time_ns: int) -> None:
        """Writes a message as it stood on the wire, with the wall clock's time."""
        while self._waits and self._queued > self._taken and self._is_full(data):
            time.sleep(_POLL_S)
        if self._is_full(data):
            self.num_dropped += 1
            return
        try:
            self._queue.put((topic, kind, time_ns, data), block=self._waits)
        except queue.Full:
            self.num_dropped += 1
        else:
            self._queued += len(data)

    def record(self, topic: str, value: Any, time_ns: int) -> None:
        """Writes JSON values as a `std_msgs/String`."""
        text = self._types.make("std_msgs/msg/String", data=json.dumps(value, allow_nan=False))
        self.message(topic, "std_msgs/msg/String", self._types.to_bytes(text), time_ns)

    def close(self) -> None:
        """Writes what is left and closes the bag."""
        self._queue.put(None)
        self._thread.join()
        self._try(self._writer.close)

    def _is_full(self, data: bytes) -> bool:
        return self._queued - self._taken + len(data) > _QUEUE_BYTES

    def _write(self) -> None:
        """Writes until the end; a disk that takes no more does not end it: somebody must empty the queue."""
        flushed_s = time.monotonic()
        while (item := self._queue.get()) is not None:
            if self.failure is None:
                self._try(self._add, *item)
            self.num_dropped += self.failure is not None
            self._taken += len(item[-1])
            if self.failure is None and time.monotonic() - flushed_s >= _FLUSH_S:
                flushed_s = time.monotonic()
                self._try(self._flush)

    def _add(self, topic: str, kind: str, time_ns: int, data: bytes) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._types.store)
        self._writer.write(self._connections[topic], time_ns, data)

    def _flush(self) -> None:
        """Hands what was written to the system, whole; rosbags itself waits for a MiB."""
        storage: Any = self._writer.storage
        if storage.chunk.bio.tell():
            storage.close_chunk()
        storage.bio.flush()

    def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            act(*arguments)
        except Exception as error:  # rosbags' own errors and the system's
            self.failure = self.failure or " ".join(str(error).split())
