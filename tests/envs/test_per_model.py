"""What is worked out once of a model, and forgotten with it."""

import copy
import gc
import weakref

import mujoco
import numpy as np
import pytest

from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.per_model import per_model
from robossl.envs.sensors import load

NUM_MODELS = 6
WRIST = """
<mujoco>
  <worldbody>
    <body>
      <geom size="0.1"/>
      <site name="wrist"/>
      <body pos="0 0 0.2"><geom size="0.1"/></body>
    </body>
  </worldbody>
</mujoco>
"""


def test_a_function_works_once_for_each_of_many_models() -> None:
    calls = list[tuple[int, str]]()

    @per_model
    def told(model: mujoco.MjModel, name: str) -> int:
        calls.append((model.nbody, name))
        return len(calls)

    models = [mujoco.MjModel.from_xml_string("<mujoco/>") for _ in range(NUM_MODELS)]
    first = [told(model, name) for model in models for name in "ab"]
    assert first == list(range(1, 2 * NUM_MODELS + 1))
    assert [told(model, name) for model in models for name in "ab"] == first
    assert len(calls) == 2 * NUM_MODELS


def test_a_copy_of_a_model_is_another() -> None:
    mass = per_model(lambda model: float(model.body_mass.sum()))
    model = mujoco.MjModel.from_xml_string(WRIST)
    twin = copy.copy(model)
    twin.body_mass[:] = 1
    assert mass(model) != mass(twin) == 3


def test_many_engines_of_one_process_weigh_their_loads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weighed = list[str]()
    weigh = load._load

    def counted(model: mujoco.MjModel, site: str, **parts: np.ndarray) -> load.Load:
        weighed.append(site)
        return weigh(model, site, **parts)

    monkeypatch.setattr(load, "_load", counted)
    engines = [MujocoEngine(mujoco.MjModel.from_xml_string(WRIST), 1, 1) for _ in range(NUM_MODELS)]
    for engine in 3 * engines:
        load.load_beyond(engine, "wrist", np.arange(1))
    assert len(weighed) == NUM_MODELS


def test_a_model_whose_load_was_weighed_is_not_kept() -> None:
    engine = MujocoEngine(mujoco.MjModel.from_xml_string(WRIST), 1, 1)
    load.load_beyond(engine, "wrist", np.arange(1))
    model = weakref.ref(engine.model)
    engine.close()
    del engine
    gc.collect()
    assert model() is None
