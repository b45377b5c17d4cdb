"""Maps the top-level folders into one import package; see docs/architecture.md."""

from setuptools import find_namespace_packages, setup

FOLDERS = {
    "robossl": "robossl",
    "robossl.envs": "envs",
    "robossl.agents": "agents",
    "robossl.configs": "configs",
    "robossl.assets": "assets",
}


def subpackages(name: str, folder: str) -> list[str]:
    return [name, *(f"{name}.{sub}" for sub in find_namespace_packages(folder) if "__pycache__" not in sub)]


setup(
    package_dir=FOLDERS,
    packages=sorted({package for name, folder in FOLDERS.items() for package in subpackages(name, folder)}),
    package_data={
        "robossl.configs": ["**/*.yaml"],
        "robossl.assets": ["**/*.xml", "**/*.png", "**/*.md", "bundles/*/*"],
    },
)
