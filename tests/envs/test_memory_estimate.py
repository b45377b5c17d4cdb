"""Worlds that do not fit are refused before anything is allocated."""

from pathlib import Path
from typing import Any

import pytest

from robossl.core import ArraySpec, UserError, memory
from robossl.core.memory import available_bytes, resident_bytes
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


def test_a_container_s_memory_is_its_limit_less_what_it_cannot_give_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert available_bytes() is None
    (tmp_path / "meminfo").write_text("MemTotal:       100 kB\nMemFree:        10 kB\nMemAvailable:   70 kB\n")
    assert available_bytes() == 70 * 1024
    files = {"max": "1000\n", "current": "900\n", "stat": "anon 300\ninactive_file 550\nactive_file 50\n"}
    for name, text in files.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert available_bytes() == 1000 - 900 + 550  # files that were written lately fill it, and make room when asked
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes() == 70 * 1024


def test_the_system_tells_its_memory() -> None:
    held, free = resident_bytes(), available_bytes()
    if held is None or free is None:
        pytest.skip("needs a system that tells its memory (/proc)")
    assert 2**24 < held < 2**40
    assert free > 0
