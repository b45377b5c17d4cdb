"""`python -m robossl.deploy BUNDLE --profile NAME`: the bridge on a robot's computer, without the workbench."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from robossl.core import Bundle, UnknownNameError, UserError
from robossl.deploy.app import BridgeOptions, run
from robossl.deploy.profile import FILE, RobotProfile, read_profile
from robossl.deploy.streams import exit_code, outlast_readers

INTERRUPT_EXIT = 130
_TEXTS = {
    "profile": "name of the robot's profile, which is in the bundle, or path of a JSON file",
    "network": "profile, or simulated: `robossl sim-robot` on this machine",
    "mode": "dry-run or shadow",
    "live": "send commands; the profile's name must be typed, too",
    "confirm": "the profile's name, typed beforehand",
    "arm": "arm as soon as the robot is ready, without asking",
    "speed": "share of the profile's speed limits",
    "seconds": "ends the run after this time",
    "record": "folder of recordings",
    "bag": "plays a bag, of any recorder, instead of listening to a robot",
    "replay": "a recording of this bundle that is decided again and compared",
    "latency_test": "seconds to run dry and measure",
    "json": "print one JSON object as the last line",
}
_TYPES: dict[str, Any] = {"speed": float, "seconds": float, "latency_test": float, "record": Path}
_TYPES |= {"bag": Path, "replay": Path}


def main(arguments: list[str] | None = None) -> int:
    """Runs the bridge; returns the exit code: 0 done, 1 error, 2 usage, 3 stopped by the guard, 130 interrupted."""
    output = outlast_readers()
    return exit_code(_run(arguments), output)


def _run(arguments: list[str] | None) -> int:
    try:
        parsed = vars(_parser().parse_args(arguments))
        bundle = Bundle(parsed.pop("bundle"))
        options = BridgeOptions(**parsed)
        return run(bundle, find_profile(bundle, options.profile), options, out=sys.stdout, typed=sys.stdin)
    except SystemExit as stop:  # as `--help` and wrong words end
        return int(stop.code or 0)
    except UserError as error:
        sys.stderr.write(f"robossl: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("robossl: interrupted\n")
        return INTERRUPT_EXIT


def find_profile(bundle: Bundle, name: str) -> RobotProfile:
    """Returns the profile of that name from the bundle, or from a JSON file.

    Raises:
        UserError: if there is none.
    """
    if name.endswith(".json"):
        try:
            return read_profile(Path(name).read_bytes(), file=name)
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror}") from error
    profile = read_profile(bundle.read(FILE), file=f"{bundle.folder}/{FILE}")
    if profile.name != name:
        raise UnknownNameError("profile of the bundle:", name, [profile.name])
    return profile


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m robossl.deploy", description="Runs a bundle's policy on a robot.")
    parser.add_argument("bundle", type=Path, help="folder that `robossl export` made")
    for field in dataclasses.fields(BridgeOptions):
        flag, text = f"--{field.name.replace('_', '-')}", _TEXTS[field.name]
        if field.default is False:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            required = field.default is dataclasses.MISSING
            default = None if required else field.default
            parser.add_argument(flag, type=_TYPES.get(field.name, str), required=required, default=default, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
