"""Pictures of people: small and square, and nothing of what else their files tell, such as where they were taken."""

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

    A picture with too many pixels is refused by what its header says, before any of them is decoded. It takes up to
    200 MB and half a second: not for the event loop. Raises NotAPicture, PictureTooLarge.
    """
    too_large = PictureTooLarge(limit=settings().max_avatar_pixels)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > settings().max_avatar_pixels:
                raise too_large
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))
            return _written(_square(picture))
    except DomainError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large from error
    # Decoders of hostile bytes raise whatever they stumble over.
    except Exception as error:
        raise NotAPicture from error


def _square(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        upright = upright.convert("F").point(lambda value: value / 256).convert("L")
    return ImageOps.fit(upright.convert("RGBA"), (SIDE, SIDE))


def _written(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()
