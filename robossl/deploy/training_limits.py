"""What a profile allows a robot's joints against what they were allowed when the policy learnt."""

from robossl.core import MotionSpec
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile

_BOUNDED = (("velocity_rad_s", "rad/s"), ("acceleration_rad_s2", "rad/s2"))


def tighter_limits(profile: RobotProfile, trained: MotionSpec | None) -> str | None:
    """Returns one line on where the profile is tighter than training was; None where it is nowhere."""
    if not isinstance(profile.limits, ArmLimits):
        return None
    if trained is None or trained.acceleration_rad_s2 is None:
        found = "no joint's acceleration was bounded then"
    else:
        found = "; ".join(_tighter(profile.limits, trained))
    if not found:
        return None
    return f"profile {profile.name} bounds joints tighter than training did, which may cost success: {found}"


def _tighter(limits: ArmLimits, trained: MotionSpec) -> list[str]:
    found = []
    for attribute, unit in _BOUNDED:
        then = dict(zip(trained.joints, getattr(trained, attribute), strict=True))
        now = {joint.model: getattr(joint, attribute) for joint in limits.joints}
        tighter = [name for name, value in now.items() if value < then.get(name, 0.0)]
        if tighter:
            listed = ", ".join(f"{name} {now[name]:g} instead of {then[name]:g}" for name in tighter)
            found.append(f"{attribute.partition('_')[0]} of {listed} {unit}")
    return found
