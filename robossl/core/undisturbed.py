"""What a GPU's recordings need of Python: quiet."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_alone = threading.RLock()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keeps Python from tidying up, and other recordings of this process waiting.

    A recording is spoilt when an older one, or memory of the GPU, is given back meanwhile, and the garbage collector
    does that whenever it likes. What other threads do on the same GPU may spoil it, too: nothing keeps them from it.
    """
    with _alone:
        was_on = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_on:
                gc.enable()
