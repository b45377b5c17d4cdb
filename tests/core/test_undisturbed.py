"""What keeps Python quiet while a GPU records."""

import gc
import threading

import pytest

from robossl.core.undisturbed import undisturbed


def test_no_garbage_is_collected_meanwhile_and_is_again_afterwards():
    assert gc.isenabled()
    with undisturbed():
        with undisturbed():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_recording_that_fails_leaves_the_collector_on():
    with pytest.raises(RuntimeError), undisturbed():
        raise RuntimeError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_recordings_of_other_threads_wait():
    order = []
    other = threading.Thread(target=lambda: record(order, "other"))
    with undisturbed():
        other.start()
        other.join(0.05)
        order.append("mine")
    other.join()
    assert order == ["mine", "other"]


def record(order, name):
    with undisturbed():
        order.append(name)
