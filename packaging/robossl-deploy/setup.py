"""Builds robossl.core and robossl.deploy from the workbench's own sources."""

import runpy
from pathlib import Path

from setuptools import find_namespace_packages, setup

SOURCES = Path("..", "..", "robossl")
PARTS = ("core", "deploy")


def packages() -> list[str]:
    found = ["robossl"]
    for part in PARTS:
        below = find_namespace_packages(str(SOURCES / part))
        found += [f"robossl.{part}", *(f"robossl.{part}.{name}" for name in below if "__pycache__" not in name)]
    return sorted(found)


setup(
    version=runpy.run_path(str(SOURCES / "version.py"))["VERSION"],
    package_dir={"robossl": str(SOURCES)},
    packages=packages(),
)
