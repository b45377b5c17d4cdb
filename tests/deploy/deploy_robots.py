"""Small robots for tests: an arm of two joints with a tool, and a base with a range sensor."""

import math
from dataclasses import replace
from typing import Any

from robossl.deploy.limits import (
    ArmLimits,
    AxisLimit,
    BaseLimits,
    JointLimit,
    LinkGeometry,
    ObstacleLimit,
    ToolGeometry,
)

PERIOD_S = 0.02


def joint(i: int, **changes: Any) -> JointLimit:
    limit = JointLimit(
        name=f"robot_joint{i}",
        model=f"joint{i}",
        min_rad=-1.0 - 0.5 * i,
        max_rad=1.5 + 0.5 * i,
        velocity_rad_s=1.0 + 0.5 * i,
        acceleration_rad_s2=6.0 + i,
        measured_velocity_rad_s=4.0,
        deviation_rad=0.3,
        tracking_rad=0.6,
    )
    return replace(limit, **changes)


def arm(*, tool: bool = False) -> ArmLimits:
    """Two links of 0.5 m in the plane; the box cuts away what lies left of x = 0.2 m."""
    links = (LinkGeometry(a_m=0.0, alpha_rad=0.0, d_m=0.0), LinkGeometry(a_m=0.5, alpha_rad=0.0, d_m=0.0))
    geometry = ToolGeometry(
        links=links,
        flange=LinkGeometry(a_m=0.5, alpha_rad=0.0, d_m=0.0),
        box_min_w_m=(0.2, -0.9, -0.1),
        box_max_w_m=(1.1, 0.9, 0.1),
    )
    return ArmLimits(joints=(joint(1), joint(2)), tool=geometry if tool else None)


def base() -> BaseLimits:
    return BaseLimits(
        linear=AxisLimit(backward=0.2, forward=0.8, acceleration=1.0, jerk=10.0, measured=1.2),
        angular=AxisLimit(backward=1.5, forward=1.5, acceleration=3.0, jerk=30.0, measured=2.5),
        obstacle=ObstacleLimit(half_width_m=0.25, front_m=0.2, rear_m=0.2, stop_m=0.1, latency_s=0.1),
    )


def panda_tool(**changes: Any) -> ToolGeometry:
    """The simulated Panda with its rod (assets/arm_push/README.md)."""
    half = math.pi / 2
    rows = [(0, 0, 0.333), (0, -half, 0), (0, half, 0.316), (0.0825, half, 0), (-0.0825, -half, 0.384), (0, half, 0)]
    links = tuple(LinkGeometry(a_m=a, alpha_rad=alpha, d_m=d) for a, alpha, d in (*rows, (0.088, half, 0)))
    flange = LinkGeometry(a_m=0.0, alpha_rad=0.0, d_m=0.107 + 0.150)
    box = {"box_min_w_m": (0.35, -0.24, 0.01), "box_max_w_m": (0.75, 0.24, 0.6)}
    return ToolGeometry(**{"links": links, "flange": flange, "flange_turn_rad": -math.pi / 4, **box, **changes})
