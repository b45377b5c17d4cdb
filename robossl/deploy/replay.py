"""A recording, decided again: the same messages at the same times must lead to the same decisions, to the last bit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import Contract
from robossl.deploy.bridge import Commander, Tick
from robossl.deploy.profile import RobotProfile
from robossl.deploy.recording import Recording
from robossl.deploy.session_record import decision_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a replay found.

    Attributes:
        periods: that were decided again.
        different: of them, those decided differently.
        first: the first of these, and the fields that differ.
        lost: what of the recording could not be read; None where it is whole.
    """

    periods: int
    different: int
    first: str | None
    lost: str | None = None


class ReplayedPolicy:
    """See `Commander`; is late where the recorded one was."""

    def __init__(self, policy: Commander) -> None:
        self.contract: Contract = policy.contract
        self._late = False
        self._policy = policy

    def expect(self, period: dict[str, Any]) -> None:
        """See `RecordedCommander.expect`."""
        self._late = period["late"]

    def reset(self) -> None:
        """See `Commander.reset`."""
        self._policy.reset()

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        """See `Commander.command`."""
        return None if self._late else self._policy.command(inputs)


def replay(bag: Path, policy: Commander, profile: RobotProfile, *, digest: str) -> Comparison:
    """Decides a recording again.

    Args:
        bag: the recording's folder.
        policy: of the bundle it was made with.
        profile: that it was made with.
        digest: of the bundle.

    Raises:
        UserError: if it is no recording of a bridge, or of another bundle or profile.
    """
    recording = Recording(bag)
    recording.require(digest, profile)
    found = [difference(recorded, tick) for recorded, tick in recording.decided_again(ReplayedPolicy(policy), profile)]
    told = [f"period {period}: {text}" for period, text in enumerate(found) if text]
    first = told[0] if told else None
    return Comparison(periods=len(found), different=len(told), first=first, lost=recording.lost)


def difference(recorded: dict[str, Any], tick: Tick) -> str:
    """Returns in what a period that was decided again differs from the recorded one; empty where it does not."""
    decided, before = decision_record(tick), recorded["decision"]
    return "; ".join(f"{key} was {before[key]}, is {decided[key]}" for key in decided if decided[key] != before[key])
