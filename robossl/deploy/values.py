"""Names of the numbers that inputs give and policies take.

A joint of the model has `position:<joint>` and `velocity:<joint>`; a body or tool `<body>_x_w_m`; what a contract calls
`<a>_to_<b>_x_m` is the x of b minus that of a. Everything else goes by the contract's own name.
"""

import re
from collections.abc import Mapping

from robossl.core import UserError
from robossl.core.contract import ElementSpec
from robossl.core.errors import suggestion
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import OdometryInput, PoseInput, ValuesInput

_DIFFERENCE = re.compile(r"(?P<start>\w+)_to_(?P<end>\w+)_(?P<axis>[xyz])_m")
_VELOCITY_UNITS = ("rad/s", "m/s")


def value_key(element: ElementSpec, known: set[str], profile: RobotProfile) -> str:
    """Returns the name of the value that an element is.

    Raises:
        UserError: if no input gives it.
    """
    if element.joint is not None:
        name = f"{'velocity' if element.unit in _VELOCITY_UNITS else 'position'}:{element.joint}"
    else:
        name = element.name
    parts = _DIFFERENCE.fullmatch(name)
    needed = [f"{parts[end]}_{parts['axis']}_w_m" for end in ("start", "end")] if parts else [name]
    if name in known or set(needed) <= known:
        return name
    absent = next(part for part in needed if part not in known)
    raise UserError(
        f"profile {profile.name}: no input gives {absent!r}, which the policy needs{suggestion(absent, known)}"
    )


def look_up(key: str, values: Mapping[str, float]) -> float | None:
    """Returns a value; `a_to_b_x_m` is the x of b minus that of a."""
    if key in values:
        return values[key]
    parts = _DIFFERENCE.fullmatch(key)
    if parts is None:
        return None
    start, end = (values.get(f"{parts[side]}_{parts['axis']}_w_m") for side in ("start", "end"))
    return None if start is None or end is None else end - start


def known_values(profile: RobotProfile, has_tool: bool, tool_name: str) -> set[str]:
    """Returns the names of all values that the profile's inputs can give."""
    known: set[str] = set()
    bodies = [tool_name] if has_tool else []
    for source in profile.inputs:
        if isinstance(source, ValuesInput):
            known |= set(source.names)
        elif isinstance(source, OdometryInput) and source.body is None:
            known |= {"forward_m_s", "speed_m_s", "yaw_rate_rad_s"}
            bodies.append("base")
        elif isinstance(source, (OdometryInput, PoseInput)):
            bodies.append(str(source.body))
        if isinstance(source, OdometryInput) and source.body is not None:
            known |= {f"{source.body}_v{axis}_w_m_s" for axis in "xyz"}
    if isinstance(profile.limits, ArmLimits):
        known |= {f"{kind}:{j.model}" for j in profile.limits.joints for kind in ("position", "velocity")}
    for body in bodies:
        known |= {f"{body}_{axis}_w_m" for axis in "xyz"}
        known |= {f"{body}_sin_yaw", f"{body}_cos_yaw"} if body != tool_name else set()
    return known
