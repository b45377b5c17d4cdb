import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from robossl.core.motion_filter import braking_rate
from robossl.deploy.motion_filter import MotionFilter

POSITIVE = st.floats(0.05, 50.0)
HOSTILE = st.floats(allow_nan=False, allow_infinity=False)


def brute_force_braking(rate: float, acceleration: float, period_s: float) -> float:
    """Returns the way [m] that braking takes, this period included, by walking it."""
    way = 0.0
    while rate > 0:
        way += rate * period_s
        rate -= acceleration * period_s
    return way


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(room=st.floats(0.0, 10.0), acceleration=POSITIVE, period_s=st.floats(0.002, 0.1))
def test_braking_ends_exactly_at_the_bound(room: float, acceleration: float, period_s: float) -> None:
    rate = float(braking_rate(np, np.array([room]), np.array([acceleration]), period_s)[0])
    assert brute_force_braking(rate, acceleration, period_s) == pytest.approx(room, rel=1e-6, abs=1e-9)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    span=st.tuples(POSITIVE, POSITIVE),
    rate=POSITIVE,
    acceleration=POSITIVE,
    period_s=st.floats(0.002, 0.1),
    start=st.floats(0.0, 1.0),
    targets=st.lists(st.one_of(HOSTILE, st.none()), min_size=1, max_size=60),
    scale=st.floats(0.0, 1.0),
)
def test_no_target_leads_outside_any_bound(
    span: tuple[float, float],
    rate: float,
    acceleration: float,
    period_s: float,
    start: float,
    targets: list[float | None],
    scale: float,
) -> None:
    low, high = -span[0], span[1]
    motion = MotionFilter(
        low=np.array([low]),
        high=np.array([high]),
        rate=np.array([rate]),
        acceleration=np.array([acceleration]),
        period_s=period_s,
    )
    motion.start(np.clip(np.array([low + start * (high - low)]), low, high))
    for target in targets:
        before, velocity_before = motion.value[0], motion.velocity[0]
        if target is None:
            velocity = motion.braking_velocity()
        else:
            velocity = motion.step_velocity(np.array([target]), scale=scale)
        assert low - 1e-9 <= before + velocity[0] * period_s <= high + 1e-9  # before rounding is clipped away
        assert low <= motion.move(velocity)[0] <= high
        assert abs(velocity[0]) <= rate * (1 + 1e-12)
        assert abs(velocity[0] - velocity_before) <= acceleration * period_s * (1 + 1e-9)


def make_filter(**changes: NDArray[np.float64]) -> MotionFilter:
    bounds = {"low": [-1.0], "high": [2.0], "rate": [1.0], "acceleration": [5.0]}
    arrays = {name: np.array(value) for name, value in bounds.items()}
    return MotionFilter(**{**arrays, **changes}, period_s=0.02)


def test_a_still_target_is_reached_without_overshoot_and_kept() -> None:
    motion = make_filter()
    motion.start(np.array([-0.5]))
    path = [motion.move(motion.step_velocity(np.array([0.7])))[0] for _ in range(200)]
    assert max(path) <= 0.7 + 1e-12
    assert path[-1] == pytest.approx(0.7, abs=1e-12)
    way = 1.2 / 1.0 + 1.0 / 5.0  # at full speed, and what speeding up and braking lose
    assert next(i for i, x in enumerate(path) if x > 0.7 - 1e-9) * 0.02 == pytest.approx(way, abs=0.08)


def test_the_stopping_path_is_what_braking_does() -> None:
    motion = make_filter()
    motion.start(np.array([0.0]))
    for _ in range(30):
        motion.move(motion.step_velocity(np.array([2.0])))
    velocity = motion.step_velocity(np.array([2.0]))
    expected = motion.stopping_path(velocity)
    walked = [motion.move(velocity)] + [motion.move(motion.braking_velocity()) for _ in range(len(expected) - 1)]
    np.testing.assert_allclose(walked, expected, atol=1e-12)
    assert motion.velocity == 0.0


def test_a_start_outside_the_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="is outside"):
        make_filter().start(np.array([2.1]))


@pytest.mark.parametrize("changes", [{"rate": np.array([0.0])}, {"high": np.array([np.inf])}, {"low": np.array([3.0])}])
def test_impossible_bounds_are_refused(changes: dict[str, NDArray[np.float64]]) -> None:
    with pytest.raises(ValueError, match="bounds of a motion must"):
        make_filter(**changes)


def test_creeping_keeps_to_the_straight_line_and_to_every_bound() -> None:
    low, high, target = np.array([-1.0, -1.0]), np.array([1.0, 2.0]), np.array([0.9, 1.8])
    motion = MotionFilter(
        low=low, high=high, rate=np.array([1.0, 0.05]), acceleration=np.array([5.0, 8.0]), period_s=0.02
    )
    motion.start(np.array([0.0, 0.0]))
    for _ in range(5000):
        velocity = motion.creeping_velocity(target, scale=0.5)
        assert (np.abs(velocity) <= np.minimum(motion.bounds.rate, motion.bounds.step) + 1e-12).all()
        motion.move(velocity)
        assert motion.value[1] == pytest.approx(2.0 * motion.value[0], abs=1e-9)
    np.testing.assert_allclose(motion.value, target, atol=1e-3)


@settings(max_examples=200, deadline=None)
@given(target=HOSTILE, speed=st.floats(-1.0, 1.0), scale=st.floats(0.0, 1.0))
def test_creeping_from_any_motion_bears_the_bounds(target: float, speed: float, scale: float) -> None:
    motion = make_filter()
    motion.place(np.array([0.5]), np.array([speed]))
    before = motion.velocity.copy()
    velocity = motion.creeping_velocity(np.array([target]), scale=scale)
    assert (np.abs(velocity - before) <= motion.bounds.step * (1 + 1e-9)).all()
    assert (np.abs(velocity) <= motion.bounds.rate).all()
    assert -1.0 <= motion.move(velocity)[0] <= 2.0
