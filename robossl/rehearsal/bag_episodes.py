"""From a bridge's recording to episodes: what the policy saw on the robot, and the actions that it chose there.

The recording is decided again, so that observations are those that the policy was given: by name, in the contract's
order and size. Rewards are not known on a robot; whoever watched may say whether the episode was a success.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.core import ArraySpec, Contract, EnvSpec, UserError
from robossl.core.contract import CameraInput, InputSpec
from robossl.data import Episode
from robossl.deploy.profile import RobotProfile
from robossl.deploy.recording import Recording
from robossl.deploy.replay import difference
from robossl.deploy.session import Mode

RECORDED_S = "recorded_s"
"""In an episode's info: when its recording began, in seconds since 1970."""
_COLOUR = 255.0


def bag_spec(contract: Contract) -> EnvSpec:
    """Returns what a dataset of recordings promises: single frames, and pictures that no renderer made."""
    actions = ArraySpec(shape=(len(contract.actions),), low=-1.0, high=1.0, names=contract.actions)
    return EnvSpec(
        id=contract.trained_on.env,
        control_hz=contract.control_hz,
        max_episode_steps=0,
        observation={spec.name: _array_spec(spec) for spec in contract.inputs},
        action=actions,
        commands=contract.commands,
    )


def bag_episodes(
    recording: Recording, contract: Contract, profile: RobotProfile, *, success: bool | None
) -> list[Episode]:
    """Returns the episodes of a recording: one for each time that the robot was armed and ran.

    Args:
        recording: of a live run.
        contract: of the bundle that it was made with.
        profile: that it was made with.
        success: whether the task was done, at the end of each; not known where None. Only this gives a reward, of 1 in
            the last step.

    Raises:
        UserError: if the commands moved nothing, the recording decides differently now, or holds no episode.
    """
    if recording.mode is not Mode.LIVE:
        raise UserError(
            f"{recording.bag} was recorded in mode {recording.mode.value}: its actions moved nothing, so it holds no"
            " episodes"
        )
    listener = _Listener(contract)
    for period, (recorded, tick) in enumerate(recording.decided_again(listener, profile)):
        wrong = difference(recorded, tick)
        if wrong:
            raise UserError(f"{recording.bag} is decided differently now, in period {period}: {wrong[:200]}")
        listener.note(tick.command, tick.wanted)
    runs = [(number, run) for number, run in enumerate(listener.runs) if len(run.obs) > 1]
    found = [_episode(run, contract, number, success, recording.began_ns / 1e9) for number, run in runs]
    if not found:
        raise UserError(f"{recording.bag} holds no episode: the robot never ran for two periods")
    return found


def actions_of(commands: NDArray[np.float64], contract: Contract) -> NDArray[np.float32]:
    """Returns the actions [T, A] in [-1, 1] that stand for commands [T, C]; 0 for one that commands nothing."""
    actions = np.zeros((len(commands), len(contract.actions)), np.float32)
    for column, command in enumerate(contract.commands):
        if command.source is not None and command.scale:
            actions[:, command.source] = (commands[:, column] - command.offset) / command.scale
    return np.clip(actions, -1.0, 1.0)


@dataclass(kw_only=True)
class _Run:
    """What the policy saw and commanded from arming to the end."""

    obs: list[Mapping[str, NDArray[Any]]] = field(default_factory=list)
    commands: list[NDArray[np.float64]] = field(default_factory=list)
    changed: list[bool] = field(default_factory=list)


class _Listener:
    """See `RecordedCommander`: says what the recorded policy said, and keeps what it was shown."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.runs: list[_Run] = []
        self._proposed: list[float] | None = None

    def expect(self, period: dict[str, Any]) -> None:
        """See `RecordedCommander.expect`."""
        self._proposed = period["decision"]["proposed"]

    def reset(self) -> None:
        """See `Commander.reset`."""
        self.runs.append(_Run())

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        """See `Commander.command`."""
        if self._proposed is None:
            return None
        proposed = np.array(self._proposed, np.float64)
        self.runs[-1].obs.append({name: value[0].copy() for name, value in inputs.items()})
        self.runs[-1].commands.append(proposed)
        return proposed

    def note(self, sent: NDArray[np.float64] | None, wanted: NDArray[np.float64] | None) -> None:
        """Takes note of whether the guard changed what the policy wanted."""
        if wanted is not None and sent is not None:
            self.runs[-1].changed.append(not np.allclose(sent, wanted, rtol=0.0, atol=1e-9))


def _episode(run: _Run, contract: Contract, number: int, success: bool | None, recorded_s: float) -> Episode:
    """Makes an episode whose last observation is the last one that the policy was asked about."""
    length = len(run.obs) - 1
    reward = np.zeros(length, np.float32)
    reward[-1] = float(success or False)
    info = {"guard_changed": float(np.mean(run.changed)), RECORDED_S: recorded_s}
    return Episode(
        obs={spec.name: np.stack([_frame(spec, obs[spec.name]) for obs in run.obs]) for spec in contract.inputs},
        action=actions_of(np.stack(run.commands[:-1]), contract),
        reward=reward,
        terminated=bool(success),
        truncated=not success,
        state=np.zeros((length + 1, 0)),
        info=info if success is None else {**info, "success": float(success)},
        episode=number,
    )


def _frame(spec: InputSpec, value: NDArray[Any]) -> NDArray[Any]:
    """Returns the newest frame of a stack, or a vector as it is."""
    return value[-1] if isinstance(spec, CameraInput) else value


def _array_spec(spec: InputSpec) -> ArraySpec:
    if isinstance(spec, CameraInput):
        high = _COLOUR if spec.dtype == "uint8" else float("inf")
        return ArraySpec(shape=spec.shape[1:], dtype=spec.dtype, low=0.0, high=high)
    elements = spec.elements
    joints = tuple(element.joint or "" for element in elements)
    return ArraySpec(
        shape=spec.shape,
        names=tuple(element.name for element in elements),
        units=tuple(element.unit for element in elements),
        joints=joints if any(joints) else (),
    )
