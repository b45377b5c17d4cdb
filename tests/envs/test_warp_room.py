"""What worlds of engine `warp` take room for, and what is said where it does not suffice."""

import re

import numpy as np
import pytest

pytest.importorskip("mujoco_warp")

from warp_toys import MODEL, NEEDS_GPU

from robossl.core import UserError
from robossl.envs.engines import make_engine
from robossl.envs.host import on_host
from robossl.envs.make import make_task
from robossl.envs.mujoco_model import load_model
from robossl.envs.warp import room as warp_room
from robossl.envs.warp.library import mujoco_warp
from robossl.envs.warp.room import Room

DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_GPU)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_world_without_room_for_its_contacts_is_flagged_and_said_once(device, capfd):
    posts = "".join(f"<geom type='box' pos='{i % 9} {i // 9} 0' size='0.1 0.1 0.1'/>" for i in range(81))
    table = "<body pos='4 4 0.149'><freejoint/><geom type='box' size='5 5 0.05'/></body>"
    engine = make_engine("warp", load_model(f"<mujoco><worldbody>{posts}{table}</worldbody></mujoco>"), 2, 1, device)
    for _ in range(2):
        engine.step(np.zeros((2, 0)), 1)
        assert engine.diverged.all()
        engine.reset(np.arange(2))
        assert not engine.diverged.any()
    (said,) = (line for line in capfd.readouterr().err.splitlines() if "diverged" in line)
    found = re.fullmatch(
        r"engine warp: a world counts as diverged, as it had no room for contacts \(at least 324 where 81 fit\), "
        r"rows of constraints \(at least (\d+) where 198 fit\); engine mujoco has no such bound",
        said,
    )
    assert found
    assert 198 < int(found[1]) <= 2 * 324  # a GPU stops counting earlier


@pytest.mark.parametrize("device", DEVICES)
def test_there_is_room_for_all_things_to_rest(device):
    box = "<joint type='slide' axis='0 0 1'/><geom type='box' size='.1 .1 .1'/>"
    boxes = [f"<body pos='{0.3 * i} 0 0.099'>{box}</body>" for i in range(16)]
    scene = f"<mujoco><worldbody><geom type='plane' size='5 5 .1'/>{''.join(boxes)}</worldbody></mujoco>"
    engine = make_engine("warp", load_model(scene), 2, 1, device)
    engine.step(np.zeros((2, 0)), 2)
    assert not engine.diverged.any()
    assert on_host(engine.read("nefc")).tolist() == [256, 256]


@pytest.mark.parametrize("env_id", ["robossl/ArmLift-v0", "robossl/RoomsPointGoal-v0"])
def test_tasks_with_few_contacts_take_the_least_room(env_id):
    model = make_task(env_id).build_model()
    room = Room(model, mujoco_warp.put_model(model))
    assert room.num_contacts == 48
    assert room.num_rows == 192 + model.nv + model.jnt_limited.sum() + 6 * model.neq


def test_worlds_that_a_processor_has_no_memory_for_are_refused(monkeypatch):
    monkeypatch.setattr(warp_room, "available_bytes", lambda: 1_000_000)
    with pytest.raises(UserError, match=r"engine warp: 1000 worlds need about \d+ KiB each; there is memory for \d+"):
        make_engine("warp", MODEL, 1000, 1, "cpu")
