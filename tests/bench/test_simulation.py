import json
import math

import numpy as np
import pytest
from mujoco import batch as mujoco_batch

from robossl.bench.simulation import SimulationBench, raycast, record, replay, run
from robossl.core import UnknownNameError
from robossl.envs import EnvConfig, WorldSeed, make_env

RING = "robossl/RingCorridor-v0"


def test_the_bare_loop_repeats_the_environments_physics_bit_for_bit():
    env = make_env(EnvConfig(id=RING, num_worlds=6, observations=("proprio",), num_threads=1), WorldSeed())
    tape = record(env, 12)
    assert sum(len(ids) for ids, _ in tape.resets) > 0
    bare = mujoco_batch.Batch(env.engine.model, 6, 1)
    bare.state[:] = tape.start["physics"]
    replay(bare, tape, env.task.spec.num_substeps)
    np.testing.assert_array_equal(bare.state, env.world_state())


SMALL = SimulationBench(
    env=RING, num_step_worlds=2, num_picture_worlds=2, num_processes=1, num_steps=4, num_repeats=1, num_threads=1
)


def check(figures):
    rates = [value for key, value in figures.items() if key == "ratio" or key.endswith("per_s")]
    assert len(rates) == 3
    assert all(rate > 0 and math.isfinite(rate) for rate in rates)


def test_pictures_are_compared_with_bare_rays():
    check(raycast(SMALL))


@pytest.mark.slow
def test_every_figure_is_a_positive_number_that_json_can_hold():
    figures = json.loads(json.dumps(run(SMALL)))
    assert (figures["env"], figures["num_threads"]) == (RING, 1)
    for name in ("steps", "subprocess", "raycast"):
        check(figures[name])
    assert "unavailable" in figures["gl"] or figures["gl"]["ratio"] > 0


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'robossl/RingCorridor-v0'"):
        run(SimulationBench(env="robossl/RingCoridor-v0"))
