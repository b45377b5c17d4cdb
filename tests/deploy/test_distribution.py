import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from toy_bundle import write_toy_bundle

PROJECT = Path(__file__).parents[2] / "packaging" / "robossl-deploy"
ABSENT = ("torch", "mujoco", "stable_baselines3", "gymnasium", "yaml", "tyro", "cv2", "pybullet")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with nothing but the small distribution's wheel in it, unpacked."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("small")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *build, str(PROJECT)], check=True, cwd=folder, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_small_distribution_holds_core_and_deploy_only(installed: Path) -> None:
    assert {path.name for path in (installed / "robossl").iterdir()} == {"__init__.py", "version.py", "core", "deploy"}
    assert (installed / "robossl" / "deploy" / "transports" / "dds.py").is_file()


def test_it_runs_where_the_workbench_is_not_installed(installed: Path, tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "bundle")
    code = f"""
import sys
sys.path.insert(0, {str(installed)!r})
for name in {ABSENT!r}:
    sys.modules[name] = None
import robossl.deploy.transports.dds, robossl.deploy.transports.rosbridge
from robossl.deploy.__main__ import main
from robossl.deploy.policy import OnnxPolicy
from robossl.core import Bundle
assert robossl.__file__.startswith({str(installed)!r})
OnnxPolicy(Bundle(__import__("pathlib").Path({str(bundle)!r})))
sys.exit(main([{str(bundle)!r}, "--profile", "small_base"]))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip() == f"robossl: {bundle} holds no profile.json"
