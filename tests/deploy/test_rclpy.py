"""What the transport does where rclpy is slower, or its middleware another, than the one that test_ros2.py runs on."""

import pytest
from deploy_robots import TYPES
from fake_rclpy import install

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport

ROS = RosConfig(transport="rclpy")


def test_a_flood_does_not_keep_the_bridge_from_deciding(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    transport, got = open_transport(ROS, TYPES), list[bytes]()

    def receive(data: bytes) -> None:
        got.append(data)
        assert len(got) < 1000

    transport.subscribe(Topic(name="/stop", type="std_msgs/msg/Bool"), receive)
    transport.spin_once(1.0)
    assert 1 < len(got) <= 64


def test_its_own_publisher_is_nobody_else_even_before_discovery_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    transport = open_transport(ROS, TYPES)
    transport.advertise(Topic(name="/cmd_vel", type="geometry_msgs/msg/Twist"))
    assert transport.speakers("/cmd_vel") == 0


def test_a_middleware_that_may_leave_this_machine_is_refused_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, middleware="rmw_zenoh_cpp")
    with pytest.raises(UserError, match="rmw_zenoh_cpp is not known to stay on interface lo: name the robot's"):
        open_transport(ROS, TYPES)
