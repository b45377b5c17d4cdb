"""What a profile allows a robot's joints against what they were allowed when the policy learnt."""

from robossl.core import MotionSpec
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import RobotProfile
from robossl.deploy.topics import TrajectoryOutput

_BOUNDED = (("velocity_rad_s", "rad/s"), ("acceleration_rad_s2", "rad/s2"))


def tighter_limits(profile: RobotProfile, trained: MotionSpec | None) -> str | None:
    """Returns one line on where the profile is tighter than training was; None where it is nowhere."""
    if not isinstance(profile.limits, ArmLimits):
        return None
    if trained is None or trained.acceleration_rad_s2 is None:
        found = ["no joint's acceleration was bounded then"]
    else:
        found = [*_tighter(profile.limits, trained), *_later(profile, trained)]
    if not found:
        return None
    return f"profile {profile.name} bounds joints tighter than training did, which may cost success: {'; '.join(found)}"


def _later(profile: RobotProfile, trained: MotionSpec) -> list[str]:
    found = []
    if profile.safety.blend_s > trained.blend_s:
        found.append(f"speeds rise for {profile.safety.blend_s:g} instead of {trained.blend_s:g} s")
    now = profile.output.horizon_periods if isinstance(profile.output, TrajectoryOutput) else 0.0
    then = trained.horizon_periods or 0.0
    if now > then:
        found.append(f"joints take {now:g} instead of {then:g} periods to a command")
    return found


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
