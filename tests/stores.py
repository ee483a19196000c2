"""The stores that files may lie in: the database, a folder, and a bucket of a server that speaks S3."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from nanio.app import build_app
from nanio.auth.credentials import StaticCredentialResolver
from nanio.config import Settings as ServerSettings

from settings import settings
from tests.api.serving import serving

KINDS = ("database", "folder", "bucket")
KEYS = {"AWS_ACCESS_KEY_ID": "salescycle", "AWS_SECRET_ACCESS_KEY": "known to both"}
BUCKET = "files"


@asynccontextmanager
async def store(kind: str, folder: Path) -> AsyncIterator[str]:
    """Let this process keep its files in a store of this kind for a while, and give its FILES_URL."""
    if kind == "bucket":
        async with bucket(folder) as url:
            with environment(FILES_URL=url, **KEYS):
                yield url
    else:
        url = f"file://{folder}/files%20here" if kind == "folder" else ""
        with environment(FILES_URL=url):
            yield url


@asynccontextmanager
async def bucket(folder: Path) -> AsyncIterator[str]:
    """Serve a bucket that lies in a folder, and give its FILES_URL."""
    (folder / BUCKET).mkdir()
    app = build_app(
        ServerSettings(
            data_dir=folder,
            credentials=StaticCredentialResolver({KEYS["AWS_ACCESS_KEY_ID"]: KEYS["AWS_SECRET_ACCESS_KEY"]}),
        )
    )
    async with serving(app) as address:
        yield f"s3://{BUCKET}/salescycle?endpoint={address}&region=us-east-1"


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Let this process have these settings for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    settings.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        settings.cache_clear()


def names(folder: Path) -> list[str]:
    """Return what lies in a folder or bucket, hidden things and the server's own notes left out."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in found if not any(part.startswith(".") for part in path.parts))
