"""Those that draw for people: kept from picture to picture, the last few of them."""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

_MOST = 8  # with a graphics context, threads or a model each; more than a film has cameras, which take turns


class _Closable(Protocol):
    def close(self) -> None: ...


Viewer = TypeVar("Viewer", bound=_Closable)


class Viewers(Generic[Viewer]):
    """Viewers by what they draw; those that were asked for last are kept, the others closed."""

    def __init__(self) -> None:
        self._viewers: dict[Hashable, Viewer] = {}  # the last asked for comes last

    def of(self, what: Hashable, make: Callable[[], Viewer]) -> Viewer:
        """Returns the viewer that was made for this, or makes it."""
        viewer = self._viewers.pop(what, None)
        if viewer is None:
            if len(self._viewers) == _MOST:
                self._viewers.pop(next(iter(self._viewers))).close()
            viewer = make()
        self._viewers[what] = viewer
        return viewer

    def close(self) -> None:
        """Closes them all."""
        for viewer in self._viewers.values():
            viewer.close()
        self._viewers = {}
