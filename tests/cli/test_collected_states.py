"""Which states a collection stores unless it is told, and what it keeps of an episode's draws."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robossl.cli.artifacts import collect_into
from robossl.core import UserError
from robossl.data import EpisodeStore
from robossl.envs import EnvConfig
from robossl.envs.make import make_task
from robossl.envs.mujoco_fields import columns_of
from robossl.training.collect import CollectConfig

ENV = EnvConfig(
    id="robossl/RingCorridor-v0", num_worlds=2, num_threads=1, observations=("rgb_front", "proprio"), image_size=(8, 8)
)
ONE = CollectConfig(steps=None, episodes=1)


def collected(folder: Path, config: CollectConfig, env: EnvConfig = ENV) -> EpisodeStore:
    collect_into(folder, env, config, 3)
    return EpisodeStore(folder)


@pytest.mark.parametrize(
    ("env", "pictures", "kept"),
    [
        (ENV, True, "exact"),
        (ENV, False, "physics"),
        (replace(ENV, observations=("proprio",)), True, "physics"),
        (EnvConfig(id="Pendulum-v1", num_worlds=2, num_threads=1), True, "exact"),
    ],
    ids=["pictures", "no-pictures", "none-observed", "foreign"],
)
def test_a_new_dataset_keeps_physics_where_it_stores_no_pictures(
    env: EnvConfig, pictures: bool, kept: str, tmp_path: Path
) -> None:
    store = collected(tmp_path, replace(ONE, pictures=pictures), env)
    assert store.config["states"] == kept
    if env.id == ENV.id:
        controls = columns_of(make_task(ENV.id).build_model(), ("ctrl",))
        assert store[0].state[1:, controls].any() == (kept == "exact")


@pytest.mark.parametrize("kept", ["exact", "physics"])
def test_what_is_added_is_what_the_dataset_holds(kept: Any, tmp_path: Path) -> None:
    collected(tmp_path, replace(ONE, pictures=False, states=kept))
    more = replace(ONE, pictures=False, episodes=3)
    store = collected(tmp_path, more)
    assert (len(store), store.config["states"]) == (3, kept)
    controls = columns_of(make_task(ENV.id).build_model(), ("ctrl",))
    assert all(store[i].state[1:, controls].any() == (kept == "exact") for i in range(3))
    other: Any = "physics" if kept == "exact" else "exact"
    with pytest.raises(UserError, match=f"holds {kept} states: {other} ones are not added to it"):
        collected(tmp_path, replace(more, episodes=4, states=other))


def test_the_index_keeps_the_mean_of_what_elements_drew(tmp_path: Path) -> None:
    env = replace(ENV, observations=("proprio",), randomise={"texture": (-1.0, 2.0), "mass": (1.5, 2.0)})
    episode = collected(tmp_path, ONE, env)[0]
    elements = make_task(ENV.id).spec.randomisations["texture"].elements  # type: ignore[union-attr]
    model = make_task(ENV.id).build_model()
    drawn = episode.model_values["geom_matid"][[model.geom(name).id for name in elements or ()]]
    assert len(np.unique(drawn)) > 1
    assert episode.info["randomise/texture"] == pytest.approx(drawn.mean())
    assert 1.5 <= episode.info["randomise/mass"] <= 2.0
