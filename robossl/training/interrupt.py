"""Ctrl-C, SIGTERM and the loss of the terminal, turned into a wish that is granted where a checkpoint is exact."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 (somebody's wish, not an error)
    """Ends a run that was asked to stop, after what it had was saved.

    Attributes:
        signal_number: what asked.
        saved: what to continue from; None where nothing needed saving.
    """

    def __init__(self, signal_number: int, saved: Path | None) -> None:
        place = f"; continue from {saved}" if saved is not None else ""
        super().__init__(f"stopped by {signal.Signals(signal_number).name}{place}")
        self.signal_number, self.saved = signal_number, saved

    @property
    def exit_code(self) -> int:
        """What shells report for a process that a signal ended."""
        return 128 + self.signal_number


@contextmanager
def naming(run_folder: Path | None) -> Iterator[None]:
    """Names the run to go on with, whatever it was doing when it was asked to stop; None where there is none yet.

    Raises:
        Interrupted: in place of one that names something else, and of Ctrl-C where nobody waited for it.
    """
    try:
        yield
    except Interrupted as interrupted:
        raise Interrupted(interrupted.signal_number, run_folder or interrupted.saved) from interrupted
    except KeyboardInterrupt as interrupted:
        if run_folder is None:
            raise
        raise Interrupted(signal.SIGINT, run_folder) from interrupted


class InterruptWish:
    """Notes the first SIGINT, SIGTERM or SIGHUP while it is entered; another one ends the process as usual.

    Not so SIGHUP, by which a terminal that is lost is told of: the shell tells, then the system once more. After the
    first signal it is ignored, and where it was ignored before (`nohup`) it stays so.

    Attributes:
        received: the signal's number; None as long as nobody asked.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "InterruptWish":
        if threading.current_thread() is threading.main_thread():
            for number in _ASKING:
                if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore(*_ASKING)

    def raise_if_received(self, saved: Path | None) -> None:
        """Ends the run if somebody asked.

        Raises:
            Interrupted: if so.
        """
        if self.received is not None:
            raise Interrupted(self.received, saved)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore(signal.SIGINT, signal.SIGTERM)
        if signal.SIGHUP in self._before:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with suppress(OSError):  # nobody may read it any more
            os.write(2, f"\n{self._what}; once more to stop at once\n".encode())  # buffered writers are not reentrant

    def _restore(self, *numbers: int) -> None:
        for number in numbers:
            before = self._before.pop(number, None)
            if before is not None and not (number == self.received == signal.SIGHUP):
                signal.signal(number, before)  # type: ignore[arg-type]
