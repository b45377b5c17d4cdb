"""What `robossl pretrain` keeps of its call, for whoever resumes it."""

import os
from pathlib import Path

from robossl.cli.pretrain import _begin, _data
from robossl.cli.settings import PretrainSettings


def test_a_dataset_whose_path_is_no_text_is_found_again(tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"d\xff")
    folder = _begin(PretrainSettings(log_folder=tmp_path), "a", data)
    assert _data(folder) == data
