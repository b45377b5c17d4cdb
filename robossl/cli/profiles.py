"""Robot profiles: YAML on a workstation, with the source of every number; JSON inside a bundle, for the robot."""

from importlib.resources import files
from pathlib import Path

from robossl.cli.strict_yaml import load_yaml
from robossl.core import Bundle, UnknownNameError, UserError
from robossl.core.bundle import seal
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.limits import ArmLimits
from robossl.deploy.profile import FILE, RobotProfile, profile_from_values, read_profile
from robossl.deploy.topics import TrajectoryOutput
from robossl.envs.motion import MotionConfig


def profile_names() -> list[str]:
    """Returns the names of the profiles that come with robossl."""
    folder = files("robossl.configs").joinpath("robots")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_profile(name: str, bundle: Bundle | None = None) -> RobotProfile:
    """Returns a profile by the name of one that comes with robossl or that is in the bundle, or by a file's path.

    Raises:
        UserError: if there is none, or something in it is wrong.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        return profile_from_values(load_yaml(_text(Path(name)), file=name), file=name)
    if bundle is not None and FILE in bundle.names:
        profile = read_profile(bundle.read(FILE), file=f"{bundle.folder}/{FILE}")
        if profile.name == name:
            return profile
    if name not in profile_names():
        raise UnknownNameError("profile", name, profile_names())
    text = files("robossl.configs").joinpath("robots", f"{name}.yaml").read_text()
    return profile_from_values(load_yaml(text, file=name), file=f"{name}.yaml")


def require_known_profile(name: str, folder: Path) -> None:
    """Checks, before the bundle in `folder` is read, that there can be a profile of that name.

    Raises:
        UserError: if not.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        _text(Path(name))
    elif name not in profile_names() and not (folder / FILE).is_file():
        raise UnknownNameError("profile", name, profile_names())


def profile_motion(profile: RobotProfile) -> MotionConfig:
    """Returns how the guard and the controller of a profile's arm lead its joints, in the profile's order.

    Raises:
        UserError: if it is no arm's.
    """
    if not isinstance(profile.limits, ArmLimits):
        raise UserError(f"profile {profile.name} has no joints: only an arm's are led")
    joints = profile.limits.joints
    return MotionConfig(
        acceleration_rad_s2=tuple(joint.acceleration_rad_s2 for joint in joints),
        velocity_rad_s=tuple(joint.velocity_rad_s for joint in joints),
        blend_s=profile.safety.blend_s,
        horizon_periods=profile.output.horizon_periods if isinstance(profile.output, TrajectoryOutput) else None,
    )


def install_profile(folder: Path, profile: RobotProfile) -> str:
    """Puts a profile into a bundle, for the robot's computer, and seals it anew; returns the new digest."""
    Bundle(folder)
    write_json(folder / FILE, to_json(profile))
    return seal(folder)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
