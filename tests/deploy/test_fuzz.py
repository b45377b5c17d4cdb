import contextlib

import pytest
from deploy_robots import TYPES
from fuzz_codecs import CODECS
from guard_fuzz import Figures, fuzz_block
from hypothesis import given
from hypothesis import strategies as st

from robossl.deploy.topics import MESSAGE_TYPES
from robossl.deploy.trips import RefusedMessageError, Trip


@pytest.mark.parametrize("codec", CODECS)
def test_hostile_messages_never_lead_to_a_command_outside_a_limit(codec: str) -> None:
    seen = Figures()
    for arm in (True, False):
        seen += fuzz_block((1, arm), codec, 1_500, arm=arm)
    assert seen.hostile > 500
    assert {Trip.MALFORMED_INPUT.value, Trip.STALE_INPUT.value} <= set(seen.trips)


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.binary(max_size=300), kind=st.sampled_from(sorted(MESSAGE_TYPES.values())))
def test_any_bytes_are_read_or_refused(codec: str, data: bytes, kind: str) -> None:
    found = CODECS[codec].unpack("/topic", kind, data)
    with contextlib.suppress(RefusedMessageError):
        TYPES.to_bytes(TYPES.from_bytes(found or b"", kind))


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_fifty_thousand_of_them_neither(codec: str) -> None:
    seen = Figures()
    for arm in (True, False):
        seen += fuzz_block((2, arm), codec, 25_000, arm=arm)
    assert set(seen.trips) >= {
        trip.value
        for trip in (
            Trip.MALFORMED_INPUT,
            Trip.NON_FINITE_ACTION,
            Trip.NON_FINITE_INPUT,
            Trip.OVERRUN,
            Trip.STALE_INPUT,
            Trip.OUT_OF_ORDER,
            Trip.EMERGENCY_STOP,
            Trip.FROZEN_INPUT,
            Trip.SECOND_COMMANDER,
            Trip.LOST_PEER,
            Trip.OBSTACLE,
            Trip.MEASURED_SPEED,
        )
    }
    assert seen.silences > 10
    assert seen.met > 2_000
    assert seen.commands > 8_000
