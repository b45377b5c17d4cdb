"""What worlds have of a model field: values of their own, or the model's."""

import numpy as np
import pytest

from robossl.envs.mujoco_engine import MujocoEngine
from robossl.envs.mujoco_fields import in_visible_group
from robossl.envs.mujoco_model import load_model
from robossl.envs.world_values import own_or_shared, per_world

XML = "<mujoco><worldbody><body><geom size='0.1'/></body></worldbody></mujoco>"


@pytest.mark.parametrize("field", ["geom_rgba", "opt.gravity"])
def test_shared_values_are_the_models_and_own_ones_the_worlds(field: str) -> None:
    engine, ids = MujocoEngine(load_model(XML), 3, 1), np.array([2, 0])
    shared = own_or_shared(engine, field)
    assert len(shared) == len(own_or_shared(engine, field, ids)) == 1
    np.testing.assert_array_equal(per_world(engine, field, ids), np.concatenate([shared, shared]))
    engine.randomise(field, shared / 2, np.array([2]))
    np.testing.assert_array_equal(own_or_shared(engine, field), np.concatenate([shared, shared, shared / 2]))
    for values in (own_or_shared(engine, field, ids), per_world(engine, field, ids)):
        np.testing.assert_array_equal(values, np.concatenate([shared / 2, shared]))


def test_groups_that_mujoco_does_not_have_count_as_the_nearest() -> None:
    np.testing.assert_array_equal(in_visible_group(np.array([-1, 0, 2, 3, 5, 9])), [1, 1, 1, 0, 0, 0])
    assert in_visible_group(-1)
    assert not in_visible_group(9)
