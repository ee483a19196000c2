"""The data folder: one `up` at a time, and the secret that is made in it once."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from embedded.errors import StartFailed

SECRET_BYTES = 48


class InUse(StartFailed):
    """Another process holds the data folder."""


def prepare(data_dir: Path) -> Path:
    """Make the data folder if it is missing and return its absolute path.

    Root's folder may be passed through (not read) by others, so that PostgreSQL's own user reaches its part.
    """
    folder = data_dir.expanduser().absolute()
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        folder = folder.resolve()
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def unwritable(folder: Path, error: OSError) -> StartFailed:
    """Return the sentence for a folder that refuses us."""
    return StartFailed(
        f"The data folder {folder} cannot be written ({error.strerror}); name another one with --data-dir."
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone; the kernel lets go of it however the process ends."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            raise InUse(f"The data folder {folder} is in use by another Salescycle (process {holder}).") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def secret_key(folder: Path) -> str:
    """Return the folder's secret, made at the first call and readable by its owner only."""
    path = folder / "secret-key"
    if path.exists() and (secret := path.read_text().strip()):
        return secret
    secret = secrets.token_urlsafe(SECRET_BYTES)
    unfinished = folder / ".secret-key"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return secret
