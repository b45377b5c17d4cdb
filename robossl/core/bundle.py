"""A bundle: a policy, its contract and what proves them, in one folder whose every byte is accounted for.

    contract.json   see `Contract`
    policy.onnx     the graph
    ...             parity.json, README.md, a robot's profile: whatever was sealed with them
    manifest.json   size and SHA-256 of every file
    seal.sha256     the manifest's SHA-256, as `sha256sum` writes it

Hashes find damage and mix-ups. Against somebody who rewrites both, note the bundle's digest elsewhere.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robossl.core.contract import Contract
from robossl.core.errors import CorruptFileError, UserError
from robossl.core.files import write_atomic, write_json
from robossl.core.strict_json import read_dataclass, to_json

CONTRACT, MANIFEST, SEAL = "contract.json", "manifest.json", "seal.sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of a bundle, {name: entry}; no folders."""

    format: Literal[1] = 1
    files: dict[str, FileEntry]


class Bundle:
    """Reads a bundle into memory; whatever is used was checked against its hash, and nothing in it can execute.

    Attributes:
        folder: where it was read from.
        contract: what the policy takes and gives.
        digest: SHA-256 of the manifest: names exactly this bundle.

    Raises:
        UserError: if the folder is not a bundle, or of another format.
        CorruptFileError: naming the first file that is changed, absent, or does not belong there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest, self.digest = _sealed_manifest(folder)
        self._require_no_others(manifest)
        self._files = {name: _verified(folder / name, entry) for name, entry in manifest.files.items()}
        self.contract = read_dataclass(Contract, self.read(CONTRACT), file=str(folder / CONTRACT))
        self.policy = self.read(self.contract.policy)

    @property
    def names(self) -> tuple[str, ...]:
        """Returns the names of all files."""
        return tuple(self._files)

    def read(self, name: str) -> bytes:
        """Returns a file as it was when it was sealed.

        Raises:
            UserError: if the bundle has none of that name.
        """
        if name not in self._files:
            raise UserError(f"{self.folder} holds no {name}")
        return self._files[name]

    def _require_no_others(self, manifest: Manifest) -> None:
        for path in sorted(self.folder.iterdir()):
            if path.name not in (*manifest.files, MANIFEST, SEAL):
                raise CorruptFileError(f"{path} does not belong to the bundle: its manifest does not list it")


def write_contract(folder: Path, contract: Contract) -> None:
    """Writes a bundle's contract."""
    write_json(folder / CONTRACT, to_json(contract))


def seal(folder: Path) -> str:
    """Makes a bundle of all files in `folder` by writing manifest and seal; returns its digest."""
    for name in (MANIFEST, SEAL):
        (folder / name).unlink(missing_ok=True)
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    files = {name: FileEntry(bytes=len(content), sha256=_hash(content)) for name, content in contents.items()}
    write_json(folder / MANIFEST, to_json(Manifest(files=files)))
    digest = _hash((folder / MANIFEST).read_bytes())
    write_atomic(folder / SEAL, _seal_line(digest))
    return digest


def _sealed_manifest(folder: Path) -> tuple[Manifest, str]:
    if not (folder / MANIFEST).is_file() or not (folder / SEAL).is_file():
        raise UserError(f"{folder} is not a bundle: it has no {MANIFEST} with a {SEAL}")
    content = (folder / MANIFEST).read_bytes()
    digest = _hash(content)
    if (folder / SEAL).read_bytes() != _seal_line(digest):
        raise CorruptFileError(f"{folder / MANIFEST} is not what was sealed: its hash differs from {SEAL}")
    manifest = read_dataclass(Manifest, content, file=str(folder / MANIFEST))
    for name in manifest.files:
        if Path(name).name != name or name in (MANIFEST, SEAL):
            raise CorruptFileError(f"{folder / MANIFEST} lists {name!r}, which is not the plain name of a file")
    return manifest, digest


def _verified(path: Path, entry: FileEntry) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise CorruptFileError(f"{path} is missing or not a plain file")
    content = path.read_bytes()
    if len(content) != entry.bytes:
        raise CorruptFileError(f"{path} is truncated or changed: it has {len(content)} of {entry.bytes} bytes")
    if _hash(content) != entry.sha256:
        raise CorruptFileError(f"{path} is not what was sealed: its content was changed")
    return content


def _seal_line(digest: str) -> bytes:
    return f"{digest}  {MANIFEST}\n".encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
