import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `training_toys`, which a subprocess imports too


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Networks this small are slower on two threads, and far slower where another process has the second core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
