import json
from pathlib import Path

import numpy as np
import pytest
from bag_commands import command, write_bundle
from deploy_robots import PERIOD_S, TYPES, arm_contract, base_profile
from loopback_session import PROFILE, arm_when_ready, make_session, recorded
from loopback_world import World
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from robossl.core import Bundle
from robossl.deploy.recorder import Recorder
from robossl.deploy.recording import Recording
from robossl.deploy.session import Mode
from robossl.rehearsal.bridge_log import BridgeLog, read_log
from robossl.rehearsal.bridge_report import draw_report, limit_shares, quantiles_ms
from robossl.rehearsal.charts import Curve, bands, curves, histogram

RED, BLUE = (200, 40, 40), (31, 96, 176)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> BridgeLog:
    return read_log(Recording(recorded(tmp_path_factory.mktemp("live"))), PROFILE, period_s=PERIOD_S)


def test_a_log_holds_what_was_sent_measured_and_what_stopped_it(log: BridgeLog) -> None:
    assert [axis.name for axis in log.axes] == ["robot_joint1", "robot_joint2"]
    assert log.sent.shape == log.wanted.shape == (len(log.t_s), 2)
    running = np.array([state == "run" for state in log.states])
    assert np.isfinite(log.sent[running]).all()
    times, positions = log.measured["position:joint1"]
    assert positions[0] == 0
    assert positions[-1] == pytest.approx(np.nanmax(log.sent[:, 0]))
    assert times[-1] == pytest.approx(log.t_s[-1], abs=0.05)
    (trip,) = log.trips
    assert trip.text.startswith("stale_input: /camera/image_raw 0.1")
    assert (trip.pictures["front"] == 100).all()


def test_rates_are_those_of_commands_and_inside_their_limits(log: BridgeLog) -> None:
    rate, change = log.rates()
    np.testing.assert_allclose(np.nansum(rate[:, 0]) * PERIOD_S, np.nanmax(log.sent[:, 0]) - np.nanmin(log.sent[:, 0]))
    for i, axis in enumerate(log.axes):
        assert np.nanmax(np.abs(rate[:, i])) <= axis.rate * (1 + 1e-9)
        assert np.nanmax(np.abs(change[:, i])) <= axis.change * (1 + 1e-6)
    shares = limit_shares(log)
    assert shares["robot_joint1"] == pytest.approx(0.5, abs=1e-9)  # the session's share of the speed limits


def test_every_leg_has_a_time_for_every_command(log: BridgeLog) -> None:
    commanded, chosen = np.isfinite(log.sent).all(axis=1), np.isfinite(log.wanted).all(axis=1)
    legs = {leg: np.isfinite(seconds) for leg, seconds in log.took_s.items()}
    assert set(legs) == {"decide", "send", "input to command"}
    np.testing.assert_array_equal(legs["decide"], commanded)
    np.testing.assert_array_equal(legs["send"], commanded)
    np.testing.assert_array_equal(legs["input to command"], commanded & chosen)  # not for the stop that follows a trip
    assert quantiles_ms(log)["decide"]["p50"] <= quantiles_ms(log)["decide"]["p99"]


def test_the_picture_shows_the_camera_that_died(log: BridgeLog) -> None:
    picture = draw_report(log)
    assert picture.shape[1:] == (1200, 3)
    grey = (picture == 100).all(axis=-1)
    assert grey.sum() > 200 * 300
    without = draw_report(type(log)(**{**{k: getattr(log, k) for k in log.__slots__}, "trips": ()}))
    assert not (without == 100).all(axis=-1).any()
    assert picture.shape[0] - without.shape[0] == 250


@pytest.mark.parametrize("listens", [True, False])
def test_a_run_without_a_command_has_a_picture_too(tmp_path: Path, listens: bool) -> None:
    world, recorder = World(listens=listens), Recorder(tmp_path / "bag", TYPES)
    session = make_session(world, Mode.LIVE, recorder)
    session.describe(bundle="digest", profile=PROFILE.name, speed=0.5)
    if listens:
        session.period()
    else:
        arm_when_ready(session, world, 0.1)
    recorder.close()
    empty = read_log(Recording(tmp_path / "bag"), PROFILE, period_s=PERIOD_S)
    assert not np.isfinite(empty.sent).any()
    assert set(limit_shares(empty).values()) == {0.0}
    assert draw_report(empty).shape[0] > 100


def test_a_base_is_drawn_by_speed_and_turn() -> None:
    from robossl.rehearsal.bridge_log import _axes

    speed, turn = _axes(base_profile())
    assert (speed.low, speed.high, speed.rate, speed.change) == (-0.2, 0.8, 1.0, 10.0)
    assert (turn.measured, turn.derivatives) == ("yaw_rate_rad_s", ("acceleration [rad/s2]", "jerk [rad/s3]"))


def test_curves_break_at_gaps_and_limits_are_drawn_where_they_are() -> None:
    x = np.linspace(0.0, 1.0, 101)
    y = np.where((x > 0.4) & (x < 0.6), np.nan, 0.0)
    image = np.asarray(
        curves(
            (300, 120), "", [Curve(x, y, BLUE)], x_range=(0.0, 1.0), y_range=(-1.0, 1.0), limits=(0.5,), marks=(0.25,)
        )
    )
    blue = (image == BLUE).all(axis=-1).any(axis=0)
    left, right = 52, 290
    middle = (left + right) // 2
    assert blue[left + 5 : left + 80].sum() > 60
    assert not blue[middle - 15 : middle + 15].any()
    red = (image == RED).all(axis=-1)
    assert red[:, left + round(0.25 * (right - left))].sum() > 70
    assert (red.sum(axis=1) > 200).sum() == 1


def test_a_histogram_counts_and_a_band_has_its_colours() -> None:
    image = np.asarray(histogram((300, 120), "leg", np.full(10, 2.0), {"p50": 2.0}, "ms"))
    columns = np.flatnonzero((image == BLUE).all(axis=-1).sum(axis=0) > 50)
    assert len(columns) <= 8
    assert columns.mean() == pytest.approx(52 + (290 - 52) * 2.0 / 2.6, abs=6)
    colours = {"wait": (1, 2, 3), "run": (4, 5, 6)}
    band = np.asarray(bands((300, 62), "", np.array([0.0, 1.0, 4.0]), ("wait", "run", "run"), colours))
    assert (band[30] == (4, 5, 6)).all(axis=-1).sum() == pytest.approx(
        3 * (band[30] == (1, 2, 3)).all(axis=-1).sum(), rel=0.05
    )


def test_the_command_writes_a_picture_and_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE)
    bag = recorded(tmp_path, digest=Bundle(bundle).digest)
    words = ["bridge", str(bundle), "--profile", PROFILE.name, "--report", str(bag), "--json"]
    for _ in range(2):  # a second report replaces the first
        code, (out, _) = command(words, capsys)
        assert code == 0
    summary = json.loads(out.splitlines()[-1])
    assert [trip.split(":")[0] for trip in summary["trips"]] == ["stale_input"]
    report = Path(summary["report"])
    assert report == tmp_path / "reports" / "bag" / "report.png"
    assert Image.open(report).size[0] == 1200
    events = EventAccumulator(str(report.parent))
    events.Reload()
    assert {"deploy/latency_p99_ms", "deploy/latency_p50_ms", "deploy/decide_p99_ms", "deploy/trips"} <= set(
        events.Tags()["scalars"]
    )
    assert events.Tags()["images"] == ["deploy/report"]
    assert events.Scalars("deploy/trips")[-1].value == 1
    assert max(point.value for point in events.Scalars("deploy/limit_share")) == pytest.approx(0.5)
    assert len(list(report.parent.glob("events.*"))) == 1


def test_what_is_no_recording_of_this_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE)
    bag = recorded(tmp_path)
    for named, text in ((str(bag), "recorded with another bundle"), (str(tmp_path / "x"), "cannot be read")):
        code, (_, err) = command(["bridge", str(bundle), "--profile", PROFILE.name, "--report", named], capsys)
        assert code == 1
        assert err.count("\n") == 1
        assert text in err
    assert not (tmp_path / "reports").exists()
