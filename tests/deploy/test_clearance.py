"""A depth camera bounds a base as a scanner does; what it does not see is not free."""

from dataclasses import replace

import numpy as np
import pytest
from deploy_robots import PERIOD_S, VIEW, Scripted, base, base_contract, base_profile, depth_image, odometry, scan
from numpy.typing import NDArray

from robossl.core import UserError
from robossl.deploy.bridge import Bridge, Event, State
from robossl.deploy.clearance import HEADINGS_RAD, MAX_PIXELS, STRAIGHT, depth_clearance, scan_clearance
from robossl.deploy.limits import BaseLimits, NoObstacleSensing, ObstacleLimit
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import CameraTopic, DepthView, ScanInput
from robossl.deploy.trips import RefusedMessageError, Trip

LIMIT = base().obstacle
assert isinstance(LIMIT, ObstacleLimit)
ROWS, COLUMNS = 48, 64
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def seen(*boxes: Box, view: DepthView = VIEW) -> NDArray[np.float32]:
    """Draws the floor and boxes ((x, x), (left, left), (height, height)) by casting a ray for each pixel."""
    tangent = np.tan(view.fov_y_rad / 2)
    v, u = np.meshgrid((np.arange(ROWS) + 0.5) * 2 / ROWS - 1, (np.arange(COLUMNS) + 0.5) * 2 / ROWS - COLUMNS / ROWS)
    right, down = (u * tangent).T, (v * tangent).T
    cos, sin = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
    ray = np.stack([cos - down * sin, -right, -sin - down * cos], -1)  # per m of depth
    eye = np.array([view.forward_m, view.left_m, view.height_m])
    with np.errstate(divide="ignore"):
        depth = np.where(ray[..., 2] < 0, -eye[2] / ray[..., 2], np.inf)
        for box in boxes:
            ends = np.sort((np.array(box)[None, None] - eye[:, None]) / ray[..., None], axis=-1)
            enter, leave = ends[..., 0].max(-1), ends[..., 1].min(-1)
            depth = np.where((enter <= leave) & (enter > 0), np.minimum(depth, enter), depth)
    return depth.astype(np.float32)[..., None]


def ahead(picture: NDArray[np.float32], view: DepthView = VIEW) -> float:
    assert isinstance(LIMIT, ObstacleLimit)
    return float(depth_clearance(picture, view, LIMIT)[0, STRAIGHT] + LIMIT.front_m)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ((), VIEW.far_m),
        ((((1.5, 1.6), (-2.0, 2.0), (0.0, 2.0)),), 1.5),
        ((((1.5, 1.6), (-0.1, 0.1), (0.0, 0.2)), ((0.9, 1.0), (0.3, 0.6), (0.0, 1.0))), 1.5),  # the nearer one is aside
        ((((1.5, 1.6), (-2.0, 2.0), (0.0, 0.03)),), VIEW.far_m),  # it drives over that
        ((((1.5, 1.6), (-2.0, 2.0), (0.7, 2.0)),), VIEW.far_m),  # and under this
        ((((4.0, 4.1), (-2.0, 2.0), (0.0, 2.0)),), VIEW.far_m),
    ],
)
def test_the_nearest_thing_in_the_corridor_counts(boxes: tuple[Box, ...], expected: float) -> None:
    assert ahead(seen(*boxes)) == pytest.approx(expected, abs=1e-5)


def test_turned_ways_are_those_of_a_base_that_has_turned_already() -> None:
    """A scanner in the middle of a round base: what it sees at a heading is what it would see straight ahead there."""
    assert isinstance(LIMIT, ObstacleLimit)
    source = ScanInput(topic="/scan", max_age_s=0.1)
    ranges = np.random.default_rng(0).uniform(0.5, 4.0, 72)  # a ray each 5 degrees, as the headings
    ways = scan_clearance(scan(1, ranges), source, LIMIT)
    for k in range(len(HEADINGS_RAD)):
        turned = scan_clearance(scan(1, np.roll(ranges, STRAIGHT - k)), source, LIMIT)
        np.testing.assert_allclose(ways[:, k], turned[:, STRAIGHT], atol=1e-6)


def test_at_headings_that_a_camera_does_not_show_it_knows_of_no_way() -> None:
    assert isinstance(LIMIT, ObstacleLimit)
    post = ((1.0, 1.05), (0.5, 0.55), (0.0, 0.5))  # 27 degrees to the left
    ways = depth_clearance(seen(post), VIEW, LIMIT)
    assert np.isnan(ways[1]).all()
    known = np.flatnonzero(~np.isnan(ways[0]))
    assert known.tolist() == list(range(known[0], known[-1] + 1))
    assert 1 <= STRAIGHT - known[0] < STRAIGHT
    far, turned = ways[0, STRAIGHT], ways[0, known[-1]]
    assert far == pytest.approx(VIEW.far_m - LIMIT.front_m)
    assert turned == pytest.approx(np.hypot(1.0, 0.5) - LIMIT.front_m, abs=0.1)


def test_noise_is_no_obstacle_and_what_is_too_near_is_one() -> None:
    picture = seen()
    picture[20:21, 30:33] = 0.8
    assert ahead(picture) == VIEW.far_m
    picture[20:21, 30:34] = -np.inf
    assert ahead(picture) == pytest.approx(VIEW.forward_m)


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_a_way_of_which_too_much_is_not_measured_is_not_free(nothing: float) -> None:
    picture = seen()
    picture[:, :32] = nothing
    assert ahead(picture) == pytest.approx(LIMIT.front_m)  # type: ignore[union-attr]
    assert ahead(picture, replace(VIEW, max_failed=0.6)) == VIEW.far_m


def test_pictures_that_do_not_show_the_way_are_refused() -> None:
    for picture, view, message in (
        (seen(), replace(VIEW, far_m=0.3), "to each side at 0.3 m, not the way"),
        (seen(), replace(VIEW, pitch_rad=-1.2, high_m=0.2), "no pixel of which looks at the way"),
        (np.zeros((1, MAX_PIXELS + 1, 1), np.float32), VIEW, "pixels"),
    ):
        with pytest.raises(RefusedMessageError, match=message):
            ahead(picture, view)


def watched(*, scanner: bool = False) -> RobotProfile:
    camera = CameraTopic(topic="/depth", max_age_s=0.1, sensor="front", encoding="32FC1", obstacles=VIEW)
    own = base_profile().inputs
    return base_profile(inputs=(*(own if scanner else own[:1]), camera))


def test_a_base_with_a_depth_camera_alone_stops_short_of_a_wall_and_does_not_reverse() -> None:
    policy = Scripted(base_contract(), 2.0, 0.0)
    bridge = Bridge(policy, watched(), speed=1.0, obeyed=True)
    x, speed = 0.0, 0.0
    for k in range(400):
        t_s, wall = k * PERIOD_S, 1.8 - x
        bridge.receive("/odom", odometry(1 + round(t_s * 1e9), speed), t_s)
        picture = seen(((wall, wall + 0.1), (-2.0, 2.0), (0.0, 2.0)))
        bridge.receive("/depth", depth_image(1 + round(t_s * 1e9), picture), t_s)
        tick = bridge.tick(t_s)
        bridge.handle(Event.ARM)
        speed = 0.0 if tick.command is None else float(tick.command[0])
        x += speed * PERIOD_S
        policy.answer = np.array([2.0 if k < 200 else -2.0, 0.0])
        assert k > 200 or speed >= 0
        assert k < 250 or speed == pytest.approx(0.0, abs=1e-9)
    assert tick.state is State.RUN
    assert isinstance(LIMIT, ObstacleLimit)
    assert LIMIT.stop_m <= 1.8 - x - LIMIT.front_m < LIMIT.stop_m + 0.2


def test_of_scanner_and_camera_the_nearer_one_counts() -> None:
    bridge = Bridge(Scripted(base_contract(), 2.0, 0.0), watched(scanner=True), speed=1.0, obeyed=True)
    bridge.receive("/odom", odometry(1, 0.0), 0.0)
    bridge.receive("/scan", scan(1, np.full(36, 9.0)), 0.0)
    bridge.receive("/depth", depth_image(1, seen(((1.5, 1.6), (-2.0, 2.0), (0.0, 0.2)))), 0.0)
    measured = bridge.observations.build(0.0).measured
    assert measured is not None
    assert measured.clearance_m is not None
    assert measured.clearance_m[:, STRAIGHT] == pytest.approx((1.3, 8.8))
    bridge.receive("/scan", scan(2, np.full(36, 1.0)), 0.0)
    measured = bridge.observations.build(0.0).measured
    assert measured is not None
    assert measured.clearance_m is not None
    assert measured.clearance_m[:, STRAIGHT] == pytest.approx((0.8, 0.8), abs=0.02)


def test_a_depth_camera_that_dies_stops_the_base() -> None:
    bridge = Bridge(Scripted(base_contract(), 0.3, 0.0), watched(), speed=1.0, obeyed=True)
    for k in range(20):
        t_s = k * PERIOD_S
        bridge.receive("/odom", odometry(1 + round(t_s * 1e9), 0.0), t_s)
        if k < 10:
            bridge.receive("/depth", depth_image(1 + round(t_s * 1e9), seen()), t_s)
        tick = bridge.tick(t_s)
        bridge.handle(Event.ARM)
        if tick.trips:
            break
    assert [(record.trip, record.what) for record in tick.trips] == [(Trip.STALE_INPUT, "/depth")]


def test_what_is_missing_or_contradicts_itself_is_refused_by_name() -> None:
    odometry_only = base_profile().inputs[:1]
    plain = CameraTopic(topic="/depth", max_age_s=0.1, sensor="front", encoding="32FC1")
    with pytest.raises(UserError, match=r"a depth camera whose `obstacles` say where it is mounted"):
        base_profile(inputs=(*odometry_only, plain))
    with pytest.raises(UserError, match=r"/depth: a camera with obstacles must give depth, got rgb8"):
        replace(plain, encoding="rgb8", obstacles=VIEW)
    limits = base_profile().limits
    assert isinstance(limits, BaseLimits)
    with pytest.raises(UserError, match=r"/depth has obstacles, but limits\.obstacle is not of kind 'sensed'"):
        replace(watched(), limits=replace(limits, obstacle=NoObstacleSensing(because="a test")))
    for changes in ({"fov_y_rad": 0.0}, {"far_m": 0.05}, {"low_m": 0.7}, {"min_pixels": 0}, {"max_failed": 1.0}):
        with pytest.raises(UserError):
            replace(VIEW, **changes)  # type: ignore[arg-type]
