"""What may differ from episode to episode beside a task's own layout: declared in one line each, as ranges.

The numbers are drawn for every world and episode from sequences of their own: to switch one on changes neither the
task's layouts nor what the others draw. What is drawn is applied after the task has laid out the episode.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from robossl.core import UserError
from robossl.core.numbered_names import listed
from robossl.envs.fitting import fit
from robossl.envs.mujoco_fields import LOOKS
from robossl.envs.sensor_model import LONGEST_DELAY_S

Span: TypeAlias = tuple[float, float]
"""Lowest and highest value; equal where the value is fixed."""


GREATEST = 1e38
"""What is drawn must stay below: it is recorded as float32."""


def span_of(value: float | Span) -> Span:
    """Returns a range, of one value where it is one."""
    return value if isinstance(value, tuple) else (value, value)


def require_range(what: str, low: float, high: float, *, least: float = -math.inf) -> None:
    """Checks the ends of a range.

    Raises:
        UserError: if they are not finite in single precision, or the wrong way round, or below `least`.
    """
    if not (-GREATEST < low <= high < GREATEST and low >= least):
        floor = f" and not below {least:g}" if math.isfinite(least) else ""
        raise UserError(f"the range of {what} goes from low to high{floor}, got {low:g} {high:g}")


_WORDS = {"scale": "times", "offset": "plus", "set": "set to", "turn": "turned by", "choose": "one of"}
_MAX_NAMES = 8  # that are written out


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomisation:
    """A field of the model, or of the state at an episode's start, that differs between episodes.

    Attributes:
        field: its name, or the names of fields that change alike; "qpos" and "qvel" are the state's.
        low, high: the range, in SI units, or as a factor where the mode is "scale".
        mode: what is done with a number u of the range. "scale": the field times u. "offset": plus u. "set": u itself.
            "turn": vectors or quaternions are turned by u about a random axis. "choose": as "set", but whole numbers.
        elements: names of the geoms, bodies, joints, ... concerned; all where None. A joint's name is that of all its
            degrees of freedom; options (`opt.gravity`) have none.
        columns: of the field's last axis; all where None.
        each: whether every number of the field gets its own u, or all share one.
        holds: the widest range that the task's scene has room for; any where None.
    """

    field: str | tuple[str, ...]
    low: float
    high: float
    mode: Literal["scale", "offset", "set", "turn", "choose"] = "scale"
    elements: tuple[str, ...] | None = None
    columns: tuple[int, ...] | None = None
    each: bool = False
    holds: Span | None = None

    def __post_init__(self) -> None:
        """Checks kinds and range."""
        object.__setattr__(self, "field", _names(self.field))
        _fit(self, f"the randomisation of {self.fields[0]}", but=("field",))
        require_range(self.field if isinstance(self.field, str) else self.field[0], self.low, self.high)
        if self.columns == ():
            raise UserError(f"the randomisation of {self.fields[0]}: of which columns?, got []")
        if self.holds is not None and not self.holds[0] <= self.low <= self.high <= self.holds[1]:
            room = replace(self, low=self.holds[0], high=self.holds[1])
            asked = f"{self.low:g}" + (f" to {self.high:g}" if self.high != self.low else "")
            raise UserError(f"the scene has room for {room.described()}, not for {asked}")
        if self.mode == "scale":
            require_range(f"factors of {self.fields[0]}", self.low, self.high, least=0.0)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields; a body's inertia follows its mass, so a factor of both is one of the mass."""
        named = (self.field,) if isinstance(self.field, str) else self.field
        is_double = self.mode == "scale" and not self.each and "body_mass" in named
        return tuple(field for field in named if not (is_double and field == "body_inertia"))

    @property
    def is_visual(self) -> bool:
        """Tells whether only pictures show it."""
        return all(field.startswith(LOOKS) for field in self.fields)

    def described(self, unit: str = "") -> str:
        """Says in a few words what it does; `unit` is of what is added or set."""
        return f"{self.changed()} {_WORDS[self.mode]} {self.low:g} to {self.high:g} {unit}".rstrip()

    def changed(self) -> str:
        """Says what it changes, and of whom."""
        columns = "" if self.columns is None else f"[{', '.join(map(str, self.columns))}]"
        fields = " and ".join(f"{field}{columns}" for field in self.fields)
        if self.elements is None:
            return fields
        names = listed(self.elements)
        if len(names) > _MAX_NAMES:
            return f"{fields} of {self.elements[0]} to {self.elements[-1]} ({len(self.elements)})"
        return f"{fields} of {', '.join(names)}"

    @property
    def nominal(self) -> float:
        """The number that stands for no change; of what is set, the middle of the range."""
        return {"scale": 1.0, "offset": 0.0, "turn": 0.0}.get(self.mode, (self.low + self.high) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDelay:
    """Actions take effect late, by a time drawn for each episode and rounded to whole decisions, halves upwards.

    Until the first one arrives the action is zero.
    """

    low: float = 0.0
    high: float
    nominal: float = 0.0
    is_visual: bool = False

    def __post_init__(self) -> None:
        """Checks the range: no action arrives before it was decided on, or never."""
        _fit(self, "an action's delay")
        require_range("an action's delay", self.low, self.high, least=0.0)
        if self.high > LONGEST_DELAY_S:
            raise UserError(f"an action's delay must be at most {LONGEST_DELAY_S:g} s, got {self.high:g}")

    def described(self) -> str:
        """Says in a few words what it does."""
        return f"actions {self.low:g} to {self.high:g} s late, rounded to whole decisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A disturbance: a horizontal force (N) of an episode's own strength on a body, for a whole decision now and then.

    Attributes:
        body: whose centre of mass is pushed.
        chance: the probability of a push in each decision.
    """

    body: str
    low: float = 0.0
    high: float
    chance: float = 0.1
    nominal: float = 0.0
    is_visual: bool = False

    def __post_init__(self) -> None:
        """Checks the range and the probability."""
        _fit(self, "a push")
        require_range(f"a push on {self.body}", self.low, self.high, least=0.0)
        if not 0 <= self.chance <= 1:
            raise UserError(f"a push on {self.body} has a chance in 0..1, got {self.chance}")

    def described(self) -> str:
        """Says in a few words what it does."""
        often = f"in {100 * self.chance:g} % of all decisions"
        return f"horizontal forces of {self.low:g} to {self.high:g} N on {self.body} {often}"


AnyRandomisation: TypeAlias = Randomisation | ActionDelay | Push


def _names(field: object) -> str | tuple[str, ...]:
    if isinstance(field, str):
        return field
    if isinstance(field, list | tuple) and field and all(isinstance(name, str) for name in field):
        return tuple(field)
    raise UserError(f"a randomisation's field must be a name, or a tuple of names, got {field!r}")


def _fit(entry: Any, what: str, *, but: tuple[str, ...] = ()) -> None:
    """Gives an entry's fields their types, or names the entry that has others."""
    try:
        fit(entry, type(entry), "", but=but)
    except UserError as error:
        raise UserError(f"{what}: {error}") from error
