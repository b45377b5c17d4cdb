"""Progress of long work: a bar on a terminal, a line now and then everywhere else."""

import sys
import time
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

_LINE_EVERY_S = 10.0


class Progress:
    """Counts towards a total, with rate, time left and a few key figures. Writes to stderr.

    Args:
        what: what is being done.
        total: how many units; 0 where nobody knows.
        unit: of one.
        initial: how many were done before, by the run that is continued.
        stream: where to write.
        has_lines: whether what is no terminal gets lines.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        *,
        initial: int = 0,
        stream: TextIO | None = None,
        has_lines: bool = True,
    ) -> None:
        self._what, self._total, self._unit, self._initial = what, total, unit, initial
        self._stream = stream or sys.stderr
        self._done = self._told = initial
        self._has_lines = has_lines
        self._figures: dict[str, float] = {}
        self._begun_s = self._written_s = time.monotonic()
        self._bar: Any = None
        if self._stream.isatty():
            bar: Any = tqdm  # its type depends on what it iterates over, and it iterates over nothing
            self._bar = bar(
                total=total or None, initial=initial, unit=unit, desc=what, file=self._stream, dynamic_ncols=True
            )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._done > self._told:
            self._write_line()

    def add(self, count: int) -> None:
        """Counts `count` more units."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._written_s >= _LINE_EVERY_S:
            self._write_line()

    def to(self, done: int) -> None:
        """Counts up to `done`."""
        self.add(done - self._done)

    def expect(self, total: int) -> None:
        """Counts towards another total from now on."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total

    def show(self, **figures: float) -> None:
        """Shows key figures beside the count from now on."""
        self._figures.update(figures)
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.3g}" for name, value in self._figures.items()}, refresh=False)

    def say(self, text: str) -> None:
        """Writes a line that stays."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def result(self, text: str) -> None:
        """Writes a line to stdout, above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stdout)
        else:
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def _write_line(self) -> None:
        self._written_s, self._told = time.monotonic(), self._done
        if not self._has_lines:
            return
        elapsed_s = max(self._written_s - self._begun_s, 1e-9)
        rate = (self._done - self._initial) / elapsed_s
        left = f", {_clock((self._total - self._done) / rate)} left" if rate > 0 and self._done < self._total else ""
        figures = "".join(f", {name} {value:.3g}" for name, value in self._figures.items())
        total = f"/{self._total:,}" if self._total else ""
        count = f"{self._done:,}{total} {self._unit}"
        self.say(f"{self._what}: {count}, {rate:,.1f} {self._unit}/s, {_clock(elapsed_s)}{left}{figures}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
