"""What a test holds in its hands: a message and a modal, as a person sees them."""

from typing import Any

from tests.wire.components import BUTTON, MENUS, walk
from tests.wire.mentions import texts
from tests.wire.world import EPHEMERAL, LOADING

Json = dict[str, Any]


class Message:
    """One message. `raw` is Discord's own JSON, with `pings`, `audience` and `edits` beside it."""

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        self.id = int(raw["id"])
        self.channel_id = int(raw["channel_id"])

    @property
    def content(self) -> str:
        """The plain content, empty for Components V2."""
        return str(self.raw["content"])

    @property
    def text(self) -> str:
        """Every word a reader sees: content, text displays, and embeds with their fields, line by line."""
        parts = list(texts(self.content, self.raw["components"]))
        for embed in self.raw["embeds"]:
            parts += [embed.get("title") or "", embed.get("description") or ""]
            parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields") or []]
            parts.append((embed.get("footer") or {}).get("text") or "")
        return "\n".join(part for part in parts if part)

    @property
    def components(self) -> list[Json]:
        """Every component, flattened, from the outside in."""
        return [component for _, component in walk(self.raw["components"])]

    @property
    def buttons(self) -> list[str]:
        """The buttons' labels, or their emoji where they have none."""
        found = [one for one in self.components if one["type"] == BUTTON]
        return [one.get("label") or (one.get("emoji") or {}).get("name", "") for one in found]

    @property
    def menus(self) -> list[Json]:
        """The select menus."""
        return [one for one in self.components if one["type"] in MENUS]

    @property
    def attachments(self) -> list[Json]:
        """The files: `filename`, `size`, `url` and more."""
        return list(self.raw["attachments"])

    @property
    def author_id(self) -> int:
        """Who wrote it."""
        return int(self.raw["author"]["id"])

    @property
    def ephemeral(self) -> bool:
        """Whether only one person sees it."""
        return bool(self.raw["flags"] & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it still says that the bot is thinking."""
        return bool(self.raw["flags"] & LOADING)

    @property
    def pings(self) -> list[str]:
        """Whom it notified: user ids, role ids with `&` before them, `everyone`."""
        return list(self.raw["pings"])

    def __repr__(self) -> str:
        """The message in a line, for a failing test's report."""
        return f"<Message {self.id} {self.text[:80]!r} buttons={self.buttons}>"


class Modal:
    """A modal that opened: fill it in with `Wire.submit`."""

    def __init__(self, interaction_id: int, raw: Json) -> None:
        self.interaction_id = interaction_id
        self.raw = raw

    @property
    def title(self) -> str:
        """Its heading."""
        return str(self.raw["title"])

    @property
    def fields(self) -> dict[str, Json]:
        """The fields by custom id."""
        return {one["custom_id"]: one for _, one in walk(self.raw["components"]) if "custom_id" in one}
