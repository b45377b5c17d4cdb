"""Names of the numbers that inputs give and policies take.

A joint of the model has `position:<joint>` and `velocity:<joint>`; a body or tool `<body>_x_w_m`; what a contract calls
`<a>_to_<b>_x_m` is the x of b minus that of a; `<body>_distance_m`, `<body>_cos_bearing` and `<body>_sin_bearing` say
where a body is in the plane, seen from the base. A scanner's beams are `range_0_m` and so on. Everything else goes by
the contract's own name.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping

from robossl.core import Contract, UserError
from robossl.core.contract import ElementSpec, VectorInput
from robossl.core.errors import suggestion
from robossl.deploy.beams import beam_names
from robossl.deploy.limits import ArmLimits, RobotLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import InputTopic, JointsInput, OdometryInput, PoseInput, ScanInput, ValuesInput

_DIFFERENCE = re.compile(r"(?P<start>\w+)_to_(?P<end>\w+)_(?P<axis>[xyz])_m")
_SEEN = re.compile(r"(?P<body>\w+)_(?P<what>distance_m|cos_bearing|sin_bearing)")
_BASE = ("base_x_w_m", "base_y_w_m", "base_cos_yaw", "base_sin_yaw")
_VELOCITY_UNITS = ("rad/s", "m/s")


def value_key(element: ElementSpec, profile: RobotProfile) -> str:
    """Returns the name of the value that an element is.

    Raises:
        UserError: if no input gives it.
    """
    if element.joint is not None:
        name = f"{'velocity' if element.unit in _VELOCITY_UNITS else 'position'}:{element.joint}"
    else:
        name = element.name
    known = tool_values(profile).union(*(given_values(source, profile.limits) for source in profile.inputs))
    if name in known or known.issuperset(parts_of(name)):
        return name
    absent = next(part for part in parts_of(name) if part not in known)
    raise UserError(
        f"profile {profile.name}: no input gives {absent!r}, which the policy needs{suggestion(absent, known)}"
    )


def require_same_order(contract: Contract, profile: RobotProfile) -> None:
    """Checks that the profile has the joints in the order of the trained model, so that none are swapped.

    Raises:
        UserError: naming the first one that differs.
    """
    if not isinstance(profile.limits, ArmLimits):
        return
    vectors = [spec for spec in contract.inputs if isinstance(spec, VectorInput)]
    trained = list(dict.fromkeys(element.joint for spec in vectors for element in spec.elements if element.joint))
    listed = [joint.model for joint in profile.limits.joints]
    known = [name for name in listed if name in trained]
    pairs = zip(known, [name for name in trained if name in known], strict=True)
    wrong = next(((mine, theirs) for mine, theirs in pairs if mine != theirs), None)
    if wrong is not None:
        raise UserError(
            f"profile {profile.name}: limits.joints has {wrong[0]!r} where the trained model has {wrong[1]!r}: swapped?"
        )


def require_one_source(profile: RobotProfile) -> None:
    """Checks that no number comes from two inputs, of which one would hide the other.

    Raises:
        UserError: naming it.
    """
    told = [name for source in profile.inputs for name in sorted(given_values(source, profile.limits))]
    told += sorted(tool_values(profile))
    twice = next((name for name, count in Counter(told).items() if count > 1), None)
    if twice is not None:
        raise UserError(f"profile {profile.name}: {twice!r} comes from two inputs")


def look_up(key: str, values: Mapping[str, float]) -> float | None:
    """Returns a value, worked out of its parts if need be; None where one is missing."""
    if key in values:
        return values[key]
    parts = [values[part] for part in parts_of(key) if part in values]
    if len(parts) < len(parts_of(key)):
        return None
    seen = _SEEN.fullmatch(key)
    return parts[1] - parts[0] if seen is None else _seen_from_base(seen["what"], *parts)


def given_values(source: InputTopic, limits: RobotLimits) -> frozenset[str]:
    """Returns the names of the numbers that an input gives."""
    if isinstance(source, ValuesInput):
        return frozenset(source.names)
    if isinstance(source, JointsInput) and isinstance(limits, ArmLimits):
        return frozenset(f"{kind}:{joint.model}" for joint in limits.joints for kind in ("position", "velocity"))
    if isinstance(source, PoseInput):
        return _pose_values(source.body)
    if isinstance(source, OdometryInput):
        if source.body is None:
            return _pose_values("base") | {"forward_m_s", "speed_m_s", "yaw_rate_rad_s"}
        return _pose_values(source.body) | {f"{source.body}_v{axis}_w_m_s" for axis in "xyz"}
    if isinstance(source, ScanInput) and source.beams is not None:
        return frozenset(beam_names(source.beams))
    return frozenset()


def tool_values(profile: RobotProfile) -> frozenset[str]:
    """Returns the names of the numbers that follow from the joints where the tool's geometry is known."""
    if not (isinstance(profile.limits, ArmLimits) and profile.limits.tool):
        return frozenset()
    return frozenset(f"{tool_name(profile)}_{axis}_w_m" for axis in "xyz")


def tool_name(profile: RobotProfile) -> str:
    """Returns what the contract calls the tool."""
    return profile.tool_control.name if profile.tool_control else "tool"


def parts_of(key: str) -> tuple[str, ...]:
    """Returns the names of the numbers that a value is made of: itself, two that differ by it, or two poses."""
    seen = _SEEN.fullmatch(key)
    if seen is not None:
        return (*_BASE, f"{seen['body']}_x_w_m", f"{seen['body']}_y_w_m")
    found = _DIFFERENCE.fullmatch(key)
    return (key,) if found is None else tuple(f"{found[end]}_{found['axis']}_w_m" for end in ("start", "end"))


def _seen_from_base(what: str, x: float, y: float, cos: float, sin: float, body_x: float, body_y: float) -> float:
    """Returns the distance of a body, or the cosine or sine of its bearing: left of the base's x axis is positive."""
    dx, dy = body_x - x, body_y - y
    distance = math.hypot(dx, dy)
    bearing = math.atan2(cos * dy - sin * dx, cos * dx + sin * dy)
    return {"distance_m": distance, "cos_bearing": math.cos(bearing), "sin_bearing": math.sin(bearing)}[what]


def _pose_values(body: str) -> frozenset[str]:
    return frozenset({*(f"{body}_{axis}_w_m" for axis in "xyz"), f"{body}_sin_yaw", f"{body}_cos_yaw"})
