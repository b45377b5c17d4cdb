"""Randomisations at work: draws their numbers for every world and episode, and applies them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from robossl.core import Draws, Obs, Tree, UserError
from robossl.core.errors import require_known
from robossl.envs.elements import element_id
from robossl.envs.engine import Engine
from robossl.envs.field_changes import FieldChange
from robossl.envs.field_limits import FieldLimits
from robossl.envs.holding import Holding
from robossl.envs.host import numbers_of
from robossl.envs.mujoco_fields import STATE_FIELDS
from robossl.envs.randomisation import ActionDelay, AnyRandomisation, Push, Randomisation, Span, span_of
from robossl.envs.sensor_model import decisions_late
from robossl.envs.solid_bodies import SolidBodies
from robossl.envs.standing import Standing
from robossl.envs.world_values import per_world

Rows: TypeAlias = dict[str, NDArray[np.float64]]
"""Fields' values [n, ...] in n worlds."""

_INERTIA = "body_inertia"

ALL = "all"
"""Stands for every declared range: 0 leaves all as it is, 1 takes them as declared, 0.5 half of each."""


def switched_on(
    declared: Mapping[str, AnyRandomisation], asked: Mapping[str, float | Span]
) -> dict[str, AnyRandomisation]:
    """Returns the randomisations that are asked for, with the ranges that are asked for.

    Raises:
        UnknownNameError: if one is not declared.
        UserError: if a range is asked for where only a number makes sense, or has nothing to choose from.
    """
    require_known("randomisation", asked, [*declared, ALL])
    least, strength = span_of(asked.get(ALL, 0.0))
    if least != strength or strength < 0:
        got = f"{least:g}" if least == strength else f"{least:g} {strength:g}"
        raise UserError(f"env.randomise.{ALL} is one number, the share of every declared range, got {got}")
    found = {}
    for name, entry in declared.items():
        if name in asked:
            low, high = span_of(asked[name])
            if isinstance(entry, Randomisation) and entry.mode == "choose" and math.ceil(low) > math.floor(high):
                raise UserError(f"env.randomise.{name}: there is no whole number from {low:g} to {high:g} to choose")
        elif strength:
            low, high = (entry.nominal + strength * (end - entry.nominal) for end in (entry.low, entry.high))
        else:
            continue
        found[name] = replace(entry, low=low, high=high)
    return found


def model_fields(active: Mapping[str, AnyRandomisation]) -> set[str]:
    """Returns the names of the model's fields that randomisations change."""
    entries = (entry for entry in active.values() if isinstance(entry, Randomisation))
    return {field for entry in entries for field in entry.fields} - STATE_FIELDS


class Randomiser:
    """Applies randomisations to an engine's worlds. Without any it does nothing.

    Args:
        engine: the worlds.
        active: {name: randomisation}.
        own_fields: model fields that the task's own layout gives: what it gave is what is changed.
        num_actions: A.
        control_hz: decisions a second.

    Attributes:
        values: {name: [N], [N, E] or [N, E, C]} what was drawn for the running episodes: one number, or one for each of
            E elements, or of their C columns. Of a delay, the seconds that actions are late: whole decisions.
    """

    def __init__(
        self,
        engine: Engine,
        active: Mapping[str, AnyRandomisation],
        own_fields: tuple[str, ...],
        *,
        num_actions: int,
        control_hz: float,
    ) -> None:
        self._engine, self._own_fields, self._control_hz = engine, own_fields, control_hz
        self._changes = [
            (name, FieldChange(engine.model, field, entry, own_fields))
            for name, entry in active.items()
            if isinstance(entry, Randomisation)
            for field in entry.fields
        ]
        self._changes.sort(key=lambda named: named[1].field == _INERTIA)  # last: it follows from masses and sizes
        self._limits = self._unforeseen()
        self._standing, self._solids = Standing(engine.model), SolidBodies(engine.model)
        self._holding = Holding(engine.model)
        self._pushes = {name: entry for name, entry in active.items() if isinstance(entry, Push)}
        self._bodies = {name: element_id(engine.model, "body", entry.body) for name, entry in self._pushes.items()}
        self._delays = {name: entry for name, entry in active.items() if isinstance(entry, ActionDelay)}
        longest = int(decisions_late(sum(entry.high for entry in self._delays.values()), control_hz))
        self._actions = np.zeros((engine.num_worlds, longest + 1, num_actions), np.float32)
        shapes = {name: change.drawn_shape for name, change in sorted(self._changes, key=_num_drawn)}
        self.values = {name: np.zeros((engine.num_worlds, *_squeezed(shapes.get(name, (1, 1))))) for name in active}
        self._tell()

    def begin(self, ids: NDArray[np.int64], draws: Draws) -> None:
        """Draws and applies new values in worlds whose episodes the task has just laid out; `draws` gives [n, ...]."""
        if not self.values:
            return
        self._actions[ids] = 0
        given, rows = Rows(), Rows()
        for name, change in self._changes:
            if change.field not in rows:
                given[change.field] = self._base(change, ids, rows)
                rows[change.field] = given[change.field].copy()
            drawn = change.apply(rows[change.field], draws.sub(f"randomise {name}"))
            told = self.values[name]
            if drawn[0].size == told[0].size:  # of fields that differ in size, the one with most numbers
                told[ids] = drawn.reshape(len(ids), *told.shape[1:])
        self._require_sense(rows)
        is_held = "qpos" in rows and self._holding.is_needed
        held = self._holding.lengths(self._engine, ids) if is_held else None
        for change in {change.field: change for _, change in self._changes}.values():
            if change.is_state:
                self._engine.write(change.field, rows[change.field], ids)
            else:
                self._engine.randomise(change.field, rows[change.field], ids)
        if held is not None:
            self._holding.follow(self._engine, held, ids)
        if "geom_size" in rows:
            self._standing.settle(self._engine, given["geom_size"], rows["geom_size"], ids)
        for name, entry in self._pushes.items():
            self.values[name][ids] = draws.sub(f"randomise {name}").uniform(entry.low, entry.high)
        self._draw_delays(ids, draws)
        self._tell()

    def act(self, action: NDArray[np.float32], draws: Draws, decisions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pushes bodies, and returns the actions [N, A] that take effect now.

        Args:
            action: [N, A] of this decision.
            draws: of all N episodes.
            decisions: [N] made in them before.
        """
        if self._pushes:
            self._push(draws, decisions)
        if not self._delays:
            return action
        worlds, size = np.arange(len(action)), self._actions.shape[1]
        self._actions[worlds, decisions % size] = action
        delay_s = sum(self.values[name] for name in self._delays)
        before = decisions - decisions_late(delay_s, self._control_hz)
        return np.where((before >= 0)[:, None], self._actions[worlds, before % size], np.float32(0))

    def info(self) -> Obs:
        """Returns {"randomise/<name>": `values`} of the running episodes; later ones have arrays of their own."""
        return dict(self._told)

    def get_state(self) -> Tree:
        """Returns what was drawn, and the actions under way."""
        return {
            "values": {name: values.copy() for name, values in self.values.items()},
            "actions": self._actions.copy(),
        }

    def set_state(self, state: Tree) -> None:
        """Puts back what `get_state` returned."""
        for name, values in self.values.items():
            found = np.asarray(state["values"][name])  # [N] is the mean of all elements, from before each was told
            values[...] = found.reshape(*found.shape, *[1] * (values.ndim - found.ndim))
        self._actions[...] = state["actions"]
        self._tell()

    def _draw_delays(self, ids: NDArray[np.int64], draws: Draws) -> None:
        """Draws delays: together they are rounded to whole decisions, and each has what it adds to those before."""
        asked_s, late = np.zeros(len(ids)), np.zeros(len(ids), np.int64)
        for name, entry in self._delays.items():
            asked_s = asked_s + draws.sub(f"randomise {name}").uniform(entry.low, entry.high)
            before, late = late, decisions_late(asked_s, self._control_hz)
            self.values[name][ids] = (late - before) / self._control_hz

    def _tell(self) -> None:
        """Makes what `info` returns until the next episode begins: steps copy nothing."""
        self._told = {f"randomise/{name}": values.astype(np.float32) for name, values in self.values.items()}
        for values in self._told.values():
            values.flags.writeable = False  # who changed it would change what later steps tell

    def _unforeseen(self) -> dict[str, FieldLimits]:
        """Returns the limits of fields that are changed from what the model alone does not tell."""
        fields = [change.field for _, change in self._changes if change.is_relative and not change.is_state]
        changed = [change.field for _, change in self._changes]
        unforeseen = {field for field in fields if field in self._own_fields or changed.count(field) > 1}
        limits = {field: FieldLimits(self._engine.model, field) for field in unforeseen}
        return {field: found for field, found in limits.items() if found}

    def _require_sense(self, rows: Rows) -> None:
        for field, limits in self._limits.items():
            table = rows[field].reshape(-1, *limits.shape)
            if flaw := limits.flaw(table, table):
                raise UserError(f"{field}, as it is laid out and randomised, has {flaw}")

    def _base(self, change: FieldChange, ids: NDArray[np.int64], rows: Rows) -> NDArray[np.float64]:
        """Returns the values [n, ...] that a field has as the task has left it, and as what `rows` change leaves it."""
        if change.is_state:
            return numbers_of(self._engine, change.field, ids)
        if change.field in self._own_fields:
            return per_world(self._engine, change.field, ids).astype(np.float64)
        if change.field == _INERTIA:
            mass, size = (self._changed(field, ids, rows) for field in ("body_mass", "geom_size"))
            return self._solids.inertia(mass, size, len(ids))
        return np.repeat(change.compiled[None].astype(np.float64), len(ids), axis=0)

    def _changed(self, field: str, ids: NDArray[np.int64], rows: Rows) -> NDArray[np.float64] | None:
        """Returns the values [n, ...] that a field has or is about to have; None where the compiled model's."""
        if field in rows or field not in self._own_fields:
            return rows.get(field)
        return per_world(self._engine, field, ids).astype(np.float64)

    def _push(self, draws: Draws, decisions: NDArray[np.int64]) -> None:
        model, everyone = self._engine.model, np.arange(self._engine.num_worlds)
        force_w = np.zeros((len(everyone), model.nbody, 6))
        for name, entry in self._pushes.items():
            unit = draws.sub(f"push {name}", decisions).uniform(shape=(2,))
            strength = np.where(unit[:, 0] < entry.chance, self.values[name], 0.0)
            force_w[:, self._bodies[name], 0] += strength * np.cos(2 * np.pi * unit[:, 1])
            force_w[:, self._bodies[name], 1] += strength * np.sin(2 * np.pi * unit[:, 1])
        self._engine.write("xfrc_applied", force_w, everyone)


def _num_drawn(named: tuple[str, FieldChange]) -> int:
    return math.prod(named[1].drawn_shape)


def _squeezed(shape: tuple[int, int]) -> tuple[int, ...]:
    """Returns the shape of what a world is told to have drawn."""
    num_elements, num_columns = shape
    if num_columns > 1:
        return shape
    return (num_elements,) if num_elements > 1 else ()
