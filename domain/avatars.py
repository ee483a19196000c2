"""Pictures of people: small and square, and nothing of what else their files tell, such as where they were taken."""

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageOps

from domain.errors import DomainError
from settings import settings

SIDE = 256
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
QUALITY = 85


class NotAPicture(DomainError):
    """This is no whole PNG, JPEG, WebP or GIF."""


class PictureTooLarge(DomainError):
    """The picture has more than {limit} pixels: send a smaller one."""


def small(data: bytes) -> bytes:
    """Return a picture as a square WebP, its middle being kept; of one that moves, the first frame.

    It takes up to 200 MB and half a second: not for the event loop. Raises NotAPicture, PictureTooLarge.
    """
    return made_of(data, lambda picture: _written(_square(picture)), side=2 * SIDE)


def made_of(data: bytes, make: Callable[[Image.Image], bytes], *, side: int) -> bytes:
    """Return what is made of a picture, of which no more than so many pixels a side are needed.

    One with too many pixels is refused by what its header says, before any of them is decoded. Raises NotAPicture,
    PictureTooLarge.
    """
    too_large = PictureTooLarge(limit=settings().max_avatar_pixels)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > settings().max_avatar_pixels:
                raise too_large
            picture.draft("RGB", (side, side))
            return make(picture)
    except DomainError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large from error
    # Decoders of hostile bytes raise whatever they stumble over.
    except Exception as error:
        raise NotAPicture from error


def upright(picture: Image.Image) -> Image.Image:
    """Return a picture as it is to be looked at, in colours of eight bits that may be transparent."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode.startswith(("I", "F")):
        turned = turned.convert("F").point(lambda value: value / 256).convert("L")
    return turned.convert("RGBA")


def _square(picture: Image.Image) -> Image.Image:
    return ImageOps.fit(upright(picture), (SIDE, SIDE))


def _written(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()
