"""The moderation endpoint of the tests' model server: it objects to the words that a test names.

fake.moderator.flags["knife"] = ["violence"]
assert fake.moderator.seen == ["the first text that was checked", …]
"""

from aiohttp import web

from bot.engine.body import read_object

# All that OpenAI's endpoint names (2026-11-22).
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


class Moderator:
    """Served at /v1/moderations. `down` lets it answer 500."""

    def __init__(self, app: web.Application, token: str) -> None:
        self.flags: dict[str, list[str]] = {}
        self.seen: list[str] = []
        self.models: list[str] = []
        self.down = False
        self._token = token
        app.router.add_post("/v1/moderations", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        """A verdict in the endpoint's form."""
        assert request.headers["Authorization"] == f"Bearer {self._token}"
        body = await read_object(request)
        if self.down:
            return web.json_response({"error": {"message": "down"}}, status=500)
        self.seen.append(body["input"])
        self.models.append(body["model"])
        found = {name for word, names in self.flags.items() if word in body["input"] for name in names}
        result = {
            "flagged": bool(found),
            "categories": {name: name in found for name in CATEGORIES},
            "category_scores": {name: float(name in found) for name in CATEGORIES},
            "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
        }
        return web.json_response({"id": "modr-1", "model": body["model"], "results": [result]})
