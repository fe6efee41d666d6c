"""The chapter's three lines, as a script without a client of its own."""

import asyncio
import os
import sys
from pathlib import Path

from bot.core.settings import Settings
from tests.fake_model import FakeModel

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "translate.json"
SCRIPT = """
import asyncio, sys
from bot.core.errors import FewshotError
from bot.llm import ChatTemplate

async def main():
    template = ChatTemplate.from_file(sys.argv[1])
    answer = await template.completion({"text": "Good day", "to": "French"})
    print(answer.choices[0].message.content)
    async with template.stream({"text": "Good day"}) as stream:
        print("".join([piece async for piece in stream]))

for _ in range(2):
    try:
        asyncio.run(main())
    except FewshotError as error:
        print(error)
"""


async def output(folder: Path, **settings: str) -> tuple[str, str]:
    """What the script writes to standard output and to standard error."""
    environment = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "default", "-c", SCRIPT, str(TEMPLATE)),
        env=environment | settings,
        cwd=folder,
        stdout=pipe,
        stderr=pipe,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    noise = ("audioop", "import audioop")
    return out.decode(), "\n".join(line for line in err.decode().splitlines() if not any(n in line for n in noise))


async def test_a_script_needs_no_client_of_its_own_and_leaves_nothing_open(fake: FakeModel, tmp_path: Path) -> None:
    fake.says("Bonjour")
    settings = {"OPENAI_BASE_URL": fake.url, "OPENAI_API_KEY": fake.token, "CHAT_MODEL": "fake-model"}
    assert await output(tmp_path, **settings) == ("Bonjour\n" * 4, "")
    assert fake.requests[0]["model"] == "fake-model"


async def test_without_a_model_a_script_is_told_what_to_set(tmp_path: Path) -> None:
    out, err = await output(tmp_path)
    assert out.count("set OPENAI_API_KEY, or OPENAI_BASE_URL") == 2
    assert err == ""
