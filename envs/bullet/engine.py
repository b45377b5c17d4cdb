"""N worlds whose time passes in Bullet: the second physics, to check what was learned in the first.

MuJoCo keeps the books and Bullet moves the bodies. The state, and all that follows from it by geometry or by a formula
(poses, Jacobians, cameras, the forces of actuators, springs, dampers and joints' dry friction), is a `MujocoEngine`'s,
so that tasks, renderers and stored states cannot tell the engines apart. Motion under inertia, contacts, joint limits
and welds are Bullet's own.

Implicit forces. Bullet knows neither a joint's armature nor forces that are implicit in the velocity, without which
stiff servos explode. In every substep MuJoCo's contact-free step says which acceleration a* such forces lead to, given
the generalised force f of contacts and limits in the substep before, or what `Foresight` makes of it; Bullet is then
handed the torque M a* + c - f, where M is the inertia without armature and c are the Coriolis and gravity forces. At
rest against an obstacle f holds what the actuators push, so a* = 0 and the torque is exactly the actuators'.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.core import Array, UserError
from robossl.core.errors import require_known
from robossl.envs.bullet.books import books_of
from robossl.envs.bullet.contacts import ContactSensors
from robossl.envs.bullet.fields import READABLE_FIELDS, RECORDABLE_FIELDS, require_random, require_writable
from robossl.envs.bullet.forces import ForceSensors
from robossl.envs.bullet.foresight import Foresight
from robossl.envs.bullet.inertia import JointInertia, ruled_trees
from robossl.envs.bullet.layout import Layout
from robossl.envs.bullet.model import Floats, lay_out
from robossl.envs.bullet.world import require_room
from robossl.envs.bullet.worlds import BulletWorlds
from robossl.envs.engine import MAX_SPEED
from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import LOOKS, NO_STAGE, PASSING_FIELDS, STATE_FIELDS, columns_of, mujoco_stage
from robossl.envs.mujoco_rows import flag_fast
from robossl.envs.records import STATE, Start


class BulletEngine(MujocoEngine):
    """See `Engine`. It is a `MujocoEngine` in all but how time passes: hence the inheritance.

    The state has MuJoCo's columns, but in place of the solver's warm start it keeps the force of contacts and limits.
    """

    feels_late = True  # only by moving does Bullet tell how hard things press
    contact_slack_m = 0.03
    passing_fields = tuple(name for name in PASSING_FIELDS if name != "qacc_warmstart")  # there that force is kept
    _readable = READABLE_FIELDS, "field of the bullet engine"
    _outlasting = (*MujocoEngine._outlasting, "_bullet")  # to be closed twice

    def __init__(self, model: mujoco.MjModel, num_worlds: int, num_threads: int) -> None:
        require_room(num_worlds)
        blueprint = lay_out(model)
        self._layout = Layout(blueprint)
        self._sensors, self._forces = ContactSensors(model), ForceSensors(model)
        self._timestep, self._foresight = float(model.opt.timestep), Foresight(model)
        super().__init__(books_of(model), num_worlds, num_threads)
        self._motion = self.batch.state
        self._held = columns_of(model, ("eq_active",))
        self._inertia, self._bias = JointInertia(self.model, self.batch), self.batch.bind("qfrc_bias")
        self._everyone = np.arange(num_worlds)
        self._ruled = np.tile(ruled_trees(model), (num_worlds, 1))
        self._is_reformed = np.zeros(num_worlds, bool)  # worlds where other laws may hold since
        self._bullet = BulletWorlds(blueprint, self._layout, self)
        self._sensordata: Array | None = None
        self._felt = np.zeros((num_worlds, len(self._forces.columns)))  # in the last substep
        self._is_felt = np.zeros(num_worlds, bool)  # of worlds that came by a substep to where they are
        self._moving = self._everyone  # worlds that Bullet moves
        self._tries = False  # whether a step is made that will be taken back
        self._goes_on = False  # whether Bullet is where the last step has led, in the midst of a decision
        self._remembers = bool((model.sensor_historyadr >= 0).any())  # sensors of earlier substeps

    def reset(self, ids: NDArray[np.int64], fields: tuple[str, ...] = (), values: Array | None = None) -> None:
        """See `Engine.reset`."""
        require_writable(fields)
        super().reset(ids, fields, values)
        self._is_felt[ids] = False

    def begin(self, ids: NDArray[np.int64], start: Start) -> None:
        """See `Engine.begin`."""
        self.reset(ids, start.names.state, start.of(STATE))
        for field in start.names.model:
            self.randomise(field, start.of(field), ids)

    def set_state(self, state: NDArray[np.float64], ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.set_state`.

        Raises:
            UserError: if a weld has been let go in it.
        """
        self._require_held(state)
        self._is_felt[slice(None) if ids is None else ids] = False
        super().set_state(state, ids)

    def require_state(self, state: NDArray[np.float64], model_values: dict[str, Array]) -> None:
        """See `Engine.require_state`."""
        require_random(model_values)
        self._require_held(state)
        super().require_state(state, model_values)

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """See `Engine.forward`."""
        super().forward(ids)
        if self._sensordata is not None and not self._tries and not self._goes_on:
            rows = self._everyone if ids is None else np.asarray(ids)
            self._sensordata[rows] = self._with_contacts(self._fields.bound("sensordata")[rows], rows)

    def step(
        self, ctrl: Array, num_substeps: int, record: tuple[str, ...] = (), *, more: bool = False
    ) -> dict[str, Array]:
        """See `Engine.step`. What is recorded of a world after it diverged is not to be used."""
        require_known("field to record", record, RECORDABLE_FIELDS)
        shapes = {name: (self.num_worlds, num_substeps, *self._fields.bound(name).shape[1:]) for name in record}
        recorded = {name: np.empty(shape, np.float32) for name, shape in shapes.items()}
        self._own.follow()
        warnings = self.batch.warning.copy()
        self.view("ctrl")[...] = ctrl
        if self._may_be_fast:
            flag_fast(self._qvel, MAX_SPEED, self._is_written, self._diverged)
        if not self._goes_on:
            self._foresight.forget()
            self._bullet.load(self._everyone, self)
        for substep in range(num_substeps):
            entries = {name: values[:, substep] for name, values in recorded.items()}
            is_wanted = bool(record) or self._remembers or substep >= num_substeps - 1 - self._is_watched
            self._substep(entries, whole=is_wanted)
        self._diverged |= self._bullet.lost
        self._flag_divergence(warnings)
        self._fields.computed[:] = NO_STAGE
        self._goes_on = more
        self.forward()
        return recorded

    def read(self, name: str, ids: NDArray[np.int64] | None = None) -> Array:
        """See `Engine.read`."""
        values = super().read(name, ids)
        return values if ids is None or name != "sensordata" else self._with_contacts(values, np.asarray(ids))

    def view(self, name: str) -> Array:
        """See `MujocoEngine.view`."""
        values = super().view(name)
        if name != "sensordata" or not len(self._sensors.columns) + len(self._forces.columns):
            return values
        if self._sensordata is None:  # MuJoCo's own with Bullet's contacts
            self._sensordata = np.zeros_like(values)
            self.forward()
        return self._sensordata

    def write(self, name: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.write`; welds cannot be let go.

        Raises:
            UnknownNameError: if it is no state field, or one that Bullet would not follow.
        """
        require_writable((name,))
        super().write(name, values, ids)
        self._is_felt[ids] = False

    def randomise(self, field: str, values: Array, ids: NDArray[np.int64]) -> None:
        """See `Engine.randomise`. A world whose sizes change is built anew.

        Raises:
            UserError: if the field is built into Bullet's bodies, or as `MujocoEngine.randomise` says.
        """
        require_random((field,))
        super().randomise(field, values, ids)
        if not self._bullet.note_change(field, ids) and not field.startswith(LOOKS):
            self._is_reformed[ids] = True

    @property
    def _is_watched(self) -> bool:
        """Tells whether anybody keeps an eye on forces: then also the last substep but one is followed as a whole."""
        return self._sensordata is not None and len(self._forces.columns) > 0

    def close(self) -> None:
        """See `Engine.close`."""
        self._bullet.close()
        super().close()

    @np.errstate(all="ignore")  # a world that goes astray is flagged, not told of by numpy
    def _substep(self, entries: dict[str, Array], *, whole: bool) -> None:
        """Passes one timestep; without `whole`, what no law rules is not read back from Bullet.

        Args:
            entries: {field: [N, ...]} to be filled with the values as the step begins.
            whole: whether the state of everything is wanted afterwards.
        """
        qpos, qvel, contact = self.view("qpos"), self.view("qvel"), self.view("qacc_warmstart")
        velocity, expected = qvel.copy(), self._foresight.of(contact.copy(), qpos)
        state = self.batch.state.copy() if whole and (self._is_watched or "sensordata" in entries) else None
        trees = self._pulled_trees()
        pulled, bases = trees[:, self.model.dof_treeid], bool((trees & self._bullet.has_base).any())
        self._pass_without_contact(expected, entries)
        inertia = self._inertia.matrix()
        torque = _times(inertia, (qvel - velocity) / self._timestep) + self._bias - expected
        torque = np.where(pulled, torque, 0.0)
        forces = self._layout.forces(torque, self._bullet.motion, bases=bases)
        self._bullet.step(self._moving, forces, trees, whole=whole)
        if "sensordata" in entries:
            self._note(entries["sensordata"], self._everyone)
            entries["sensordata"][:, self._forces.columns] = self._felt
        self._layout.to_mujoco(self._bullet.motion, qpos, qvel, bases=bases or whole)
        push = _times(inertia, (qvel - velocity) / self._timestep) + self._bias - torque
        contact[...] = np.where(pulled, push, 0.0)
        self._bullet.lost |= ~(np.isfinite(qpos).all(axis=1) & (np.abs(qvel) < MAX_SPEED).all(axis=1))
        if state is not None and len(self._forces.columns):
            self._feel(state, (qvel - velocity) / self._timestep)

    def _pass_without_contact(self, push: Floats, entries: dict[str, Array]) -> None:
        """Lets MuJoCo make a step under the force `push` [N, nv] instead of contacts, in time and activations too.

        On the way it computes all that follows from the state it begins in: that is what `entries` asks for.
        """
        states = STATE_FIELDS.intersection(entries)
        for name in states:
            entries[name][...] = self._fields.bound(name)
        applied = self.view("qfrc_applied")
        own = applied.copy()
        applied += push
        self._fields.call(self.batch.step, None, nstep=1, stage=mujoco_stage(NO_STAGE))
        applied[...] = own
        for name in entries.keys() - states:
            entries[name][...] = self._fields.bound(name)

    def _touch(self, rows: Any, fields: tuple[str, ...] = ()) -> None:
        """See `MujocoEngine`; a decision that is broken off does not go on."""
        super()._touch(rows, fields)
        self._goes_on = False

    def _require_held(self, state: NDArray[np.float64]) -> None:
        if not state[:, self._held[self._held < state.shape[1]]].all():
            raise UserError("engine bullet: this state has let go of an equality, and Bullet holds them all the time")

    def _pulled_trees(self) -> NDArray[np.bool_]:
        """Tells which trees [N, ntree] need forces from here: those under a law, and those that somebody pushes."""
        for index in np.flatnonzero(self._is_reformed).tolist():
            self._ruled[index] = ruled_trees(self.batch.get_model(index))
        self._is_reformed[:] = False
        pulled, model = self._ruled.copy(), self.model
        world, dof = np.nonzero(self.view("qfrc_applied"))
        pulled[world, model.dof_treeid[dof]] = True
        world, body, _ = np.nonzero(self.view("xfrc_applied"))
        can_move = model.body_treeid[body] >= 0
        pulled[world[can_move], model.body_treeid[body[can_move]]] = True
        return pulled

    def _with_contacts(self, sensordata: Array, ids: NDArray[np.int64]) -> Array:
        """Finds the contacts of the worlds `ids` and returns their `sensordata` [n, D] with them, and with forces."""
        if len(self._forces.columns):
            self._try(ids[~self._is_felt[ids]])
            sensordata[:, self._forces.columns] = self._felt[ids]
        if len(self._sensors.columns):
            self._bullet.load(ids, self)
            for index in ids[~self._bullet.lost[ids]].tolist():
                self._bullet[index].detect()
            self._note(sensordata, ids)
        return sensordata

    def _try(self, ids: NDArray[np.int64]) -> None:
        """Lets worlds that have just been put somewhere make one substep, takes note of forces, and takes it back."""
        if not len(ids) or self._tries:
            return
        state, lost = self.batch.state.copy(), self._bullet.lost.copy()
        self._tries, self._moving = True, ids
        self._foresight.forget()
        try:
            self._bullet.load(ids, self)
            self._substep({"sensordata": np.zeros((self.num_worlds, self.model.nsensordata))}, whole=True)
        finally:
            self._tries, self._moving = False, self._everyone
        self.batch.state[...], self._bullet.lost = state, lost
        self._fields.computed[:] = NO_STAGE
        super().forward()

    def _feel(self, state: Floats, qacc: Floats) -> None:
        """Takes note of the accelerations and forces of a substep.

        Args:
            state: [N, S] as it began.
            qacc: [N, nv] that it brought.
        """
        for index in self._moving[~self._bullet.lost[self._moving]].tolist():
            model, presses = self._bullet.own_model(index), self._bullet[index].presses()
            self._felt[index] = self._forces.read(model, state[index], qacc[index], presses)
        self._is_felt[self._moving] = True

    def _note(self, sensordata: Array, ids: NDArray[np.int64]) -> None:
        """Writes the contacts that Bullet found last into `sensordata` [n, D] of the worlds `ids`."""
        for row, index in enumerate(ids.tolist() if len(self._sensors.columns) else []):
            contacts = [] if self._bullet.lost[index] else self._bullet[index].touching()
            sensordata[row, self._sensors.columns] = self._sensors.read(contacts)


def _times(matrix: Floats, vector: Floats) -> Floats:
    """Multiplies matrices [N, D, D] with vectors [N, D], each on its own."""
    return np.asarray((matrix @ vector[..., None])[..., 0])
