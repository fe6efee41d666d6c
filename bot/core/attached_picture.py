"""Pictures that people attach: checked, scaled down, and encoded as a model gets them.

`read_picture` takes up to a second and is called in a thread. It imports pillow, so that a start need not.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

from bot.core.errors import InputError, NotFoundError
from bot.core.text import escape_markdown

if TYPE_CHECKING:
    from PIL.Image import Image

# The formats that Discord shows and that pillow decodes without an external program.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# Pixels of an uploaded picture: 24 megapixels of a camera. Decoding takes up to four bytes for each.
MAX_PIXELS = 25_000_000
# Pixels of the longer side that is sent. OpenAI scales larger pictures down to this itself ("Images and vision",
# 2026-11-28).
MAX_SIDE = 2_048
# Bytes of a PNG that is sent; a larger one is sent as JPEG. JSON with more of it would hold up the event loop.
MAX_PNG = 1_000_000
JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class AttachedPicture:
    """A picture in a user message.

    `size` is in bytes, `width` and `height` in pixels. `url` is the picture as a `data:` URL; it is empty where only
    the description is left: pictures are never stored.
    """

    name: str
    size: int
    width: int
    height: int
    sha256: str
    url: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The description, without the picture itself."""
        data = asdict(self)
        del data["url"]
        return data

    def to_part(self) -> dict[str, Any]:
        """The picture as a part of a message's content."""
        return {"type": "image_url", "image_url": {"url": self.url}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The picture of a stored description."""
        return cls(**data)


def check_held(pictures: Iterable[AttachedPicture]) -> None:
    """Raise `NotFoundError` where only the description of a picture is left."""
    for picture in pictures:
        if not picture.url:
            raise NotFoundError(
                "The picture {name} is gone: pictures are held in memory only, and not for long. Send it again.",
                name=escape_markdown(picture.name),
            )


def read_picture(data: bytes, name: str) -> AttachedPicture:
    """The picture in `data`, as PNG or JPEG without metadata, turned upright; the first frame of an animation.

    Raises `InputError` for what is no picture, is broken, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    shown = escape_markdown(name)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise InputError(
                    "The picture {name} has {width:,} × {height:,} pixels; up to {most:,.0f} million can be read.",
                    name=shown,
                    width=opened.width,
                    height=opened.height,
                    most=MAX_PIXELS / 1_000_000,
                )
            is_photo = opened.format in ("JPEG", "WEBP")
            opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
            picture = ImageOps.exif_transpose(opened)
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
    except UnidentifiedImageError:
        raise InputError(
            "The file {name} is not a picture that I can read: PNG, JPEG, GIF or WebP.", name=shown
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError):
        raise InputError("The picture {name} is broken; save it again and send it once more.", name=shown) from None
    encoded = b"" if is_photo else _encoded(picture, "PNG")
    kind = "png"
    if is_photo or len(encoded) > MAX_PNG:
        encoded, kind = _encoded(_on_white(picture), "JPEG"), "jpeg"
    url = f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
    return AttachedPicture(name, len(encoded), picture.width, picture.height, hashlib.sha256(encoded).hexdigest(), url)


def _on_white(picture: "Image") -> "Image":
    """`picture` without transparency, which JPEG does not have."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return white.convert("RGB")


def _encoded(picture: "Image", kind: str) -> bytes:
    """The file of `picture` in the format `kind`, without metadata."""
    buffer = BytesIO()
    if kind == "PNG":
        if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        picture.save(buffer, kind, exif=b"", pnginfo=None)
    else:
        picture.save(buffer, kind, quality=JPEG_QUALITY, exif=b"")
    return buffer.getvalue()
