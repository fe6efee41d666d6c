"""Servers without eyes: what they say of a picture is remembered, unless it is the picture's fault."""

import pytest

from bot.core.attached_picture import AttachedPicture
from bot.core.errors import ModelError
from bot.llm import ChatClient, ChatTemplate
from bot.llm.errors import NO_PICTURES
from bot.llm.request import Request
from bot.llm.unsupported_params import LEFT_OUT_PROMPT
from bot.llm.usage import TOKENS_PER_PICTURE
from tests.fake_model import FakeModel

PICTURE = AttachedPicture("a.png", 3, 1, 1, "0" * 64, "data:image/png;base64,AAAA")
ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "What is it?"}]}).fill({})
WITH_PICTURE = ASK.with_pictures([PICTURE])


async def said(client: ChatClient, request: Request) -> str:
    """The answer, or the sentence of the error."""
    try:
        return (await client.complete(request)).choices[0].message.content or ""
    except ModelError as error:
        return error.sentence


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "this model does not support image input (ref: b8bd630e)"),
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (500, 'Failed to parse messages: Unsupported content part type: "image_url"'),
        (400, "At most 0 image(s) may be provided in one prompt."),
        (404, "No endpoints found that support image input"),
        (422, "messages[0]: unknown variant `image_url`, expected `text`"),
        (400, "llama-3 is not a multimodal model"),
    ],
)
async def test_a_server_that_takes_no_pictures_is_asked_once(
    fake: FakeModel, client: ChatClient, status: int, message: str
) -> None:
    fake.sees_pictures = True
    fake.fails(status, message=message, retry_after=0, times=3)
    assert await said(client, WITH_PICTURE) == NO_PICTURES
    asked = len(fake.requests)
    assert await said(client, WITH_PICTURE) == NO_PICTURES
    assert len(fake.requests) == asked


@pytest.mark.parametrize("message", ["Failed to load image: cannot decode the bytes", "The image is too large."])
async def test_the_fault_of_one_picture_says_nothing_about_the_model(
    fake: FakeModel, client: ChatClient, message: str
) -> None:
    fake.sees_pictures = True
    fake.fails(400, message=message)
    assert await said(client, WITH_PICTURE) != NO_PICTURES
    assert await said(client, WITH_PICTURE) == "ok"


async def test_a_conversation_goes_on_without_a_picture_that_is_gone_or_not_seen(
    fake: FakeModel, client: ChatClient
) -> None:
    assert await said(client, WITH_PICTURE) == NO_PICTURES  # in the words of the local engine
    later = ({"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"})
    gone = ASK.with_pictures([AttachedPicture("a.png", 3, 1, 1, "0" * 64)])
    for request in (WITH_PICTURE, gone):
        assert await said(client, request.followed_by(*later)) == "ok"
        left_out = LEFT_OUT_PROMPT.format(name="a.png")
        assert fake.requests[-1]["messages"][0]["content"] == f"What is it?\n\n{left_out}"


def test_a_picture_counts_in_the_estimate_and_corrects_nothing(client: ChatClient) -> None:
    plain = client.tokens.estimate("m", ASK.messages)
    assert client.tokens.estimate("m", WITH_PICTURE.messages) == plain + TOKENS_PER_PICTURE
    client.tokens.learn("m", WITH_PICTURE.messages, 9_000)
    assert client.tokens.estimate("m", ASK.messages) == plain
