"""Standard streams that outlast whoever reads them: a log that nobody takes any more stops no work."""

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

_READER_IS_GONE = (errno.EPIPE, errno.EIO)  # of a pipe; of a terminal


class LastingFile(io.FileIO):
    """A descriptor that takes whatever is written; what its other end does not take is dropped.

    Attributes:
        failure: why something was dropped that somebody waits for, on a full disk for example; None where the reader
            went away or nothing was dropped.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, content: Any) -> int:
        """Writes bytes, or drops them."""
        try:
            return super().write(content)
        except OSError as error:
            if error.errno not in _READER_IS_GONE:
                self.failure = error
            return memoryview(content).nbytes


def outlast_readers() -> LastingFile | None:
    """Makes the standard streams of this process outlast their readers, and opens those that it was begun without.

    Returns:
        Standard output, where it was not replaced by somebody else.
    """
    _open_closed()
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 (for as long as the process lives)
    if sys.stderr is sys.__stderr__:
        sys.stderr, _ = _lasting(2, sys.stderr)
    if sys.stdout is not sys.__stdout__:
        return None
    sys.stdout, output = _lasting(1, sys.stdout)
    return output


def exit_code(code: int, output: LastingFile | None) -> int:
    """Writes what is left of the output, says what of it could not be written, and returns 1 in place of 0 then."""
    sys.stdout.flush()
    if output is None or output.failure is None:
        return code
    sys.stderr.write(f"robossl: cannot write the output: {output.failure.strerror}\n")
    return code or 1


def is_unread(stream: TextIO) -> bool:
    """Tells whether a stream is a pipe whose other end is closed."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)  # POLLERR and POLLHUP are told in any case
    except (OSError, ValueError):  # text that is kept has no descriptor
        return False
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _open_closed() -> None:
    """Keeps the numbers of closed streams from the files that are opened later: a warning would be written into one."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
            os.set_inheritable(descriptor, True)


def _lasting(descriptor: int, stream: Any) -> tuple[TextIO, LastingFile | None]:
    """Returns a stream that writes as `stream` does, and its file."""
    if stream is None:
        return open(os.devnull, "w"), None
    file = LastingFile(descriptor)
    text = io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",  # a path may have letters that the terminal cannot show
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, file
