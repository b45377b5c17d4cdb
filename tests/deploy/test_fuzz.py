import sys

import pytest
from guard_fuzz import fuzz

from robossl.deploy.trips import Trip

ALWAYS = {Trip.MALFORMED_INPUT, Trip.NON_FINITE_ACTION, Trip.NON_FINITE_INPUT, Trip.OVERRUN, Trip.STALE_INPUT}


def test_hostile_messages_never_lead_to_a_command_outside_a_limit() -> None:
    assert set(fuzz(2_500, seed=1)) >= {Trip.MALFORMED_INPUT, Trip.NON_FINITE_ACTION}


@pytest.mark.slow
def test_a_million_of_them_neither() -> None:
    seen = fuzz(1_000_000, seed=0)
    sys.stdout.writelines(f"{trip.value:<20} {count}\n" for trip, count in seen.most_common())
    assert set(seen) >= ALWAYS
