"""N worlds in Bullet: what each has been told of its own model, where its bodies are, and that they move."""

from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robossl.envs.bullet.fixtures import Fixtures
from robossl.envs.bullet.friction import FrictionFactors
from robossl.envs.bullet.layout import Layout
from robossl.envs.bullet.model import NONE, Blueprint, Floats
from robossl.envs.bullet.world import BulletWorld

_TOLD = ("body_mass", "body_inertia", "geom_friction")  # what a world can be told as it runs
_BUILT = ("geom_size",)  # what it has to be built anew for


class BulletWorlds:
    """Builds worlds, keeps them as their models say, and moves them.

    Args:
        blueprint: of every world, but for its own values.
        layout: of `motion`.
        books: the `MujocoEngine` that holds the worlds' own values.

    Attributes:
        motion: of all worlds, as they were loaded or, where they were fetched since, as Bullet moved them.
        lost: [N] worlds with a state that Bullet cannot go on from.
        has_base: [ntree] which trees move freely.
    """

    def __init__(self, blueprint: Blueprint, layout: Layout, books: Any) -> None:
        self._blueprint, self._layout, self._batch = blueprint, layout, books.batch
        self._versions = books.model_version
        self._frictions = FrictionFactors(blueprint.model, blueprint.pairs)
        self._factors = self._frictions.solve(blueprint.model.geom_friction)
        self._fixtures = Fixtures(blueprint, books.num_worlds)
        self._own_models: dict[int, tuple[int, mujoco.MjModel]] = {}
        self._changed = np.zeros(books.num_worlds, bool)  # worlds whose masses or frictions Bullet does not have yet
        self._outgrown = np.zeros(books.num_worlds, bool)  # worlds that are to be built anew
        self._is_resized = False
        self.motion = layout.empty(books.num_worlds)
        self.lost = np.zeros(books.num_worlds, bool)
        self.has_base = np.array([tree.joint != NONE for tree in blueprint.trees], bool)
        self._worlds = [self._new_world(index) for index in range(books.num_worlds)]

    def __getitem__(self, index: int) -> BulletWorld:
        """Returns a world."""
        return self._worlds[index]

    def note_change(self, field: str, ids: NDArray[np.int64]) -> bool:
        """Takes note that a field of the model has changed in the worlds `ids`; returns whether it is Bullet's."""
        if field in _BUILT:
            self._outgrown[ids] = self._is_resized = True
        elif field in _TOLD:
            self._changed[ids] = True
        return field in _BUILT or field in _TOLD

    def load(self, ids: NDArray[np.int64], books: Any) -> None:
        """Puts the state of the worlds `ids` into Bullet, with all that was changed of the model."""
        qpos, qvel = books.view("qpos"), books.view("qvel")
        bad = ~(np.isfinite(qpos).all(axis=1) & np.isfinite(qvel).all(axis=1))
        with np.errstate(all="ignore"):
            self.motion = self._layout.to_bullet(qpos, qvel)
            poses = self._fixtures.poses(books.view("mocap_pos"), books.view("mocap_quat"))
        for index in ids.tolist():
            if bad[index]:
                self.lost[index] = True
                continue
            if self.lost[index] or self._outgrown[index]:
                self._renew(index)
            if self._changed[index]:
                self._tell_changes(index)
            self._worlds[index].place(self._fixtures.moved(index, poses[index]), poses[index])
            self._worlds[index].load(index, self.motion)

    def step(
        self, ids: NDArray[np.int64], forces: tuple[Floats, ...], pulled: NDArray[np.bool_], *, whole: bool
    ) -> None:
        """Makes a step of the worlds `ids` under forces on some trees, and brings `motion` up to date for them.

        Args:
            ids: worlds; those that are lost stand still.
            forces: see `Layout.forces`.
            pulled: [N, ntree] trees that they pull.
            whole: whether `motion` is brought up to date for all trees.
        """
        every_tree = list(range(pulled.shape[1]))
        for index in ids[~self.lost[ids]].tolist():
            world, trees = self._worlds[index], np.flatnonzero(pulled[index]).tolist()
            world.pull(index, trees, forces, self.motion)
            world.step()
            world.fetch(index, every_tree if whole else trees, self.motion)

    def own_model(self, index: int) -> mujoco.MjModel:
        """Returns the model with a world's own values; it is copied out only when they have changed."""
        version = int(self._versions[index])
        if self._own_models.get(index, (-1, None))[0] != version:
            self._own_models[index] = version, self._batch.get_model(index)
        return self._own_models[index][1]

    def close(self) -> None:
        """Frees the worlds."""
        for world in self._worlds:
            world.close()
        self._worlds, self._batch = [], None

    def _renew(self, index: int) -> None:
        """Gives a world a new Bullet: in one that was lost, bodies may be gone for good."""
        self._worlds[index].close()
        self._worlds[index] = self._new_world(index)
        self._fixtures.forget(index)
        self.lost[index], self._outgrown[index], self._changed[index] = False, False, True

    def _new_world(self, index: int) -> BulletWorld:
        blueprint = replace(self._blueprint, model=self.own_model(index)) if self._is_resized else self._blueprint
        world = BulletWorld(blueprint, self._layout)
        world.set_frictions(self._factors)
        return world

    def _tell_changes(self, index: int) -> None:
        mass, inertia, friction = (self._value(field, index) for field in _TOLD)
        self._worlds[index].set_masses(mass, inertia)
        self._worlds[index].set_frictions(self._frictions.solve(friction))
        self._changed[index] = False

    def _value(self, field: str, index: int) -> Floats:
        own = self._batch.expanded(field)
        return np.asarray(getattr(self._blueprint.model, field) if own is None else own[index], np.float64)
