"""Names resolve, and a wrong one gets the nearest."""

import pytest

from robossl.core import UnknownNameError
from robossl.core.registry import AGENTS, load


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown agent 'sca'; did you mean 'sac'"):
        load(AGENTS, "sca", what="agent")
