"""What goes on in a run, told on the terminal, and what an operator types there."""

import threading
from collections.abc import Callable
from typing import Any, TextIO

from robossl.core import UserError
from robossl.deploy.bridge import Event, State, Tick
from robossl.deploy.session import Session, is_over
from robossl.deploy.streams import is_unread
from robossl.deploy.timed_policy import TimedPolicy


class Watch:
    """Prints what changes, arms, and says when the run is over.

    Attributes:
        trips: all so far, as texts.

    Args:
        session: that is watched.
        policy: that it runs.
        out: where everything is told.
        typed: what an operator types, if interactive.
        arms: whether to arm as soon as the robot is ready.
        interactive: whether an operator arms, holds, resets and quits.
        seconds: after which the run ends.
        each: is called in every period.
    """

    def __init__(
        self,
        session: Session,
        policy: TimedPolicy,
        *,
        out: TextIO,
        typed: TextIO,
        arms: bool,
        interactive: bool,
        seconds: float | None,
        each: Callable[[], None],
    ) -> None:
        self.trips: list[str] = []
        self._session, self._policy, self._out, self._each = session, policy, out, each
        self._arms, self._interactive, self._seconds = arms, interactive, seconds
        self._shown: tuple[Any, ...] = ()
        self._begun_s: float | None = None
        self._ended = False
        if interactive:
            threading.Thread(target=self._listen, args=(typed,), name="operator", daemon=True).start()

    def end(self) -> None:
        """Ends the run with the next period."""
        self._ended = True

    def __call__(self, tick: Tick) -> bool:
        """Looks at a period; tells whether the run is over.

        Raises:
            UserError: if nobody reads any more what is told: a robot does not move unwatched.
        """
        if is_unread(self._out):
            raise UserError("stopped: nobody reads any more what the bridge tells")
        self._each()
        self._begun_s = tick.t_s if self._begun_s is None else self._begun_s
        self._show(tick, tick.t_s - self._begun_s)
        if tick.proposed is not None:
            self._session.latencies_s["policy alone"].append(self._policy.inference_s)
        if tick.state is State.READY and self._arms:
            self._session.ask(Event.ARM)
        timed_out = self._seconds is not None and tick.t_s - self._begun_s >= self._seconds
        return self._ended or timed_out or (is_over(tick) and not self._interactive)

    def _show(self, tick: Tick, seconds: float) -> None:
        self.trips += [str(record) for record in tick.trips]
        shown = (tick.state, tick.waiting_for)
        if shown == self._shown and not tick.trips:
            return
        self._shown = shown
        reasons = "; ".join([*map(str, tick.trips), *tick.waiting_for])
        hint = " (type: arm)" if self._interactive and tick.state is State.READY else ""
        line = f"{seconds:8.2f} s  {tick.state.value}{hint}{'  ' + reasons if reasons else ''}"
        print(line, file=self._out, flush=True)  # an operator may read it through a pipe

    def _listen(self, typed: TextIO) -> None:
        """Does what is typed, and ends the run where nobody can type any more."""
        try:
            for line in typed:
                word = line.strip().lower()
                if word == "quit":
                    self.end()
                elif word in {event.value for event in Event}:
                    self._session.ask(Event(word))
                elif word:
                    print(f"type arm, hold, reset or quit, not {word!r}", file=self._out, flush=True)
        finally:
            self.end()
