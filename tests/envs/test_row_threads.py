import threading

import numpy as np
import pytest

from robossl.envs.row_threads import over_rows, row_threads
from robossl.envs.tasks.geodesic import Grid


def parts_of(num_rows, fewest):
    parts, threads = [], set()

    def note(part):
        parts.append((part.start, part.stop))
        threads.add(threading.get_ident())

    over_rows(note, num_rows, fewest=fewest)
    return sorted(parts), threads


def test_without_leave_all_rows_are_one_part():
    parts, threads = parts_of(100, 1)
    assert parts == [(0, 100)]
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("num_rows", [0, 1, 7, 8, 15, 16, 17, 50, 101])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 16])
def test_parts_are_all_rows_once_and_none_is_small(num_rows, num_threads):
    with row_threads(num_threads):
        parts, _ = parts_of(num_rows, 8)
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(num_rows))
    assert len(parts) == max(1, min(num_threads, num_rows // 8))
    assert len(parts) == 1 or min(stop - start for start, stop in parts) >= 8


def test_parts_run_side_by_side():
    both = threading.Barrier(2, timeout=30)
    with row_threads(2):
        over_rows(lambda part: both.wait(), 2, fewest=1)


def test_what_a_part_raises_is_raised_and_the_threads_have_ended():
    def fail(part):
        if part.start:
            raise ValueError(f"row {part.start}")

    before = threading.active_count()
    with row_threads(2), pytest.raises(ValueError, match="row 2"):
        over_rows(fail, 4, fewest=1)
    assert threading.active_count() == before


def test_the_number_of_threads_is_that_of_the_innermost_block():
    with row_threads(3):
        with row_threads(1):
            assert len(parts_of(9, 1)[0]) == 1
        assert len(parts_of(9, 1)[0]) == 3
    assert len(parts_of(9, 1)[0]) == 1


def test_paths_are_the_same_in_any_number_of_threads():
    generator, grid = np.random.default_rng(0), Grid(3.0)
    is_free = generator.uniform(size=(40, grid.size, grid.size)) > 0.3
    goal = generator.uniform(-2.5, 2.5, (40, 2))
    alone = grid.distance(is_free, goal)
    for num in (2, 3, 5):
        with row_threads(num):
            np.testing.assert_array_equal(grid.distance(is_free, goal), alone)
