from dataclasses import replace

import numpy as np
import pytest

from robossl.core import ArraySpec, UserError
from robossl.core.contract import CameraInput, ElementSpec, Range, VectorInput
from robossl.export import ExportConfig
from robossl.export.closed_loop import ClosedLoop, require_proven
from robossl.export.inputs import Seen, graph_inputs
from robossl.export.parity import CaseResult, difference, make_cases, require_equal


def test_a_difference_counts_numbers_against_none_as_infinite() -> None:
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 2.5])) == 0.5
    assert difference(np.array([np.nan, np.inf]), np.array([np.nan, np.inf])) == 0.0
    assert difference(np.array([np.nan]), np.array([0.0])) == np.inf
    assert difference(np.array([np.inf]), np.array([0.0])) == np.inf


def test_the_kind_that_differs_is_named() -> None:
    good = CaseResult(rows=1, max_action_difference=1e-7, max_command_difference=1e-7)
    bad = CaseResult(rows=1, max_action_difference=1e-7, max_command_difference=float("inf"))
    require_equal({"zeros": good}, 1e-6)
    with pytest.raises(UserError, match="'limits'"):
        require_equal({"zeros": good, "limits": bad}, 1e-6)
    assert bad.to_json()["max_command_difference"] is None


def test_cases_reach_the_bounds_and_every_number() -> None:
    seen = Range(low=-1.0, q01=0.0, q99=0.0, high=2.0)
    elements = tuple(
        ElementSpec(name=name, unit="1", joint=None, low=low, high=3.0, seen=seen)
        for name, low in (("a", -3.0), ("b", None))
    )
    vector = VectorInput(name="v", shape=(2,), max_age_s=1.0, elements=elements)
    camera = CameraInput(
        name="c", shape=(1, 2, 2, 3), dtype="uint8", modality="rgb", sensor="c", encoding="rgb8", max_age_s=1.0,
        seen=(seen,) * 3,
    )  # fmt: skip
    depth = replace(
        camera, name="d", shape=(1, 2, 2, 1), dtype="float32", modality="depth", encoding="32FC1", seen=(seen,)
    )
    sample = {
        "v": np.full((4, 2), 0.5, np.float32),
        "c": np.full((4, 1, 2, 2, 3), 9, np.uint8),
        "d": np.ones((4, 1, 2, 2, 1), np.float32),
    }
    cases = make_cases((vector, camera, depth), sample)
    np.testing.assert_array_equal(cases["limits"]["v"], [[-3.0, -1.0], [3.0, 3.0]])
    assert cases["limits"]["c"].min(axis=(1, 2, 3, 4)).tolist() == [0, 255]
    assert set(np.unique(cases["corners"]["c"])) == {0, 255}
    assert np.abs(cases["far"]["v"]).max() == 1e6
    lost = cases["not finite"]["v"]
    assert lost.shape == (9, 2)  # two numbers of the vector and one of the picture
    assert (~np.isfinite(lost)).sum(axis=0).tolist() == [3, 3]
    assert np.isnan(lost).any(axis=0).all()
    assert np.isnan(cases["not finite"]["d"]).sum() == 1
    assert cases["far"]["d"].min() == 1e3
    for rows in cases.values():
        for spec in (vector, camera, depth):
            assert rows[spec.name].dtype == spec.dtype
            assert rows[spec.name].shape == (len(rows["v"]), *spec.shape)


def test_ranges_are_of_everything_and_the_sample_of_all_moments_alike() -> None:
    seen = Seen({"v": ArraySpec(shape=(1,))}, 100, np.random.default_rng(0))
    for start in range(0, 10_000, 10):
        seen.add({"v": np.arange(start, start + 10, dtype=np.float32)[:, None]})
    (found,) = seen.ranges("v")
    assert (found.low, found.high) == (0.0, 9999.0)
    assert seen.sample["v"].shape == (100, 1)
    assert abs(seen.sample["v"].mean() - 5000) < 1000  # 3.5 standard errors
    assert found.q01 < 1000
    assert found.q99 > 9000


def test_infinite_distances_do_not_spoil_a_range() -> None:
    spec = {"depth_front": ArraySpec(shape=(1, 2, 1))}
    seen = Seen(spec, 4, np.random.default_rng(0))
    seen.add({"depth_front": np.array([1.0, np.inf, 3.0, np.inf], np.float32).reshape(2, 1, 1, 2)})
    (found,) = seen.ranges("depth_front")
    assert (found.low, found.high) == (1.0, 3.0)


def test_frames_are_taken_apart_as_they_were_stacked() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6, 3), np.uint8)  # [N, K, H, W, C]
    stacked = np.concatenate([frames[:, k].transpose(0, 3, 1, 2) for k in range(3)], axis=1)
    apart = graph_inputs({"rgb": stacked}, {"rgb": ArraySpec(shape=(4, 6, 3), dtype="uint8")})
    np.testing.assert_array_equal(apart["rgb"], frames)


def loop(**changes: float) -> ClosedLoop:
    fields = {
        "episodes": 10, "steps": 100, "max_action_difference": 1e-7, "success_agent": 0.9, "success_graph": 0.9,
        "return_agent": 1.0, "return_graph": 1.0, "same_outcome": 1.0,
    }  # fmt: skip
    return ClosedLoop(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_plain_graph_is_judged_by_its_actions_and_a_quantised_one_by_success() -> None:
    plain, small = ExportConfig(), ExportConfig(quantise="int8")
    require_proven(loop(success_graph=0.8), plain)  # chance, where the actions are equal
    with pytest.raises(UserError, match="at the wheel"):
        require_proven(loop(max_action_difference=0.01), plain)
    with pytest.raises(UserError, match="at the wheel"):
        require_proven(loop(max_action_difference=float("nan")), plain)
    require_proven(loop(max_action_difference=0.01, success_graph=0.86), small)
    with pytest.raises(UserError, match=r"80\.0% of 10 episodes succeed with int8, 90\.0% without"):
        require_proven(loop(success_graph=0.8), small)
