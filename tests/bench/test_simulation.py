import json
import math
from dataclasses import replace

import numpy as np
import pytest

from robossl.bench import pictures, stepping
from robossl.bench.setting import SimulationBench, make, robot_camera
from robossl.bench.simulation import lowest, run
from robossl.bench.stepping import Replay, record
from robossl.bench.turns import WARM_UP, Side, compare, told_of_turns
from robossl.core import CameraSpec, UnknownNameError, UserError
from robossl.envs.make import make_task

RING = "robossl/RingCorridor-v0"
SMALL = SimulationBench(
    env=RING, num_step_worlds=6, num_picture_worlds=2, num_processes=1, num_steps=12, num_repeats=1, num_threads=1
)
MEASURES = {
    "batch_vs_bare",
    "batch_vs_async",
    "gl_vs_bare",
    "render_vs_gymnasium",
    "modalities_vs_rgb",
    "end_to_end_vs_bare",
    "thread_scaling",
    "batch_vs_subprocess",
    "raycast_vs_bare",
}


@pytest.mark.parametrize("driver", ["random", "expert"])
def test_the_bare_loop_repeats_the_environments_physics_bit_for_bit(driver):
    env = make(SMALL, 6)
    tape = record(env, 12, driver)
    assert (tape.resets_per_step > 0) == (driver == "random")
    require_same_physics(env, tape)


def test_the_bare_loop_has_the_worlds_own_masses_and_frictions():
    env = make(replace(SMALL, env="robossl/ArmLift-v0"), 6)
    env.task.spec = replace(env.task.spec, max_episode_steps=7)
    tape = record(env, 12)
    assert tape.resets_per_step == 0.5
    assert {"body_mass", "body_inertia", "geom_friction"} <= tape.values.keys()
    require_same_physics(env, tape)


def require_same_physics(env, tape):
    end = env.world_state()
    replay = Replay(env, tape, 4)
    ours, bare = replay.ours(), replay.bare()
    for _ in range(2):  # to the tape's end, and once more from its beginning
        for turn in range(3):
            for side in (ours, bare):
                side.before()
                side.work()
            np.testing.assert_array_equal(replay.bare_state(), env.world_state())
            assert (env.world_state() == end).all() == (turn == 2)


def test_sides_take_turns_and_rates_are_per_counted_thing(monkeypatch):
    clock, calls = iter(range(1000)), []
    monkeypatch.setattr("robossl.bench.turns.time.perf_counter", lambda: float(next(clock)))
    ours = Side(work=lambda: calls.append("ours"), count=10, before=lambda: calls.append("before"))
    figures = compare(ours, Side(work=lambda: calls.append("bare"), count=40), 3, "steps_per_s")
    assert calls == ["before", "ours", "bare"] * (WARM_UP + 3)
    assert figures == pytest.approx({"steps_per_s": 10, "reference_steps_per_s": 40, "ratio": 0.25})


def test_whoever_waits_is_told_of_every_turn():
    side, told = Side(work=lambda: None, count=1), []
    with told_of_turns(lambda: told.append(0)):
        compare(side, side, 3, "steps_per_s")
    compare(side, side, 3, "steps_per_s")
    assert len(told) == WARM_UP + 3


def check(figures):
    assert all(value > 0 and math.isfinite(value) for key, value in figures.items() if key != "resets_per_step")
    assert "ratio" in figures


def test_pictures_are_compared_with_bare_rays():
    check(pictures.raycast(SMALL))
    check(pictures.modalities(SMALL))
    check(pictures.end_to_end(SMALL, "expert"))


def test_steps_are_compared_with_a_bare_loop():
    check(stepping.steps(SMALL, "random"))
    check(stepping.thread_scaling(SMALL))


def test_the_lowest_task_stands_for_all():
    tasks = {"a": {name: {"ratio": 2.0} for name in MEASURES}, "b": {name: {"ratio": 1.0} for name in MEASURES}}
    tasks["a"]["batch_vs_bare"] = {"ratio": 0.5}
    tasks["b"]["gl_vs_bare"] = {"unavailable": "no OpenGL"}
    for task in tasks.values():
        task.update({name: {"ratio": 1.0} for name in run_names() - MEASURES})
    found = lowest(tasks)
    assert found["batch_vs_bare"] == 0.5
    assert found["thread_scaling"] == 1.0
    assert found["gl_vs_bare"] is None


def run_names():
    from robossl.bench.simulation import _MEASURES

    assert set(_MEASURES) >= MEASURES
    return set(_MEASURES)


@pytest.mark.slow
def test_every_figure_is_a_positive_number_that_json_can_hold():
    figures = json.loads(json.dumps(run(SMALL)))
    assert set(figures) == run_names()
    for value in figures.values():
        if "unavailable" not in value:
            check(value)


def without(monkeypatch, is_kept):
    """Has the bench measure a task with fewer cameras, and without an expert."""
    task = make_task(RING)
    task.spec = replace(task.spec, cameras=tuple(camera for camera in task.spec.cameras if is_kept(camera.name)))
    monkeypatch.setattr(task, "expert", lambda: None)
    monkeypatch.setattr("robossl.bench.setting.load", lambda *_, **__: lambda: task)
    return task


def test_the_viewers_camera_is_measured_where_there_is_no_other(monkeypatch):
    viewer = make_task(RING).spec.viewer_camera
    without(monkeypatch, lambda name: name == viewer)
    assert robot_camera(make(SMALL, 1), pictures.SQUARE) == CameraSpec(name=viewer, width=64, height=64)


def test_a_task_without_cameras_is_refused_before_anything_is_measured(monkeypatch):
    without(monkeypatch, lambda name: False)
    reported = []
    with pytest.raises(UserError, match="RingCorridor-v0 has no camera"):
        run(SMALL, lambda *row: reported.append(row))
    assert reported == []


def test_random_actions_do_not_pass_for_an_experts(monkeypatch):
    without(monkeypatch, lambda name: True)
    with pytest.raises(UserError, match="RingCorridor-v0 has no expert"):
        record(make(SMALL, 1), 2, "expert")


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'robossl/RingCorridor-v0'"):
        run(SimulationBench(env="robossl/RingCoridor-v0"))
