import io

import pytest

from robossl.training import progress
from robossl.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(progress, "time", Clock())
    return progress.time


def test_without_a_terminal_a_line_comes_now_and_then(clock):
    stream = io.StringIO()
    with Progress("train", 1000, "steps", initial=100, stream=stream) as bar:
        for _ in range(25):
            clock.now += 1.0
            bar.show(reward=1.5)
            bar.add(20)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "train: 300/1,000 steps, 20.0 steps/s, 0:10, 0:35 left, reward 1.5",
        "train: 500/1,000 steps, 20.0 steps/s, 0:20, 0:25 left, reward 1.5",
        "train: 600/1,000 steps, 20.0 steps/s, 0:25, 0:20 left, reward 1.5",
    ]


def test_another_total_may_be_expected_on_the_way(clock):
    stream, terminal = io.StringIO(), Terminal()
    for out in (stream, terminal):
        with Progress("collect", 1000, "steps", stream=out) as bar:
            clock.now += 10.0
            bar.expect(200)
            bar.add(100)
    assert stream.getvalue().splitlines()[0] == "collect: 100/200 steps, 10.0 steps/s, 0:10, 0:10 left"
    assert "100/200" in terminal.getvalue()


def test_nothing_done_says_nothing(clock):
    stream = io.StringIO()
    with Progress("train", 10, "steps", stream=stream):
        pass
    assert stream.getvalue() == ""


def test_on_a_terminal_there_is_a_bar():
    stream = Terminal()
    with Progress("train", 10, "steps", stream=stream) as bar:
        bar.to(4)
        bar.show(reward=0.25)
        bar.say("evaluation")
        bar.to(10)
    text = stream.getvalue()
    assert "evaluation\n" in text
    assert "10/10" in text
    assert "reward=0.25" in text


def test_a_total_that_nobody_knows_is_left_out(clock):
    stream = io.StringIO()
    with Progress("record", 0, "steps", stream=stream) as bar:
        clock.now = 10.0
        bar.add(20)
    assert stream.getvalue() == "record: 20 steps, 2.0 steps/s, 0:10\n"  # once, though it ends there


def test_results_go_to_stdout_and_lines_may_be_left_out(clock, capsys):
    stream, terminal = io.StringIO(), Terminal()
    for out in (stream, terminal):
        with Progress("bench", 2, "turns", stream=out, has_lines=False) as bar:
            clock.now += 60.0
            bar.add(1)
            bar.result("a row")
    assert capsys.readouterr().out == "a row\n" * 2
    assert stream.getvalue() == ""
    assert "1/2" in terminal.getvalue()


def test_hours_are_written_out(clock):
    stream = io.StringIO()
    with Progress("train", 2, "steps", stream=stream) as bar:
        clock.now = 3725.0
        bar.add(1)
    assert "1:02:05, 1:02:05 left" in stream.getvalue()
