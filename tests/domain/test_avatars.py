"""Pictures of people are made small and square, and those that would take too much are not even decoded."""

import struct
import zipfile
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain import avatars
from domain.avatars import SIDE, NotAPicture, PictureTooLarge, small


def written(picture: Image.Image, kind: str, **more: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data), formats=("WEBP",))
    picture.load()
    return picture


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """Return a PNG whose header promises that many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", avatars.FORMATS)
def test_every_kind_becomes_a_small_square_of_its_middle(kind: str) -> None:
    wide = Image.new("RGB", (900, 300), "red")
    wide.paste("blue", (300, 0, 600, 300))

    made = opened(small(written(wide, kind)))

    assert (made.format, made.size) == ("WEBP", (SIDE, SIDE))
    red, green, blue = made.convert("RGB").getpixel((SIDE // 2, SIDE // 2))  # type: ignore[misc]
    assert blue > 200 > 60 > max(red, green)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_is_shown(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"

    assert opened(small(written(Image.new(mode, (40, 60)), kind))).size == (SIDE, SIDE)


def test_what_else_a_picture_tells_is_gone_but_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Taken at home"
    tall = Image.new("RGB", (300, 300), "red")
    tall.paste("blue", (0, 0, 300, 100))

    data = small(written(tall, "JPEG", exif=exif, comment=b"secret"))

    assert b"home" not in data
    assert b"secret" not in data
    made = opened(data).convert("RGB")
    assert not made.getexif()
    # Its first row is meant to be on the right.
    assert made.getpixel((SIDE - 10, SIDE // 2))[2] > 200  # type: ignore[index]
    assert made.getpixel((10, SIDE // 2))[0] > 200  # type: ignore[index]


def test_the_same_picture_is_made_the_same() -> None:
    data = written(Image.new("RGB", (300, 200), "red"), "PNG")

    assert small(data) == small(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_that_promises_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: Any, **__: Any) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Image.Image, "load", decoded)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    for width, height in ((50_000, 50_000), (10_000, 10_000), (5_001, 5_000)):
        with pytest.raises(PictureTooLarge) as refused:
            small(png(width, height, b"\0" * 1_000_000))
        assert refused.value.code == "PICTURE_TOO_LARGE"


def bomb() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", b"\0" * 20_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%PDF-1.7",
        bomb(),
        written(Image.new("RGB", (8, 8)), "BMP"),
        written(Image.new("RGB", (8, 8)), "TIFF"),
        written(Image.new("RGB", (200, 200), "red"), "JPEG")[:-100],
        written(Image.effect_noise((200, 200), 50), "PNG")[:-5000],
        png(10, 10, b"short"),
    ],
    ids=["empty", "text", "svg", "pdf", "zip bomb", "bmp", "tiff", "cut jpeg", "cut png", "short png"],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        small(data)


@given(st.sampled_from(avatars.FORMATS), st.integers(0, 400), st.binary(min_size=1, max_size=40))
def test_a_broken_picture_is_shown_or_refused(kind: str, at: int, scrap: bytes) -> None:
    whole = bytearray(written(Image.new("RGB", (20, 30), "red"), kind))
    whole[at : at + len(scrap)] = scrap

    with suppress(NotAPicture, PictureTooLarge):
        assert opened(small(bytes(whole))).size == (SIDE, SIDE)
