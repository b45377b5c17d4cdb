import json
from dataclasses import replace

import pytest
from contract_examples import SEEN, element, make_contract
from hypothesis import given, settings
from hypothesis import strategies as st

from robossl.core import Contract, UserError
from robossl.core.contract import Range, StateSpec
from robossl.core.strict_json import read_dataclass, to_json


def test_a_contract_is_read_as_it_was_written() -> None:
    contract = make_contract(initial_state=(StateSpec(name="h", shape=(2,), initial=(0.0, 1.0)),))
    text = json.dumps(to_json(contract), allow_nan=False).encode()
    assert read_dataclass(Contract, text, file="contract.json") == contract


def test_a_key_left_out_is_named_with_its_place() -> None:
    data = to_json(make_contract())
    del data["inputs"][1]["elements"][0]["unit"]
    with pytest.raises(UserError, match=r"contract.json: key 'inputs\[1\].elements\[0\].unit' is missing"):
        read_dataclass(Contract, json.dumps(data).encode(), file="contract.json")


def test_a_limit_that_is_missing_is_named() -> None:
    data = to_json(make_contract())
    del data["commands"][0]["high"]
    with pytest.raises(UserError, match=r"key 'commands\[0\].high' is missing"):
        read_dataclass(Contract, json.dumps(data).encode(), file="contract.json")


def test_another_format_is_refused() -> None:
    with pytest.raises(UserError, match="format 7"):
        make_contract(format=7)


def test_parts_that_do_not_fit_are_refused() -> None:
    contract = make_contract()
    camera, vector = contract.inputs
    delta = contract.commands[0]
    with pytest.raises(UserError, match="input names must be unique"):
        make_contract(inputs=(vector, vector))
    with pytest.raises(UserError, match="scales action 4 of 1"):
        make_contract(commands=(replace(delta, source=4),))
    with pytest.raises(UserError, match="outside its limits"):
        replace(delta, low=0.1)
    with pytest.raises(UserError, match="no room"):
        replace(delta, moves=replace(delta.moves, low=1.0))  # type: ignore[type-var]
    with pytest.raises(UserError, match="control_hz"):
        make_contract(control_hz=0.0)
    with pytest.raises(UserError, match="not that of 1 elements"):
        replace(vector, elements=(element("joint1"),))
    with pytest.raises(UserError, match="element names must be unique"):
        replace(vector, elements=(element("joint1"), element("joint1")))
    with pytest.raises(UserError, match="a frame of rgb is"):
        replace(camera, encoding="32FC1")
    with pytest.raises(UserError, match="2 ranges for 3 channels"):
        replace(camera, seen=(SEEN, SEEN))
    with pytest.raises(UserError, match="ascend"):
        Range(low=0.0, q01=-1.0, q99=1.0, high=2.0)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_contract_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    tree = to_json(make_contract())
    place = tree
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    try:
        contract = read_dataclass(Contract, json.dumps(tree).encode(), file="contract.json")
    except UserError as error:
        line = str(error)
    else:
        line = "contract.json"
        assert json.loads(json.dumps(to_json(contract))) == tree
    assert line.startswith("contract.json")
    assert "\n" not in line
