"""What comes from a GPU to the host."""

import numpy as np
import pytest
import torch

from robossl.envs.host import on_host


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("num", [8, 1 << 20])
def test_what_was_brought_from_a_gpu_is_ones_own(num):
    first, second = (torch.arange(num, device="cuda", dtype=torch.int32) + offset for offset in (0, 5))
    here, there = on_host(first), on_host(second[:, None][::2])
    np.testing.assert_array_equal(here, np.arange(num))
    np.testing.assert_array_equal(there[:, 0], np.arange(0, num, 2) + 5)
    here[...] = 7  # may be written to, and is no one else's
    np.testing.assert_array_equal(on_host(first), np.arange(num))
    assert (here == 7).all()
