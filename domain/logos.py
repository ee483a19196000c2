"""Logos of sellers, as documents show them: a PNG of a size for print, and nothing else of what was uploaded."""

from io import BytesIO

from PIL import Image

from domain import avatars

WIDTH, HEIGHT = 1000, 400


def flat(data: bytes) -> bytes:
    """Return a picture as a PNG of at most WIDTH by HEIGHT pixels; of one that moves, the first frame.

    Not for the event loop, as avatars are not. Raises NotAPicture, PictureTooLarge.
    """
    return avatars.made_of(data, _written, side=2 * WIDTH)


def _written(picture: Image.Image) -> bytes:
    shown = avatars.upright(picture)
    shown.thumbnail((WIDTH, HEIGHT))
    plain = Image.new("RGBA", shown.size)
    plain.paste(shown)
    out = BytesIO()
    plain.save(out, "PNG", optimize=True)
    return out.getvalue()
