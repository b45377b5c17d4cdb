import pytest

from robossl.core import UserError
from robossl.training.cadence import Every


def test_it_is_due_once_per_interval_however_far_steps_leap():
    every = Every(10)
    assert [every.due(step) for step in (0, 4, 8, 12, 16, 20, 45, 48, 50)] == [
        False, False, False, True, False, True, True, False, True,
    ]  # fmt: skip


def test_its_state_goes_on_where_it_was():
    first, second = Every(10), Every(10)
    first.due(18)
    second.set_state(first.get_state())
    assert [second.due(step) for step in (19, 21)] == [False, True]


def test_never_is_never():
    assert not any(Every(None).due(step) for step in range(100))


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(UserError, match="at least 1"):
        Every(0)
