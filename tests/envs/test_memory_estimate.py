"""Worlds that do not fit are refused before anything is allocated."""

from typing import Any

import pytest

from robossl.core import ArraySpec, UserError
from robossl.envs import EnvConfig, WorldSeed, make_env, task_env
from robossl.envs.memory_estimate import bytes_per_world
from robossl.envs.tasks.arm_push import ArmPush
from robossl.envs.tasks.rooms_point_goal import RoomsPointGoal


def refused(*arguments: Any) -> None:
    raise AssertionError("nothing is to be allocated")


def test_more_worlds_than_memory_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_env, "make_engine", refused)
    monkeypatch.setattr("robossl.envs.memory_estimate.available_bytes", lambda: 2**30)
    message = r"num-worlds 200000: they need about [\d.]+ GiB of memory and 1\.0 GiB are free: room for about [\d,]+$"
    with pytest.raises(UserError, match=message):
        make_env(EnvConfig(id="robossl/ArmPush-v0", num_worlds=200_000), WorldSeed())


def test_the_estimate_counts_pictures_and_what_is_random() -> None:
    task = ArmPush()
    model, proprio = task.build_model(), {"proprio": task.spec.vectors["proprio"]}
    plain = bytes_per_world(model, proprio, set(), {})
    assert 4_000 < plain < 9_000  # 9 KiB were measured, with the fields that the task itself varies
    picture = {"rgb_static": ArraySpec(shape=(64, 64, 3), dtype="uint8")}
    assert 12_288 < bytes_per_world(model, proprio | picture, set(), {}) - plain < 5.5 * 12_288
    assert bytes_per_world(model, proprio, {"geom_rgba"}, {}) - plain == 3 * model.geom_rgba.nbytes


def test_the_estimate_counts_what_a_task_remembers() -> None:
    task = RoomsPointGoal()
    model, goal = task.build_model(), {"goal": task.spec.vectors["goal"]}
    each = bytes_per_world(model, goal, {*task.spec.random_fields}, task.new_memory(1))
    assert 100 * 1024 < each < 140 * 1024  # 106 KiB were measured, nearly all of them shortest paths
