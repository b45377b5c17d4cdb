"""docs/environments.md is written from the code."""

import re
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from robossl.cli.envs_page import page
from robossl.core import Draws, Stream
from robossl.core.registry import TASKS, load
from robossl.envs.sensors.suite import sensor_specs
from robossl.envs.tasks.rooms_config import RoomsConfig
from robossl.envs.tasks.rooms_point_goal import RoomsPointGoal

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_of_environments_is_up_to_date() -> None:
    assert (DOCS / "environments.md").read_text() == page(), "out of date: run `make docs`"


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    return dict(re.findall(r"^## (robossl/\S+)\n(.*?)(?=^## |\Z)", page(), flags=re.MULTILINE | re.DOTALL))


def test_every_environment_has_its_section_with_pictures_that_exist(sections: dict[str, str]) -> None:
    assert list(sections) == list(TASKS)
    for env_id, text in sections.items():
        pictures = re.findall(r"!\[\w+\]\((\S+)\)", text)
        assert pictures or "All else is as in" in text, f"{env_id} has no picture in assets/*/"
        assert all((DOCS / path).is_file() for path in pictures)
        assert "**Success**: " in text
        assert "| reward term" in text


def test_a_variant_tells_what_differs_and_where_the_rest_is(sections: dict[str, str]) -> None:
    text = sections["robossl/ArmLiftGoal-v0"]
    assert "All else is as in [`robossl/ArmLift-v0`](#robosslarmlift-v0)." in text
    assert "`desired_goal`" in text
    assert "| `distance` | from what was achieved to the desired goal, m |" in text
    assert "| camera |" not in text


def test_nothing_in_a_table_is_left_open(sections: dict[str, str]) -> None:
    for env_id, text in sections.items():
        for row in re.findall(r"^\|(.*)\|$", text, flags=re.MULTILINE):
            assert all(cell.strip() for cell in row.split(" | ")), f"{env_id}: {row}"


def test_every_element_is_found_at_its_place(sections: dict[str, str]) -> None:
    assert (
        "0-6 joint1..7_rad, 7-8 finger1..2_m, 9-15 joint1..7_rad_s, 16-17 finger1..2_m_s, 18 tool_x_w_m"
        in (sections["robossl/ArmLift-v0"])
    )
    assert "in each of 6 rows: 0 force_x_n, 1 force_y_n" in sections["robossl/ArmLift-v0"]
    assert "in each of 12 rows: 0 x_m, 1 y_m, 2 cos_yaw" in sections["robossl/RingCorridor-v0"]


def test_a_section_says_when_episodes_end_early(sections: dict[str, str]) -> None:
    assert "at most 200 an episode (50 s). It ends early at the first contact." in sections["robossl/RingCorridor-v0"]
    assert "It ends early at the goal." in sections["robossl/RoomsPointGoal-v0"]
    for env_id in ("ArmPush", "ArmLift", "ArmPushGoal", "ArmLiftGoal"):
        assert "It ends early when the block has fallen off the table." in sections[f"robossl/{env_id}-v0"]
    for env_id in ("ArmReach", "ArmPegInBox", "ArmReachGoal", "ArmPegInBoxGoal"):
        assert "early" not in sections[f"robossl/{env_id}-v0"]


def test_where_a_contact_ends_episodes_of_rooms_the_task_says_so() -> None:
    spec = RoomsPointGoal(RoomsConfig(ends_at_collision=True)).spec
    assert spec.ends_early == "at the goal, or at the first contact"


def test_commands_tell_how_they_follow_from_actions(sections: dict[str, str]) -> None:
    rooms = sections["robossl/RoomsPointGoal-v0"]
    assert "| 0.22 x action, kept in -0.11 to 0.22; changes by at most 0.125 m/s a decision |" in rooms
    assert "| 1.5 x action; changes by at most 0.8 rad/s a decision |" in rooms
    assert "| none | `speed_m_s` | always 2 |" in sections["robossl/RingCorridor-v0"]
    assert "| `grip` | `finger_m` | 0.02 + 0.02 x action |" in sections["robossl/ArmLift-v0"]


def test_levels_tell_arrays_and_ranges_that_are_others_there(sections: dict[str, str]) -> None:
    ring, lift = sections["robossl/RingCorridor-v0"], sections["robossl/ArmLift-v0"]
    assert "| `obstacles` | float32[12, 7] | float32[12, 7] | float32[26, 7] |" in ring
    assert re.search(r"^\| `--randomise.mass` \| .* 0\.1 kg \| .* 0\.2 kg \| .* 0\.4 kg \|$", lift, flags=re.MULTILINE)
    assert "| `friction` | (0.6, 1.0) | (0.6, 1.0) | (0.4, 0.8) |" in lift


def test_every_truth_says_what_it_is() -> None:
    for env_id in TASKS:
        spec = _task(env_id).spec
        assert list(spec.privileged_texts) == list(spec.privileged), env_id
        assert all(spec.privileged_texts.values()), env_id


def test_truth_has_units() -> None:
    for env_id in TASKS:
        for key, array in _task(env_id).spec.privileged.items():
            assert len(array.units) == len(array.names) == array.shape[-1], (env_id, key)


def test_every_sensors_columns_have_names_and_units() -> None:
    for env_id in TASKS:
        task = _task(env_id)
        for key, array in sensor_specs(task.build_model(), task.spec.sensors, task.spec.num_substeps).items():
            assert len(array.units) == len(array.names) == array.shape[-1], (env_id, key)


@pytest.mark.parametrize(("env_id", "bodies"), [("RingCorridor", ("car",)), ("RoomsPointGoal", ("robot",))])
def test_sites_of_sensors_have_the_axes_of_their_body(env_id: str, bodies: tuple[str, ...]) -> None:
    model = _task(f"robossl/{env_id}-v0").build_model()
    assert {model.body(body).name for body in model.site_bodyid} == set(bodies)
    np.testing.assert_array_equal(model.site_quat, np.tile([1, 0, 0, 0], (model.nsite, 1)))


@pytest.mark.parametrize("env_id", ["ArmReach", "ArmPush", "ArmLift", "ArmPegInBox"])
def test_the_hand_points_down_as_the_page_says(env_id: str) -> None:
    task = _task(f"robossl/{env_id}-v0")
    model = task.build_model()
    data = mujoco.MjData(model)
    data.qpos[:] = task.layout(Draws(0, Stream.EVAL, np.zeros(1, np.int64), np.zeros(1, np.int64)))["qpos"][0]
    mujoco.mj_kinematics(model, data)
    for axes in (data.body("hand").xmat, data.site("wrist").xmat):
        np.testing.assert_allclose(axes.reshape(3, 3), np.diag([1, -1, -1]), atol=0.1)


def _task(env_id: str) -> Any:
    return load(TASKS, env_id, what="environment")()
