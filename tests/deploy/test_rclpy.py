"""The transport on a fake: what is tested is what it asks of rclpy, not that rclpy does it."""

import pytest
from deploy_robots import TYPES
from fake_rclpy import Policy, install

from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport


def test_a_flood_does_not_keep_the_bridge_from_deciding(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    transport, got = open_transport(RosConfig(transport="rclpy", interface="eth0"), TYPES), list[bytes]()

    def receive(data: bytes) -> None:
        got.append(data)
        assert len(got) < 1000

    transport.subscribe(Topic(name="/stop", type="std_msgs/msg/Bool"), receive)
    transport.spin_once(1.0)
    assert 1 < len(got) <= 64


@pytest.mark.parametrize("sure", [False, True])
def test_a_stop_is_asked_for_in_every_way_that_somebody_may_offer_it(
    monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    node = install(monkeypatch)
    transport = open_transport(RosConfig(transport="rclpy", interface="eth0"), TYPES)
    transport.subscribe(Topic(name="/stop", type="std_msgs/msg/Bool", sure=sure), list[bytes]().append)
    asked = [(qos.reliability, qos.durability) for _, _, qos in node.subscriptions]
    eager, reliable = (Policy.BEST_EFFORT, Policy.VOLATILE), Policy.RELIABLE
    assert asked == [eager, *([(reliable, Policy.VOLATILE), (reliable, Policy.TRANSIENT_LOCAL)] if sure else [])]


def test_its_own_publisher_is_no_second_commander(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    transport = open_transport(RosConfig(transport="rclpy", interface="eth0"), TYPES)
    assert transport.speakers("/cmd_vel") == 1
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
    assert transport.speakers("/cmd_vel") == 1
