"""Messages on a faulty link: late, lost, or backwards, and never those that are spared."""

import numpy as np
import pytest

from robossl.deploy.transports import Topic
from robossl.deploy.transports.loopback import LoopbackNetwork, LoopbackTransport
from robossl.rehearsal.faults import FaultName, Faults, FaultSizes
from robossl.rehearsal.faulty_link import REVERSED, FaultyLink

DATA, STATUS = (Topic(name=name, type="std_msgs/msg/String") for name in ("/data", "/status"))
PERIOD_NS = 10_000_000


class Line:
    """A faulty robot and a sound bridge, both of which speak and hear the same topics; time is told, not passed."""

    def __init__(self) -> None:
        self.t_ns = 0
        network = LoopbackNetwork(sleep=lambda seconds: None)
        self.faults = Faults(FaultSizes(delay_s=0.1))
        self.robot = FaultyLink(LoopbackTransport(network), self.faults, self, spared=(STATUS.name,))
        self.bridge = LoopbackTransport(network)
        self.heard: dict[str, list[tuple[int, int]]] = {"robot": [], "bridge": [], "status": []}
        for topic in (DATA, STATUS):
            self.robot.advertise(topic)
        self.bridge.advertise(DATA)
        self.robot.subscribe(DATA, lambda data: self.heard["robot"].append((self.t_ns, data[0])))
        self.bridge.subscribe(DATA, lambda data: self.heard["bridge"].append((self.t_ns, data[0])))
        self.bridge.subscribe(STATUS, lambda data: self.heard["status"].append((self.t_ns, data[0])))

    def now_ns(self) -> int:
        return self.t_ns

    def wall_ns(self) -> int:
        return self.t_ns

    def run(self, count: int, *, speak: bool = True) -> None:
        for i in range(count):
            if speak:
                self.robot.publish(DATA.name, bytes([i]))
                self.robot.publish(STATUS.name, bytes([i]))
                self.bridge.publish(DATA.name, bytes([i]))
            self.robot.spin_once(0.0)
            self.bridge.spin_once(0.0)
            self.t_ns += PERIOD_NS

    def numbers(self, who: str) -> list[int]:
        return [number for _, number in self.heard[who]]


@pytest.mark.parametrize("fault", [None, "delayed", "slow_network", "lost_link", "reordered"])
def test_what_is_spared_comes_at_once_and_in_order(fault: FaultName | None) -> None:
    line = Line()
    if fault:
        line.faults.switch(fault, True, 0)
    line.run(20)
    assert line.heard["status"] == [(i * PERIOD_NS, i) for i in range(20)]


def test_without_a_fault_everything_passes_both_ways() -> None:
    line = Line()
    line.run(5)
    assert line.numbers("bridge") == line.numbers("robot") == list(range(5))


def test_delayed_messages_are_late_by_as_much_both_ways() -> None:
    line = Line()
    line.faults.switch("delayed", True, 0)
    line.run(12)
    line.run(12, speak=False)
    for who in ("bridge", "robot"):
        assert line.heard[who] == [(i * PERIOD_NS + 100_000_000, i) for i in range(12)]


def test_a_slow_network_keeps_the_order_of_a_topic() -> None:
    line = Line()
    line.faults.switch("slow_network", True, 0)
    line.run(200)
    line.faults.switch("slow_network", False, line.t_ns)
    line.run(200, speak=False)
    assert line.numbers("robot") == list(range(200))
    assert line.numbers("bridge") == sorted(line.numbers("bridge"))  # of what comes at once it keeps the newest
    late_s = np.array([at_ns - number * PERIOD_NS for at_ns, number in line.heard["robot"]]) / 1e9
    assert late_s.min() >= 0
    assert late_s.mean() > 0.1  # in order, the slowest hold up those behind them


def test_what_is_late_is_awaited_where_it_goes_until_it_is_there() -> None:
    line = Line()
    line.faults.switch("delayed", True, 0)
    assert not line.robot.is_awaited(DATA.name)
    line.run(1)
    assert line.robot.is_awaited(DATA.name)
    assert not line.robot.is_awaited(STATUS.name)
    line.run(12, speak=False)
    assert line.numbers("robot") == [0]
    assert not line.robot.is_awaited(DATA.name)


def test_a_lost_link_passes_nothing_and_remembers_nothing() -> None:
    line = Line()
    line.faults.switch("lost_link", True, 0)
    line.run(5)
    line.faults.switch("lost_link", False, line.t_ns)
    line.run(3)
    assert line.numbers("bridge") == line.numbers("robot") == [0, 1, 2]


def test_reordered_messages_come_backwards_in_groups() -> None:
    line = Line()
    line.faults.switch("reordered", True, 0)
    line.run(2 * REVERSED)
    assert line.numbers("bridge") == [*range(REVERSED)][::-1] + [*range(REVERSED, 2 * REVERSED)][::-1]
