from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_toys import XML, engine_of, scattered

from robossl.core import Draws, Stream, UnknownNameError, UserError
from robossl.envs.mujoco_fields import RANDOM_FIELDS
from robossl.envs.mujoco_model import load_model
from robossl.envs.records import STATE, Names, Start, in_bytes
from robossl.envs.start import Beginning, Starts

MODEL = load_model(XML)


class Laid:
    """A task that lays out what it is given."""

    def __init__(self, layout):
        self.layout = lambda draws: layout
        self.spec = SimpleNamespace(random_fields=tuple(layout.keys() & RANDOM_FIELDS))


def laid(layout, model, memory, num):
    worlds = np.arange(num)
    return Starts(Laid(layout), model, memory).draw(Draws(0, Stream.TRAIN, worlds, worlds))


def layout(model, num):
    rgba = np.repeat(np.float32(model.geom_rgba)[None], num, axis=0)
    rgba[..., 0] = np.linspace(0.1, 0.9, num)[:, None]
    return {
        "qvel": np.linspace(1, 2, num * model.nv).reshape(num, -1),
        "arc_m": np.arange(1.0, num + 1),
        "geom_rgba": rgba,
        "mocap_pos": np.arange(3.0 * num).reshape(num, 1, 3),
    }


@pytest.mark.parametrize("num", [1, 2])
def test_everything_goes_where_it_belongs_and_the_rest_back_to_its_beginning(num):
    model = load_model(XML)
    engine, ids, others = engine_of(model, 4), np.arange(1, 1 + num), [0, *range(1 + num, 4)]
    scattered(engine)
    before = engine.get_state()
    memory = {"arc_m": np.full(4, 9.0, np.float32), "is_late": np.ones(4, bool)}
    given = layout(model, num)
    Beginning(engine, memory)(laid(given, model, memory, num), ids)
    engine.forward(ids)
    np.testing.assert_array_equal(engine.read("qvel")[ids], np.float32(given["qvel"]))
    np.testing.assert_array_equal(engine.read("mocap_pos")[ids], np.float32(given["mocap_pos"]))
    np.testing.assert_array_equal(engine.model_values()["geom_rgba"][ids], given["geom_rgba"])
    np.testing.assert_array_equal(engine.read("qpos")[ids], np.tile(np.float32(model.qpos0), (num, 1)))
    assert memory["arc_m"][ids].tolist() == given["arc_m"].tolist()
    assert not memory["is_late"][ids].any()
    np.testing.assert_array_equal(engine.get_state()[others], before[others])
    assert (memory["arc_m"][others] == 9).all()
    assert memory["is_late"][others].all()


def test_only_state_or_nothing_can_be_laid_out():
    model = load_model(XML)
    engine, ids = engine_of(model, 2), np.arange(2)
    for given in ({}, {"qvel": np.ones((2, model.nv))}):
        Beginning(engine, {})(laid(given, model, {}, 2), ids)
        engine.forward()
        np.testing.assert_array_equal(engine.read("qvel"), given.get("qvel", np.zeros((2, model.nv))))


@pytest.mark.parametrize("num", [1, 2])
def test_memory_in_torch_takes_values_that_lie_among_others(num):
    parts = [("is_late", bool), ("arc_m", np.float64), ("field", np.float32, 3), (STATE, np.float64, 0)]
    records = np.zeros(num, parts)
    records["arc_m"], records["field"] = 7, 8
    engine, ids = engine_of(load_model(XML), 3), np.arange(num)
    memory = {"arc_m": torch.ones(3), "field": torch.ones((3, 3)), "is_late": torch.ones(3, dtype=torch.bool)}
    Beginning(engine, memory)(Start(Names(memory=tuple(memory)), records.dtype, in_bytes(records)), ids)
    assert memory["arc_m"].tolist() == [7] * num + [1] * (3 - num)
    assert memory["field"][:, 0].tolist() == [8] * num + [1] * (3 - num)
    assert memory["is_late"].tolist() == [False] * num + [True] * (3 - num)


@pytest.mark.parametrize(
    ("layout", "error", "message"),
    [
        ({"qpso": np.zeros((2, 15))}, UnknownNameError, "did you mean 'qpos'"),
        ({"is_laet": np.zeros(2)}, UnknownNameError, "did you mean 'is_late'"),
        ({"qpos": np.zeros((2, 14))}, UserError, r"lays out 'qpos' as \[2, 14\], and it takes \[2, 15\]"),
        ({"qpos": np.zeros((2, 16)), "qvel": np.zeros((2, 12))}, UserError, "lays out 'qpos'"),
        ({"mocap_pos": np.zeros(2)}, UserError, "lays out 'mocap_pos'"),
        ({"is_late": np.zeros((2, 1))}, UserError, r"lays out 'is_late' as \[2, 1\], and it takes \[2\]"),
        ({"is_late": np.zeros(3)}, UserError, "lays out 'is_late'"),
        ({"qpos": np.zeros((15, 2))}, UserError, r"lays out 'qpos' as \[15, 2\], and it takes \[2, 15\]"),
        ({"qpos": np.full((2, 15), np.nan)}, UserError, "lays out 'qpos' with numbers that are not finite"),
        ({"body_mass": np.full((2, 5), np.inf)}, UserError, "lays out 'body_mass' with numbers that are not finite"),
        ({"body_mass": np.ones((2, 1))}, UserError, "lays out 'body_mass' as"),
    ],
)
def test_what_would_not_fit_is_refused(layout, error, message):
    with pytest.raises(error, match=message):
        laid(layout, load_model(XML), {"is_late": np.ones(4, bool)}, 2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("geom_matid", 50, "'geom_matid' with 50 to 50, beyond -1 to "),
        ("body_mass", 0.0, "'body_mass' with 0 to 0, beyond 1e-09 to inf"),
        ("body_mass", -1.0, "'body_mass' with -1 to -1, beyond"),
        ("geom_friction", -0.1, "'geom_friction' with -0.1 to -0.1, beyond 0 to inf"),
        ("body_quat", 0.0, "'body_quat' with vectors of length 0"),
    ],
)
def test_what_no_model_can_have_is_refused(name, value, message):
    values = np.full((2, *np.shape(getattr(MODEL, name))), value)
    with pytest.raises(UserError, match=message):
        laid({name: values}, MODEL, {}, 2)


def test_what_the_model_has_may_be_laid_out():
    masses = np.repeat(MODEL.body_mass[None], 2, axis=0)  # the world has none
    assert len(laid({"body_mass": masses}, MODEL, {}, 2).data) == 2


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ({"qpos": np.zeros((2, 15))}, "lays out 'is_late' for some episodes and not for others"),
        ({"qpos": np.zeros((2, 15)), "is_late": np.zeros(2), "qvel": np.zeros((2, 12))}, "lays out 'qvel' for some"),
        ({"qpos": np.zeros((2, 14)), "is_late": np.zeros(2)}, "lays out 'qpos' as"),
        ({"qpos": np.zeros((2, 15)), "is_late": np.zeros(1)}, "lays out 'is_late' as"),
    ],
)
def test_what_is_laid_out_stays_the_same(later, message):
    task, worlds = Laid({"qpos": np.zeros((2, 15)), "is_late": np.zeros(2)}), np.arange(2)
    starts = Starts(task, load_model(XML), {"is_late": np.ones(4)})
    starts.draw(Draws(0, Stream.TRAIN, worlds, worlds))
    task.layout = lambda draws: later
    with pytest.raises(UserError, match=message):
        starts.draw(Draws(0, Stream.TRAIN, worlds, worlds))


def test_layouts_of_one_task_are_alike_whatever_order_and_type_they_come_in():
    given: list[dict[str, np.ndarray]] = [
        {"qpos": np.ones((2, 15), int), "qvel": np.zeros((2, 13)), "arc_m": np.zeros(2, int)},
        {"arc_m": np.full(2, 0.5), "qvel": np.full((2, 13), 3.5), "qpos": np.full((2, 15), 2.5)},
    ]
    task, worlds = Laid({}), np.arange(2)
    task.layout = lambda draws: given.pop(0)
    starts = Starts(task, load_model(XML), {"arc_m": np.ones(4, np.float32)})
    first, second = (starts.draw(Draws(0, Stream.TRAIN, worlds, worlds)) for _ in range(2))
    assert first.names == second.names == Names(("qpos", "qvel"), (), ("arc_m",))
    assert first.record is second.record
    np.testing.assert_array_equal(second.of(STATE), np.repeat([[2.5] * 15 + [3.5] * 13], 2, axis=0))
    assert second.of("arc_m").tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("laid_out", "message"),
    [
        ({"arc_m": np.full(2, np.nan), "qpos": np.full((2, 15), np.inf)}, "'qpos' with numbers that are not finite"),
        ({"geom_rgba": np.full((2, MODEL.ngeom, 4), 1e39)}, "'geom_rgba' with numbers that are not finite"),
        ({"geom_matid": np.full((2, MODEL.ngeom), np.nan)}, "'geom_matid' with numbers that are no int32"),
    ],
)
def test_what_is_not_finite_is_told_by_its_name(laid_out, message):
    with np.errstate(over="ignore"), pytest.raises(UserError, match=f"lays out {message}"):
        laid(laid_out, MODEL, {"arc_m": np.ones(4)}, 2)


@pytest.mark.parametrize("name", ["qvel", "geom_rgba"])
def test_one_number_that_is_not_finite_is_found_wherever_it_is(name):
    given = layout(MODEL, 3)
    given[name].flat[-1] = np.nan
    with pytest.raises(UserError, match=f"lays out '{name}' with numbers that are not"):
        laid(given, MODEL, {"arc_m": np.ones(4)}, 3)


@pytest.mark.parametrize("kind", [">f8", "<f2", "i1", "bool", "<U8"])
def test_memory_may_be_of_any_type_that_can_be_stored(kind):
    engine, ids = engine_of(MODEL, 4), np.arange(1, 3)
    memory = {"left": np.ones(4, kind), "right": np.ones((4, 2, 3), kind)}
    given = {"right": np.zeros((2, 2, 3), kind), "left": np.zeros(2, kind)}
    Beginning(engine, memory)(laid(given, MODEL, memory, 2), ids)
    for name, kept in memory.items():
        np.testing.assert_array_equal(kept[1:3], given[name])
        np.testing.assert_array_equal(kept[[0, 3]], np.ones_like(kept[[0, 3]]))


def test_memory_that_a_task_replaced_is_told():
    engine, ids, memory = engine_of(MODEL, 2), np.arange(2), {"steps": np.zeros(2)}
    beginning, start = Beginning(engine, memory), laid({}, MODEL, memory, 2)
    beginning(start, ids)
    memory["steps"] = memory["steps"] + 1
    with pytest.raises(UserError, match="other arrays into its memory"):
        beginning(start, ids)


def test_memory_that_is_called_like_a_field_is_refused():
    with pytest.raises(UserError, match="another name for 'time'"):
        Starts(Laid({}), load_model(XML), {"time": np.ones(4)})
