import json
import subprocess
import sys

HEAVY = ["torch", "mujoco", "stable_baselines3", "gymnasium", "yaml", "rosbags", "cyclonedds", "websockets", "cbor2"]
CORE = [
    "arm_motion",
    "base_motion",
    "bridge",
    "guard",
    "kinematics",
    "observation",
    "policy",
    "profile",
    "readings",
    "targets",
]


def test_what_decides_needs_numpy_and_onnxruntime_only() -> None:
    code = f"""
import importlib, json, sys
for name in {CORE!r}:
    importlib.import_module("robossl.deploy." + name)
print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []
