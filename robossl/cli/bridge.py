"""`robossl bridge`: runs a bundle's policy on a robot through ROS topics, dry unless told otherwise."""

from pathlib import Path

from robossl.cli.arguments import parse, split_positional
from robossl.cli.profiles import install_profile, load_profile, profile_names
from robossl.core import Bundle, UsageError
from robossl.deploy.app import BridgeOptions, standard_streams
from robossl.deploy.app import run as run_bridge

_INSTALL = "--install-profile"


def run(arguments: list[str]) -> int:
    """Runs the bridge, or puts a profile into the bundle."""
    folder, rest = split_positional(arguments)
    installs = _INSTALL in rest
    options = parse(
        BridgeOptions(profile=""),
        [word for word in rest if word != _INSTALL],
        usage="robossl bridge BUNDLE",
        description=f"Runs a bundle's policy on a robot. {_INSTALL} puts the profile into the bundle instead, for"
        " `python -m robossl.deploy` on the robot's computer.",
    )
    if folder is None or not options.profile:
        raise UsageError(f"give a bundle and --profile NAME; known profiles: {', '.join(profile_names())}")
    bundle = Bundle(Path(folder))
    profile = load_profile(options.profile, bundle)
    if installs:
        print(f"{folder} now holds the profile {profile.name}; digest {install_profile(Path(folder), profile)}")
        return 0
    return run_bridge(bundle, profile, options, **standard_streams())
