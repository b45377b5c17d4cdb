"""Names resolve, and a wrong one gets the nearest."""

import pytest

from robossl.core import UnknownNameError, UserError
from robossl.core.registry import AGENTS, TASKS, load


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown agent 'sca'; did you mean 'sac'"):
        load(AGENTS, "sca", what="agent")


def test_what_all_names_share_makes_none_of_them_near() -> None:
    with pytest.raises(UnknownNameError, match="'robossl/Foo-v0'; known: robossl/ArmLift-v0, "):
        load(TASKS, "robossl/Foo-v0", what="environment")
    for near in ("robossl/ArmPsh-v0", "ArmPush-v0", "robosl/ArmPush-v1"):
        with pytest.raises(UnknownNameError, match="did you mean 'robossl/ArmPush-v0'"):
            load(TASKS, near, what="environment")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("robossl.core.nowhere:Task", "environment 'my/Task-v0': there is no module 'robossl.core.nowhere'"),
        ("nowhere_at_all.tasks:Task", "there is no module 'nowhere_at_all'"),
        ("robossl.core.registry:Nothing", "module 'robossl.core.registry' has no 'Nothing'"),
        ("robossl.core.registry", "module 'robossl.core.registry' has no ''"),
    ],
)
def test_an_entry_that_names_nothing_is_told_in_one_line(entry, message):
    with pytest.raises(UserError, match=message):
        load({"my/Task-v0": entry}, "my/Task-v0", what="environment")
