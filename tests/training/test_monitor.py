import json

import pytest

from robossl.core import UserError
from robossl.training.monitor import MonitorFile


def info(r, length, distance):
    return {"episode": {"r": r, "l": length, "t": 9.9}, "is_success": r > 1, "metric/distance": distance}


def opened(path, state=None):
    monitor = MonitorFile(path, env_id="toy", metrics=("distance",))
    if state is not None:
        monitor.set_state(state)
    monitor.open()
    return monitor


def without_time(path):
    _, header, *rows = path.read_text().splitlines()
    assert header == "r,l,t,is_success,distance"
    return [row.split(",")[:2] + row.split(",")[3:] for row in rows]


def test_it_is_sb3s_format(tmp_path):
    path = tmp_path / "train.monitor.csv"
    monitor = opened(path)
    monitor.add([{}, info(1.23456789, 7, 0.5), {}, info(-1.0, 3, 0.25)])
    monitor.close()
    header = json.loads(path.read_text().splitlines()[0].removeprefix("#"))
    assert set(header) == {"t_start", "env_id"}
    assert without_time(path) == [["1.234568", "7", "1", "0.5"], ["-1.0", "3", "0", "0.25"]]


def test_success_is_no_number_where_nothing_is_told_of_it(tmp_path):
    path = tmp_path / "train.monitor.csv"
    monitor = opened(path)
    monitor.add([{"episode": {"r": 1.0, "l": 7, "t": 9.9}, "metric/distance": 0.5}, info(2.0, 3, 0.25)])
    monitor.close()
    assert [row[2] for row in without_time(path)] == ["nan", "1"]


def test_a_resumed_run_drops_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "train.monitor.csv"
    monitor = opened(path)
    monitor.add([info(2.0, 1, 0.0)])
    state = monitor.get_state()
    monitor.add([info(3.0, 2, 0.0)])
    monitor.close()
    path.write_bytes(path.read_bytes()[:-4])  # the crash came in the middle of a line
    monitor = opened(path, state)
    monitor.add([info(4.0, 3, 0.0)])
    monitor.close()
    assert [row[:2] for row in without_time(path)] == [["2.0", "1"], ["4.0", "3"]]


def test_a_lost_file_is_begun_anew(tmp_path):
    path = tmp_path / "train.monitor.csv"
    monitor = opened(path, {"size": 500, "begun_s": 1.0})
    monitor.close()
    assert without_time(path) == []


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*nowhere"):
        opened(tmp_path / "nowhere" / "train.monitor.csv")
