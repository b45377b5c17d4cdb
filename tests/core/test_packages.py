import pytest

from robossl.core.packages import how_to_install, required


@pytest.mark.parametrize(
    ("module", "how"),
    [
        ("onnx", "pip install 'robossl[deploy]'"),
        ("onnxruntime.capi", "pip install 'robossl[deploy]'"),
        ("cyclonedds", "pip install 'robossl[ros]'"),
        ("mujoco_warp", "pip install 'robossl[warp]'"),
        ("warp", "pip install 'robossl[warp]'"),
        ("torch", "it comes with robossl: install that again"),
        ("stable_baselines3", "it comes with robossl: install that again"),
        ("cv2", "it comes with robossl: install that again"),
        ("somebodys", None),
    ],
)
def test_a_missing_module_is_had_as_the_metadata_say(module: str, how: str | None) -> None:
    assert how_to_install(module) == how


def test_pybullet_is_told_to_be_left_out_on_later_pythons() -> None:
    how = how_to_install("pybullet")
    assert how is not None
    assert how.startswith("pip install pybullet, ")
    assert "Python 3.12 and later" in how


def test_extras_are_told_apart_from_what_comes_with_robossl() -> None:
    found = required()
    assert found["deploy"] == ("onnx", "onnxruntime", "onnxscript")
    assert "numpy" in found[""]
    assert "onnx" not in found[""]
