import os
import signal
import threading

import pytest

from robossl.training.interrupt import Interrupted, InterruptWish, naming


def test_nothing_happens_without_a_signal(tmp_path):
    with InterruptWish("saving") as wish:
        wish.raise_if_received(tmp_path)


def test_the_first_signal_is_noted_and_announced(tmp_path, capfd):
    with InterruptWish("saving") as wish:
        os.kill(os.getpid(), signal.SIGTERM)
        assert wish.received == signal.SIGTERM
        with pytest.raises(Interrupted, match=f"stopped by SIGTERM; continue from {tmp_path}") as caught:
            wish.raise_if_received(tmp_path)
    assert caught.value.exit_code == 143
    assert "saving; once more to stop at once" in capfd.readouterr().err


@pytest.mark.parametrize("stop", [Interrupted(signal.SIGTERM, None), KeyboardInterrupt()])
def test_whatever_is_stopped_the_run_is_named(tmp_path, stop):
    number = getattr(stop, "signal_number", signal.SIGINT)
    with pytest.raises(Interrupted, match=f"stopped by {number.name}; continue from {tmp_path}$"), naming(tmp_path):
        raise stop


@pytest.mark.parametrize("stop", [Interrupted(signal.SIGTERM, None), KeyboardInterrupt()])
def test_where_there_is_no_run_yet_none_is_named(stop):
    with pytest.raises(type(stop)) as caught, naming(None):
        raise stop
    assert "continue from" not in str(caught.value)


@pytest.fixture
def hangup():
    """Puts the handler of SIGHUP, which may be ignored where the tests run, to the system's and back."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_lost_terminal_is_told_twice_and_asks_once(tmp_path, hangup):
    with InterruptWish("saving") as wish:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    with pytest.raises(Interrupted, match=r"stopped by SIGHUP") as caught:
        wish.raise_if_received(tmp_path)
    assert caught.value.exit_code == 129


def test_what_is_being_saved_is_saved_though_the_terminal_is_lost_then(tmp_path, hangup):
    with InterruptWish("saving") as wish:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        assert wish.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_whoever_ignores_a_lost_terminal_goes_on(hangup):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    with InterruptWish("saving") as wish:
        os.kill(os.getpid(), signal.SIGHUP)
        assert wish.received is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_handlers_are_put_back_whatever_happens(hangup):
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(ZeroDivisionError), InterruptWish("saving"):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in numbers] == before


def test_outside_the_main_thread_signals_are_left_alone():
    handlers = []

    def work():
        with InterruptWish("saving"):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
