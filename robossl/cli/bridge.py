"""`robossl bridge`: runs a bundle's policy on a robot through ROS topics, dry unless told otherwise."""

import sys
from functools import partial
from pathlib import Path

from robossl.cli.arguments import parse, split_positional, take_option
from robossl.cli.bridge_report import write_report
from robossl.cli.figures import print_summary
from robossl.cli.profiles import install_profile, load_profile, profile_names, require_known_profile
from robossl.core import Bundle, UsageError, UserError
from robossl.deploy.app import BridgeOptions
from robossl.deploy.app import run as run_bridge
from robossl.deploy.profile import RobotProfile

_INSTALL, _REPORT = "--install-profile", "--report"


def run(arguments: list[str]) -> int:
    """Runs the bridge, or puts a profile into the bundle."""
    folder, rest = split_positional(arguments)
    recording, rest = take_option(rest, _REPORT)
    installs = _INSTALL in rest
    options = parse(
        BridgeOptions(profile=""),
        [word for word in rest if word != _INSTALL],
        usage="robossl bridge BUNDLE --profile NAME",
        description=f"Runs a bundle's policy on a robot, and draws a report of what was recorded. {_REPORT} RECORDING"
        f" only draws one. {_INSTALL} puts the profile into the bundle instead, for `python -m robossl.deploy` on the"
        " robot's computer.",
        others=(_INSTALL, _REPORT),
    )
    if folder is None or not options.profile:
        raise UsageError(f"give a bundle and --profile NAME; known profiles: {', '.join(profile_names())}")
    require_known_profile(options.profile, Path(folder))
    bundle = Bundle(Path(folder))
    profile = load_profile(options.profile, bundle)
    if installs:
        print(f"{folder} now holds the profile {profile.name}; digest {install_profile(Path(folder), profile)}")
        return 0
    if recording is not None:
        print_summary(write_report(Path(recording), bundle, profile), as_json=options.json)
        return 0
    draw = partial(_draw, bundle, profile)
    return run_bridge(bundle, profile, options, out=sys.stdout, typed=sys.stdin, recorded=draw)


def _draw(bundle: Bundle, profile: RobotProfile, recording: Path) -> None:
    """Draws a report at the end of a run; that there is none does not change how the run ended."""
    try:
        found = write_report(recording, bundle, profile)
    except UserError as error:
        print(f"no report: {error}")
    else:
        print(f"report {found['report']}; tensorboard --logdir {found['tensorboard']}")
