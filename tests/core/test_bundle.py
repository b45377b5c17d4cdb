from pathlib import Path

import pytest
from contract_examples import make_contract, write_bundle

from robossl.core import Bundle, CorruptFileError, UserError
from robossl.core.bundle import MANIFEST, SEAL, seal


def test_a_bundle_holds_what_was_sealed(tmp_path: Path) -> None:
    bundle = Bundle(write_bundle(tmp_path / "b"))
    assert bundle.contract == make_contract()
    assert bundle.policy == b"\x08\x08graph"
    assert bundle.names == ("contract.json", "policy.onnx")
    assert bundle.digest == Bundle(write_bundle(tmp_path / "same")).digest


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for place in {0, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(CorruptFileError, match=str(folder)):
                Bundle(folder)
        path.write_bytes(whole[:-1])
        with pytest.raises(CorruptFileError):
            Bundle(folder)
        path.write_bytes(whole)
    Bundle(folder)


def test_a_file_that_is_missing_or_was_added_is_found(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    (folder / "policy.onnx.data").write_bytes(b"weights from elsewhere")
    with pytest.raises(CorruptFileError, match=r"policy\.onnx\.data does not belong"):
        Bundle(folder)
    (folder / "policy.onnx.data").unlink()
    (folder / "policy.onnx").rename(tmp_path / "elsewhere")
    (folder / "policy.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptFileError, match="not a plain file"):
        Bundle(folder)


def test_what_is_no_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a bundle"):
        Bundle(tmp_path)
    folder = write_bundle(tmp_path / "b")
    (folder / SEAL).unlink()
    with pytest.raises(UserError, match="is not a bundle"):
        Bundle(folder)


def test_a_profile_can_be_sealed_in_later(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b")
    before = Bundle(folder).digest
    (folder / "profile.json").write_text("{}")
    digest = seal(folder)
    bundle = Bundle(folder)
    assert bundle.read("profile.json") == b"{}"
    assert bundle.digest == digest != before
    with pytest.raises(UserError, match="holds no nothing"):
        bundle.read("nothing")


def test_a_manifest_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    import hashlib

    folder = write_bundle(tmp_path / "b")
    (tmp_path / "secret").write_text("x")
    text = (folder / MANIFEST).read_text().replace('"policy.onnx"', '"../secret"')
    (folder / MANIFEST).write_text(text)
    (folder / SEAL).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  {MANIFEST}\n")
    (folder / "policy.onnx").unlink()
    with pytest.raises(CorruptFileError, match="not the plain name"):
        Bundle(folder)
