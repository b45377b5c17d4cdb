"""The packages that robossl needs, as its metadata lists them, and how one that is missing is had."""

import re
from importlib.metadata import PackageNotFoundError, requires

_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*(?:;.*extra == ['"]([\w-]+)['"])?""")
_PACKAGES = {"warp": "warp-lang", "cv2": "opencv-python-headless", "PIL": "pillow", "yaml": "pyyaml"}


def required() -> dict[str, tuple[str, ...]]:
    """Returns the packages of each extra, in small letters, and under "" those that come with robossl."""
    try:
        matches = [_REQUIREMENT.match(line) for line in requires("robossl") or ()]
    except PackageNotFoundError:  # somebody put its folder on the path
        matches = []
    found: dict[str, tuple[str, ...]] = {}
    for match in matches:
        if match is not None:
            extra = match[2] or ""
            found[extra] = (*found.get(extra, ()), match[1].lower())
    return found


def how_to_install(module: str) -> str | None:
    """Returns how a module that is missing is had; None where robossl needs no such one."""
    top = module.partition(".")[0]
    package = _PACKAGES.get(top, top.replace("_", "-")).lower()
    if package == "pybullet":
        return "pip install pybullet, which robossl leaves out on Python 3.12 and later: it has no wheels for them"
    extras = [extra for extra, packages in required().items() if package in packages]
    if not extras:
        return None
    return f"pip install 'robossl[{extras[0]}]'" if extras[0] else "it comes with robossl: install that again"
