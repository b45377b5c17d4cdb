"""A process beside this one that is spoken to, and whose every line is noted with the time it came."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from robossl.core import UserError
from robossl.deploy.clock import now_s

_END_S = 20.0


def end_with_operator() -> None:
    """Makes this process end, as if asked to, with its standard input: whoever had it is gone, for whatever reason."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):  # not through its buffer, which this thread would lock for ever
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="operator", daemon=True).start()


class Child:
    """Runs Python with some words. It must end with its standard input, so that it does not outlive this process.

    Attributes:
        lines: (seconds of `clock.now_s`, line) that it said so far.
    """

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self.lines: list[tuple[float, str]] = []
        self._said = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # else Ctrl-C would reach it before it is told how to end
        )
        self._reader = threading.Thread(target=self._listen, name=name, daemon=True)
        self._reader.start()

    def say(self, word: str) -> None:
        """Types a line.

        Raises:
            UserError: with its last words, if it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise UserError(f"{self.name} has ended: {self._last_words()}") from error

    def wait_line(self, timeout_s: float) -> None:
        """Waits until it says something, at most so long."""
        with self._said:
            self._said.wait(timeout_s)

    def require_alive(self) -> None:
        """Checks that it runs.

        Raises:
            UserError: with its last words.
        """
        if self._process.poll() is not None:
            self._reader.join(1.0)
            raise UserError(f"{self.name} has ended: {self._last_words()}")

    def kill(self) -> float:
        """Kills it as a crash would; returns when."""
        self._process.send_signal(signal.SIGKILL)
        at_s = now_s()
        self._process.wait()
        return at_s

    def end(self, number: signal.Signals = signal.SIGINT) -> dict[str, Any]:
        """Asks it to end, and returns the JSON object of its last line, if that is one."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(1.0)
        try:
            found: Any = json.loads(self._last_words())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _last_words(self) -> str:
        return self.lines[-1][1] if self.lines else "it said nothing"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._said:
                self.lines.append((now_s(), line.rstrip()))
                self._said.notify_all()
