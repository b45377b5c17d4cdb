"""How a real sensor differs from the simulator's truth: when it measures, when that arrives, and how wrong it is."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.envs.fitting import fit

LONGEST_DELAY_S = 60.0
"""Of anything: what is under way is kept, and must fit into memory."""

_GREATEST, _LEAST = 1e20, 1e-20  # beyond them sums and quotients of float32 are no numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorModel:
    """Describes the imperfections of one observation; the defaults are a perfect sensor.

    At each of its times a sensor takes a sample: the truth, plus bias and noise, rounded to its resolution. A sample
    may be lost. What comes through is held until the next one, and arrives after the delay. An episode begins with its
    own first sample, which waits for no delay and is never lost where values are held. Where a depth camera sees
    nothing it says so without error.

    Attributes:
        rate_hz: of the samples; one at every decision where None, or where the control rate is lower.
        delay_s: rounded to whole decisions, halves upwards.
        noise_std: standard deviation of each number, in the observation's unit.
        noise_relative: the same as a share of each number's size.
        bias_std: of an offset of each number that is drawn anew for every episode.
        drift_std: how far the offset strays within a second, as a random walk.
        resolution: the step that numbers are rounded to; not at all where None.
        dropout: probability that a sample is lost.
        on_dropout: what is shown instead: the last sample, or zero; in pictures of ids -1, which is nothing.
    """

    rate_hz: float | None = None
    delay_s: float = 0.0
    noise_std: float = 0.0
    noise_relative: float = 0.0
    bias_std: float = 0.0
    drift_std: float = 0.0
    resolution: float | None = None
    dropout: float = 0.0
    on_dropout: Literal["hold", "zero"] = "hold"

    def __post_init__(self) -> None:
        """Checks the numbers."""
        fit(self, SensorModel, "sensor.")
        for name in ("delay_s", "noise_std", "noise_relative", "bias_std", "drift_std"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise UserError(f"a sensor's {name.replace('_', '-')} must be finite and not negative, got {value}")
            if value > _GREATEST:
                raise UserError(f"a sensor's {name.replace('_', '-')} must be at most {_GREATEST:g}, got {value}")
        if self.delay_s > LONGEST_DELAY_S:
            raise UserError(f"a sensor's delay-s must be at most {LONGEST_DELAY_S:g}, got {self.delay_s}")
        for name in ("rate_hz", "resolution"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"a sensor's {name.replace('_', '-')} must be positive, got {value}")
        if self.resolution is not None and not _LEAST <= self.resolution <= _GREATEST:
            raise UserError(f"a sensor's resolution is between {_LEAST:g} and {_GREATEST:g}, got {self.resolution}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"a sensor's dropout is a probability below 1, got {self.dropout}")

    @property
    def changes_values(self) -> bool:
        """Tells whether it shows other numbers than the truth, and not only at other times."""
        return any((self.noise_std, self.noise_relative, self.bias_std, self.drift_std, self.resolution))

    def is_due(self, decisions: NDArray[np.int64], control_hz: float) -> NDArray[np.bool_]:
        """Tells [n] whether a sample is taken at the decisions [n] of episodes; at the first one it always is."""
        if self.rate_hz is None:
            return np.ones(len(decisions), bool)
        samples = np.floor(np.array([decisions - 1, decisions]) * (self.rate_hz / control_hz) + 1e-9)
        return np.asarray((samples[1] > samples[0]) | (decisions == 0))


def decisions_late(delay_s: Any, control_hz: float) -> Any:
    """Returns delays in whole decisions, halves upwards: 1.16 s at 12.5 Hz are 14.5, though not to the last bit."""
    return np.floor(np.asarray(delay_s) * control_hz + (0.5 + 1e-9)).astype(np.int64)
