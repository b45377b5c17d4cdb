"""Writes the toy bundle that `make deploy-test` runs, with a base's profile in it.

usage: small_bundle.py FOLDER
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from deploy_robots import base, base_profile
from toy_bundle import write_toy_bundle

from robossl.core.bundle import seal
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.topics import OdometryInput

if __name__ == "__main__":
    folder = write_toy_bundle(Path(sys.argv[1]))
    limits = replace(base(), obstacle=NoObstacleSensing(because="a test on rollers"))
    profile = base_profile(inputs=(OdometryInput(topic="/odom", max_age_s=0.1),), limits=limits)
    write_json(folder / "profile.json", to_json(profile))
    seal(folder)
