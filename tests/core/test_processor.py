from pathlib import Path

import pytest

from robossl.core import processor
from robossl.core.processor import processor_name


def test_a_processor_without_a_name_has_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", cpuinfo := tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.processor", lambda: "aarch64")
    assert processor_name() == "aarch64"
    cpuinfo.write_text("processor : 0\nmodel name\t: A Fast One @ 3 GHz\n")
    assert processor_name() == "A Fast One @ 3 GHz"
