"""Names resolve, and a wrong one gets the nearest."""

import pytest

from robossl.core import UnknownNameError, UserError
from robossl.core.registry import AGENTS, load


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown agent 'sca'; did you mean 'sac'"):
        load(AGENTS, "sca", what="agent")


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
