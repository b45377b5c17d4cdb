"""Who may import whom (docs/architecture.md): read from the syntax trees, so it needs nothing installed."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"envs": "envs", "agents": "agents", "configs": "configs", "assets": "assets"}
PARTS = ("core", "data", "nets", "objectives", "training", "export", "deploy", "rehearsal", "bench", "cli")

ALLOWED = {
    "core": {"numpy"},
    "envs": {
        "core", "assets", "numpy", "mujoco", "pybullet", "gymnasium", "stable_baselines3", "array_api_compat",
        "torch", "warp", "mujoco_warp", "numba",
    },
    "data": {"core", "numpy", "torch", "safetensors"},
    "nets": {"core", "numpy", "torch", "safetensors"},
    "objectives": {"core", "data", "nets", "numpy", "torch"},
    "agents": {"core", "data", "nets", "objectives", "numpy", "torch", "stable_baselines3", "gymnasium", "cloudpickle"},
    "export": {"core", "nets", "numpy", "torch", "onnx", "onnxruntime"},
    "training": {
        "core", "data", "nets", "objectives", "numpy", "torch", "safetensors", "stable_baselines3", "tensorboard",
        "PIL", "tqdm",
    },
    "deploy": {
        "core", "numpy", "onnxruntime", "rosbags", "cyclonedds", "websockets", "cbor2", "rospy", "rosgraph", "rclpy",
        "rosidl_runtime_py",
    },
    "rehearsal": {"core", "envs", "data", "deploy", "numpy", "PIL"},
    "configs": set(),
    "assets": set(),
}  # fmt: skip
ANYTHING = {"bench", "cli"}


def part_of(path: Path) -> str:
    relative = path.relative_to(ROOT).parts
    if relative[0] in FOLDERS:
        return FOLDERS[relative[0]]
    return relative[1] if len(relative) > 2 else "root"


def imported(path: Path) -> set[str]:
    """Returns the parts of robossl and the third-party packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for module in modules:
            top, *rest = module.split(".")
            names.add(rest[0] if top == "robossl" and rest else top)
    return {name for name in names if name not in sys.stdlib_module_names}


SOURCES = [path for folder in ("robossl", *FOLDERS) for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    part = part_of(path)
    if part in ANYTHING:
        return
    wrong = imported(path) - ALLOWED.get(part, set()) - {part, "version", "VERSION"}
    assert not wrong, f"{path.relative_to(ROOT)} may not import {sorted(wrong)}"


def test_every_folder_is_ruled() -> None:
    found = {part_of(path) for path in SOURCES} - {"root"}
    assert found <= set(ALLOWED) | ANYTHING


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_compiled_functions_need_their_own_file_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("robossl")
        for alias in node.names
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and _is_compiled(function):
            used = {node.id for part in function.body for node in ast.walk(part) if isinstance(node, ast.Name)}
            assert not used & ours, (
                f"{path.relative_to(ROOT)}: {function.name} would not notice changes of {used & ours}"
            )


def _is_compiled(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(part, ast.Name) and part.id in ("compiled", "fused", "inlined") for part in function.decorator_list
    )


def test_import_is_light() -> None:
    import subprocess

    heavy = {"torch", "mujoco", "numba", "stable_baselines3", "gymnasium"}
    code = f"import sys, robossl; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
