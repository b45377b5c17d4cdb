"""What the system tells of memory: of the machine, and of the control groups that a process is in."""

from pathlib import Path

import pytest

from robossl.core import memory
from robossl.core.memory import available_bytes, resident_bytes

VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with 70 KiB free, in whose groups this process is alone."""
    for name, file in {"_MEMINFO": "meminfo", "_MEMBERSHIP": "membership", "_GROUPS": "groups"}.items():
        monkeypatch.setattr(memory, name, tmp_path / file)
    (tmp_path / "meminfo").write_text("MemTotal:       100 kB\nMemFree:        10 kB\nMemAvailable:   70 kB\n")
    (tmp_path / "membership").write_text("0::/\n")
    return tmp_path


def group(folder: Path, limit: object, used: int, inactive: int, names: tuple[str, str, str] = VERSION_2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 300\ninactive_file 1\n{names[2]} {inactive}\nactive_file 50\n")


def test_a_machine_tells_what_is_available(system: Path) -> None:
    assert available_bytes() == 70 * 1024
    (system / "meminfo").unlink()
    assert available_bytes() is None


def test_a_container_s_memory_is_its_limit_less_what_it_cannot_give_back(system: Path) -> None:
    group(system / "groups", 1000, 900, 550)
    assert available_bytes() == 1000 - 900 + 550  # files that were read once fill it, and make room when asked
    group(system / "groups", "max", 900, 550)
    assert available_bytes() == 70 * 1024


def test_the_narrowest_of_a_group_and_those_above_it_counts(system: Path) -> None:
    (system / "membership").write_text("1:cpu:/elsewhere\n0::/user.slice/session/job\n")
    group(system / "groups" / "elsewhere", 5, 1, 0)
    group(system / "groups" / "user.slice", 2000, 1500, 0)
    group(system / "groups" / "user.slice" / "session", "max", 1400, 0)
    group(system / "groups" / "user.slice" / "session" / "job", 9000, 1000, 0)
    assert available_bytes() == 500
    group(system / "groups" / "user.slice" / "session" / "job", 1200, 1000, 100)
    assert available_bytes() == 300


@pytest.mark.parametrize("controllers", ["memory", "cpuset,memory"])
def test_groups_of_version_1_count(system: Path, controllers: str) -> None:
    (system / "membership").write_text(f"5:name=systemd:/x:y\n4:{controllers}:/jobs/one\n0::/\n")
    group(system / "groups" / "memory", 2**63 - 4096, 10_000, 0, VERSION_1)
    group(system / "groups" / "memory" / "jobs" / "one", 3000, 2500, 40, VERSION_1)
    assert available_bytes() == 540


def test_a_container_that_is_told_the_path_outside_sees_its_own_group_at_the_top(system: Path) -> None:
    (system / "membership").write_text("4:memory:/docker/0123\n")
    group(system / "groups" / "memory", 800, 100, 0, VERSION_1)
    assert available_bytes() == 700


def test_the_system_tells_its_memory() -> None:
    held, free = resident_bytes(), available_bytes()
    if held is None or free is None:
        pytest.skip("needs a system that tells its memory (/proc)")
    assert 2**24 < held < 2**40
    assert free > 0
