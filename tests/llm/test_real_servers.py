"""What model servers send in practice: each form of an answer is read, and each error has a sentence that helps."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from bot.core.errors import ConfigError, ModelError, ReplyError
from bot.engine.server import listening
from bot.llm import ChatClient, ChatTemplate
from bot.llm.completion import Answer, ask
from bot.llm.output_parsers import Rating
from tests.fake_model import FakeModel
from tests.llm.conftest import Handler, Serving, read

ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Translate: Hello"}]})
STARS = ChatTemplate.from_dict({"reply": "rating", "messages": [{"role": "user", "content": "Rate it"}]})
WARM = ChatTemplate.from_dict({"temperature": 0, "seed": 7, "messages": [{"role": "user", "content": "Hello"}]})
WHOLE = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Bonjour"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


def events(*deltas: Any, finish: str | None = "stop", done: bool = True) -> str:
    """A stream of these deltas; a text is a delta with that content."""
    lines = [{"content": delta} if isinstance(delta, str) else delta for delta in deltas]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in lines]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + ("data: [DONE]\n\n" if done else "")


def sends(body: str | bytes, kind: str = "text/event-stream", status: int = 200) -> Handler:
    """A server that answers everything with `body`."""
    data = body.encode() if isinstance(body, str) else body

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=data, content_type=kind, status=status)

    return handler


async def answer_of(serving: Serving, handler: Handler, template: ChatTemplate = ASK) -> Answer:
    async with serving(handler) as client:
        return await ask(client, template.fill({}))


async def sentence_of(serving: Serving, handler: Handler) -> str:
    with pytest.raises(ModelError) as caught:
        await answer_of(serving, handler)
    return str(caught.value)


# 1. A refused parameter, wherever the refusal names it.


def fastapi(name: str, kind: str = "extra_forbidden", text: str = "Extra inputs are not permitted") -> dict[str, Any]:
    return {"detail": [{"type": kind, "loc": ["body", name], "msg": text, "input": {"echo": "temperature"}}]}


def openai_error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


REFUSALS: list[tuple[str, int, Any]] = [
    ("stream_options", 422, fastapi("stream_options")),
    (
        "stream_options",
        400,
        {
            "object": "error",
            "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not "
            "permitted', 'input': {'include_usage': True}}]",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    ("temperature", 400, openai_error("Unsupported parameter: 'temperature' is not supported.", param="temperature")),
    ("temperature", 400, openai_error("Unsupported value: 'temperature' does not support 0.", param="temperature")),
    ("temperature", 400, openai_error("The test asked for a 400.", param="temperature")),
    ("seed", 422, {"detail": "Unrecognized request argument supplied: seed"}),
    ("seed", 400, {"message": "property 'seed' is unsupported, did you mean 'speed'?"}),
    ("seed", 400, openai_error('Invalid JSON payload received. Unknown name "seed": Cannot find field.')),
    ("stream_options", 400, {"error": "json: unknown field \"stream_options\""}),
    ("seed", 501, openai_error("the parameter `seed` is not implemented")),
    ("temperature", 422, {"errors": [{"param": "temperature", "message": "this parameter is not available"}]}),
    ("stream_options", 400, openai_error("bad value", param="stream_options.include_usage")),
    ("stream_options", 422, {"object": "error", "message": fastapi("stream_options"), "type": "invalid_request_error"}),
    ("seed", 400, {"error": {"message": "Wrong.", "details": [{"fieldViolations": [{"field": "seed"}]}]}}),
    ("seed", 400, openai_error("bedrock does not support parameters: {'seed': 7}, for model=m")),
    ("seed", 400, {"title": "Bad Request", "detail": "Additional property seed is not allowed", "status": 400}),
    ("seed", 400, {"errors": [{"params": {"additionalProperty": "seed"}, "message": "must NOT have more"}]}),
    ("seed", 400, {"error": {"issues": [{"code": "unrecognized_keys", "keys": ["top_k", "seed"], "path": []}]}}),
    ("seed", 400, {"seed": ["This field is not supported."]}),
    ("temperature", 400, {"error": {"message": "`temperature` is deprecated for this model."}}),
    ("seed", 400, openai_error("Extra inputs are not permitted", param="body.seed")),
    ("seed", 400, openai_error("Unrecognized request arguments supplied: top_k, seed")),
    ("stream_options", 400, {"Message": "Unknown parameter stream_options", "Code": "InvalidParameter"}),
    ("seed", 400, openai_error("InternalError.Algo: The seed parameter is not supported")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "body"), REFUSALS)
async def test_a_refused_parameter_is_left_out_and_never_sent_again(
    serving: Serving, name: str, status: int, body: Any
) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        if name in seen[-1]:
            headers = {"x-should-retry": "false"}
            return web.json_response(body, status=status, headers=headers)
        return web.Response(text=events("Bonjour"), content_type="text/event-stream")

    async with serving(handler) as client:
        for _ in range(2):
            assert (await ask(client, WARM.fill({}))).text == "Bonjour"
    assert [name in sent for sent in seen] == [True, False, False]
    assert all({"temperature", "seed", "stream_options"} - {name} <= sent.keys() for sent in seen)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_parameter_that_is_refused_with_status_200_is_left_out_too(serving: Serving, kind: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        if "seed" in await request.json():
            error = json.dumps(openai_error("Unsupported parameter: 'seed'", code=400))
            text = f"data: {error}\n\n" if kind == "text/event-stream" else error
            return web.Response(text=text, content_type=kind)
        return web.Response(text=events("Bonjour"), content_type="text/event-stream")

    assert (await answer_of(serving, handler, WARM)).text == "Bonjour"


@pytest.mark.parametrize(
    "body",
    [
        openai_error("The prompt talks about the temperature of the sun, which is not supported.", code="policy"),
        openai_error("Maximum context length exceeded", param="messages", code="context_length_exceeded"),
        fastapi("messages", "string_type", "Input should be a valid string"),
        openai_error("The model is not supported", param="model"),
        {"detail": "stop asking"},
        {"message": "Such a request is not supported.", "request": {"temperature": 0, "seed": 7}},
        {"detail": [{"loc": ["body", "messages", 0, "seed"], "msg": "Extra inputs are not permitted"}]},
        "no JSON about 'seed'",
    ],
)
async def test_a_refusal_that_names_no_parameter_stays_one(serving: Serving, body: Any) -> None:
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.json_response(body, status=400)

    assert "did not accept this request" in await sentence_of(serving, handler)
    assert calls == 1


@pytest.mark.parametrize(
    ("value", "message", "more"),
    [
        ("hot", "Invalid type for 'temperature': expected a decimal, but got a string.", {"code": "invalid_type"}),
        (99, "Invalid 'temperature': decimal above maximum value.", {"code": "decimal_above_max_value"}),
        ("hot", "'hot' is not supported for this parameter", {}),
        (-1, "temperature must be between 0 and 2", {}),
        ("hot", "[{'type': 'float_parsing', 'loc': ('body', 'temperature'), 'msg': 'Input should be a number'}]", {}),
        ([], "The test asked for a 400.", {}),
    ],
)
async def test_a_wrong_value_of_one_template_changes_nothing_for_others(
    serving: Serving, value: Any, message: str, more: dict[str, Any]
) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        if seen[-1].get("temperature", 0) != 0:
            return web.json_response(openai_error(message, param="temperature", **more), status=400)
        return web.Response(text=events("Bonjour"), content_type="text/event-stream")

    bad = ChatTemplate("trick", ASK.messages, {"temperature": value})
    async with serving(handler) as client:
        for _ in range(2):
            with suppress(ModelError):
                await ask(client, bad.fill({}))
        assert (await ask(client, WARM.fill({}))).text == "Bonjour"
    assert seen[-1]["temperature"] == 0


async def test_a_parameter_refused_at_one_effort_is_still_sent_at_another(serving: Serving) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        if seen[-1].get("reasoning_effort") == "high" and "temperature" in seen[-1]:
            error = openai_error("Unsupported parameter: 'temperature' is not supported.", param="temperature")
            return web.json_response(error, status=400)
        return web.Response(text=events("Bonjour"), content_type="text/event-stream")

    thinking = ChatTemplate("deep", ASK.messages, {"temperature": 1, "reasoning_effort": "high"})
    async with serving(handler) as client:
        assert (await ask(client, thinking.fill({}))).text == "Bonjour"
        await ask(client, WARM.fill({}))
    assert seen[-1]["temperature"] == 0


async def test_a_default_of_the_bot_may_be_refused_before_other_parameters(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("reasoning_effort", "temperature")
    client.model = "gpt-6-luna"
    assert (await ask(client, WARM.fill({}))).text == "ok"
    assert [sorted({"reasoning_effort", "temperature"} & body.keys()) for body in fake.requests] == [
        ["reasoning_effort", "temperature"],
        ["temperature"],
        [],
    ]


async def test_calls_at_the_same_time_all_learn_of_a_refusal(fake: FakeModel, client: ChatClient) -> None:
    fake.refuses("stream_options", "temperature")
    answers = await asyncio.gather(*(ask(client, WARM.fill({})) for _ in range(8)))
    assert [answer.text for answer in answers] == ["ok"] * 8


async def test_a_server_that_refuses_everything_is_not_asked_for_ever(serving: Serving) -> None:
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        names = ["stream_options", "temperature", "seed", "stop"]
        return web.json_response({"detail": [fastapi(name)["detail"][0] for name in names]}, status=422)

    async with serving(handler) as client:
        with pytest.raises(ModelError, match="did not accept"):
            await ask(client, WARM.fill({}))
    assert calls == 2


# 2. Content as null, text, or a list of parts.


def thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


@pytest.mark.parametrize(
    "deltas",
    [
        [
            {"role": "assistant", "content": [thought("French, then.")]},
            {"content": [{"type": "text", "text": "Bonjour"}]},
        ],
        [{"content": None}, "Bon", {"content": [{"type": "text", "text": "jo"}]}, {"content": ["ur"]}],
        [{"content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "output_text", "text": "Bonjour"}]}],
        [{"content": []}, {"content": [{"type": "reasoning", "text": "hm"}, {"text": "Bonjour"}]}],
        [{"content": [{"type": "text", "text": {"value": "Bonjour", "annotations": []}}]}, {"content": [7, None]}],
        [{"reasoning_content": "French."}, {"reasoning": "Yes."}, "Bonjour"],
        [{"content": thought("French.")}, {"content": {"type": "text", "text": "Bonjour"}}],
        [{"content": [{"type": "redacted_thinking", "data": "x"}, {"type": "audio", "text": "x"}, "Bonjour"]}],
        [{"content": 5}, {"content": [{"type": "text", "text": None}]}, "Bonjour", {"content": False}],
    ],
)
async def test_the_text_parts_of_content_are_the_answer(serving: Serving, deltas: Sequence[Any]) -> None:
    assert (await answer_of(serving, sends(events(*deltas)))).text == "Bonjour"


async def test_the_content_of_a_whole_answer_may_be_parts_too(serving: Serving) -> None:
    parts = [thought("French."), {"type": "text", "text": "Bonjour"}]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": parts}}
    body = json.dumps({**WHOLE, "choices": [choice]})
    async with serving(sends(body, "application/json")) as client:
        assert (await ask(client, ASK.fill({}))).text == "Bonjour"
        assert (await ASK.completion({}, client)).choices[0].message.content == "Bonjour"


# 3. Thinking in tags.


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>\nFrench, ", "then.\n</th", "ink>\n\n", "Bonjour"],
        ["[THINK]French, then.[/THINK]Bonjour"],
        ["<thi", "nk>\n\n</think>\n\nBonjour"],
        ["<seed:think>French</seed:think>Bonjour"],
        ["\n<THINKING>a < b, so </b> … ", "</THINKING>", " Bonjour"],
        ["◁think▷French◁/think▷Bonjour"],
        ["<|START_THINKING|>French<|END_THINKING|>Bonjour"],
        ["<think>one</think>\n<think>two</think>\nBonjour"],
        ["<|channel|>analysis<|message|>French<|end|><|start|>assistant<|channel|>final<|message|>Bonjour"],
        ["<|chan", "nel|>fi", "nal<|message|>Bonjour"],
        ['<think mode="deep">French', "</think>Bonjour"],
        ["<|think|>French<|", "/think|>Bonjour"],
        ["<|begin_of_thought|>French<|end_of_thought|>", "\n\nBonjour"],
        ["<unused94>thought\nFrench<unused95>Bonjour"],
        ['<details type="reasoning" done="true">\n<summary>x</summary>\n</details>\nBonjour'],
        ["French, then.\n</think>\n\nBonjour"],
        ["French, ", "then.\n", "</think>", "\n\nBonjour"],
        list("<reasoning>French, then.</reasoning>Bonjour"),
    ],
)
async def test_thinking_before_the_answer_is_not_part_of_it(serving: Serving, pieces: Sequence[str]) -> None:
    seen: list[str] = []
    async with serving(sends(events(*pieces))) as client:
        answer = await ask(client, ASK.fill({}), seen.append)
    assert answer.text == "Bonjour"
    if pieces[0].lstrip()[0] in "<[◁":
        assert not any(mark in text for text in seen for mark in ("French", "think", "<", "["))


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour<|im_end|>\n<|im_start|>user\nMerci",
        "Bonjour<|eot_id|><|start_header_id|>user",
        "Bonjour<end_of_turn>\n<start_of_turn>user\nMerci",
        "<think>French</think>Bonjour<|end|><|user|>",
        "<|channel|>final<|message|>Bonjour<|return|>",
        "Bonjour[/INST]",
    ],
)
@pytest.mark.parametrize("size", [3, 1000])
async def test_an_answer_ends_where_a_server_shows_the_end_of_the_turn(serving: Serving, text: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    answer = await answer_of(serving, sends(events(*pieces)))
    assert (answer.text, answer.finish) == ("Bonjour", "stop")


@pytest.mark.parametrize(
    "text",
    [
        "ChatML ends a turn with `<|im_end|>`, and Llama with `<|eot_id|>`.",
        "```\n<|im_start|>user\nHello<|im_end|>\n```\nThat is it.",
        "a < b, c <| d, and <|im_e",
        "The tag <think> opens what </think> closes.",
        "`<think>` is a tag.",
        "<think> is a tag that models write.",
        "<b>Bonjour</b>",
        "[1] Bonjour",
        "<thing>x</thing>",
        "Write:\n```\nhm\n</think>\n```",
        "<",
        "[THINK",
        "<think>a</think",
        "<think about it>Bonjour",
        "Look:\n<think>\nhm\n</think>\nDone.",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
async def test_an_answer_that_speaks_of_tags_keeps_them(serving: Serving, text: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert (await answer_of(serving, sends(events(*pieces)))).text == text


async def test_a_token_that_the_prompt_speaks_of_stays(serving: Serving) -> None:
    template = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "What is <|im_end|>?"}]})
    text = "<|im_end|> ends a turn."
    assert (await answer_of(serving, sends(events(text)), template)).text == text


async def test_tags_that_the_prompt_asks_for_stay(serving: Serving) -> None:
    text = "<reasoning>Because.</reasoning>\nBonjour"
    asked = [{"role": "system", "content": "First write <reasoning>, then the answer."}, *ASK.messages]
    template = ChatTemplate.from_dict({"messages": asked})
    assert (await answer_of(serving, sends(events(text)), template)).text == text


async def test_thinking_before_a_rating_needs_no_second_call(fake: FakeModel, client: ChatClient) -> None:
    fake.says("<think>\nIs it 5 or 2: hm.\n</think>\n\n4: friendly but slow", pieces=9)
    assert (await ask(client, STARS.fill({}))).reply == Rating(4, "friendly but slow")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "deltas",
    [
        [{"content": "", "reasoning_content": "on and on"}],
        ["<think>on and on"],
        [{"content": [thought("on and on")]}],
        [{"reasoning": "on"}, {"content": None, "reasoning": " and on"}],
        [{"content": ""}],
    ],
)
@pytest.mark.parametrize("template", [ASK, STARS])
async def test_thinking_that_took_all_tokens_is_a_sentence_of_its_own(
    serving: Serving, deltas: Sequence[Any], template: ChatTemplate
) -> None:
    with pytest.raises(ReplyError, match=r"all its tokens for thinking.*max_completion_tokens"):
        await answer_of(serving, sends(events(*deltas, finish="length")), template)


# 4. Another form than a stream of chunks.

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("data:\n\n" + events("Bonjour"), "text/event-stream"),
        (json.dumps(WHOLE), "application/json"),
        (json.dumps(WHOLE, indent=2), "text/event-stream"),
        (BOM + events("Bonjour").encode(), "text/event-stream"),
        (BOM + json.dumps(WHOLE).encode(), "application/json"),
        ("\n \n" + json.dumps(WHOLE), "application/json"),
        (events("Bonjour").replace("\n", "\r\n"), "text/event-stream"),
        (events("Bonjour").replace("\n", "\r"), "text/event-stream"),
        (events("Bonjour").replace("data: ", "data:"), "text/plain"),
        (": hello\nretry: 10\nid: 7\nevent: message\n" + events("Bonjour"), "text/event-stream"),
        ('data: {"choices":\ndata: [{"delta": {"content": "Bonjour"}, "finish_reason": "stop"}]}\n\n', "text/plain"),
        (f"data: {json.dumps(WHOLE)}\n\ndata: [DONE]\n\n", "text/event-stream"),
        (f"data: {json.dumps(WHOLE)}", "text/event-stream"),
        (events("Bonjour", finish=None), "text/event-stream"),
        (events("Bonjour", done=False), "text/event-stream"),
        (events("Bon", "jour").replace("data: ", "").replace("[DONE]", ""), "application/x-ndjson"),
        ("data: null\n\n" + events("Bonjour"), "text/event-stream"),
        (json.dumps([WHOLE]), "application/json"),
        (": PROCESSING\n\n" * 3 + 'event: ping\ndata: {"type": "ping"}\n\n' + events("Bonjour"), "text/event-stream"),
    ],
)
async def test_every_form_of_an_answer_is_read(serving: Serving, body: str | bytes, kind: str) -> None:
    answer = await answer_of(serving, sends(body, kind))
    assert (answer.text, answer.finish) == ("Bonjour", "stop")


async def test_an_event_may_be_cut_anywhere(serving: Serving) -> None:
    data = BOM + events("Bön", {"content": "jour 🏇"}).replace("\n", "\r\n").encode()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for byte in data:
            await response.write(bytes([byte]))
        return response

    assert (await answer_of(serving, handler)).text == "Bönjour 🏇"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "No endpoints found for m.", "code": 404}}, "does not exist"),
        ({"error": {"message": "gone", "code": 404}}, "OPENAI_BASE_URL"),
        ({"error": {"message": "Rate limit", "code": "429"}}, "more requests than it takes"),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, "credit"),
        ({"error": "out of memory"}, "answered with an error"),
        ({"object": "error", "message": "x", "code": 401}, "credentials"),
        ({"detail": "Not Found", "status": 404}, "OPENAI_BASE_URL"),
        ({"message": "overloaded", "status": 503}, "fault right now"),
        ({"choices": [{"error": {"code": 402, "message": "pay"}, "finish_reason": "error"}]}, "credit"),
        ({"errors": [{"message": "x"}]}, "answered with an error"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "data: {}\n\n", "event: error\ndata: {}\n\n"])
async def test_an_error_with_status_200_is_a_sentence_about_the_error(
    serving: Serving, body: dict[str, Any], said: str, form: str
) -> None:
    text = form.replace("{}", json.dumps(body))
    sentence = await sentence_of(serving, sends(text, "text/event-stream" if "data" in form else "application/json"))
    assert said in sentence
    assert body.get("detail", "overloaded") not in sentence


@pytest.mark.parametrize("kind", ["text/html", "text/event-stream"])
async def test_a_web_page_is_a_wrong_address(serving: Serving, kind: str) -> None:
    assert "OPENAI_BASE_URL" in await sentence_of(serving, sends("<html>Welcome</html>", kind))


@pytest.mark.parametrize("body", ["Internal Server Error", '"Bonjour"', "{}", "OK\n\nOK\n", "[5]"])
async def test_an_answer_of_no_known_form_is_not_asked_for_again(serving: Serving, body: str) -> None:
    sentence = await sentence_of(serving, sends(body, "text/plain"))
    assert "cannot be understood" in sentence


def chunks(*choices: dict[str, Any]) -> str:
    """A stream of chunks with one of these choices each."""
    return "".join(f"data: {json.dumps({'model': 'm', 'choices': [one]})}\n\n" for one in choices) + "data: [DONE]\n\n"


def part(index: int | None, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": finish}


@pytest.mark.parametrize(
    "body",
    [
        chunks(part(0, "Bon"), part(1, "Sa"), part(0, "jour", "stop"), part(1, "lut", "length")),
        chunks(part(1, "Bon"), part(0, "Sa"), part(1, "jour", "stop")),
        f"data: {json.dumps({'choices': [part(0, 'Bonjour'), part(1, 'Salut')]})}\n\ndata: [DONE]\n\n",
        json.dumps(
            {
                **WHOLE,
                "choices": [
                    {"index": 0, "message": {"content": "Bonjour"}, "finish_reason": "stop"},
                    {"index": 1, "message": {"content": "Salut"}},
                ],
            }
        ),
        chunks(part(None, "Bon"), part(None, "jour", "stop")),
    ],
)
async def test_of_several_answers_one_is_read(serving: Serving, body: str) -> None:
    answer = await answer_of(serving, sends(body))
    assert (answer.text, answer.finish) == ("Bonjour", "stop")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("content_filter", "content_filter"),
        ("error", "broken"),
        ("abort", "broken"),
        ("insufficient_system_resource", "broken"),
    ],
)
async def test_an_answer_that_ended_early_is_known_by_whatever_word_its_server_has(
    serving: Serving, reason: str, finish: str
) -> None:
    answer = await answer_of(serving, sends(chunks(part(0, "Bon"), part(0, "jour", reason))))
    assert (answer.text, answer.finish) == ("Bonjour", finish)


@pytest.mark.parametrize(("reason", "said"), [("content_filter", "content filter"), ("error", "has a fault right now")])
@pytest.mark.parametrize("template", [ASK, STARS])
async def test_an_answer_that_ended_before_its_first_word_says_why_and_is_not_asked_for_again(
    serving: Serving, reason: str, said: str, template: ChatTemplate
) -> None:
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(text=chunks(part(0, "", reason)), content_type="text/event-stream")

    with pytest.raises(ModelError, match=said):
        await answer_of(serving, handler, template)
    assert calls == 1


async def test_a_prompt_that_a_content_filter_refuses_says_so(serving: Serving) -> None:
    body = json.dumps(openai_error("The response was filtered", code="content_filter"))
    assert "content filter" in await sentence_of(serving, sends(body, "application/json", 400))


# 5. Half an emoji.


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Bonjour \ud83d"], "Bonjour \ufffd"),
        (["\ud83d", "\ude00 ja"], "😀 ja"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["\ude00\ud83d"], "\ufffd\ufffd"),
        (["<think>\ud83d</think>ok 🏇\ud83d\ude00"], "ok 🏇😀"),
    ],
)
async def test_half_a_surrogate_pair_is_replaced_and_nothing_whole_is_lost(
    serving: Serving, pieces: Sequence[str], text: str
) -> None:
    seen: list[str] = []
    async with serving(sends(events(*pieces))) as client:
        answer = await ask(client, ASK.fill({}), seen.append)
    assert answer.text == text
    "".join(seen).encode()


async def test_half_a_pair_in_a_reason_in_json_or_in_the_name_of_the_model_can_be_written(serving: Serving) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array"}}}
    template = ChatTemplate.from_dict({"reply": "json", "schema": schema, "messages": list(ASK.messages)})
    answer = await answer_of(serving, sends(events('{"a": ["\\ud83d", {"\\ud83d": "\\ud83d\\ude00"}]}')), template)
    assert answer.reply == {"a": ["\ufffd", {"\ufffd": "😀"}]}
    rated = await answer_of(serving, sends(events("4: nice \ud83d")), STARS)
    assert rated.reply == Rating(4, "nice \ufffd")
    chunk = json.dumps({"model": "m\ud83d", "choices": [{"delta": {"refusal": "No \ud83d"}, "finish_reason": "stop"}]})
    refused = await answer_of(serving, sends(f"data: {chunk}\n\n"))
    assert (refused.text, refused.model) == ("No \ufffd", "m\ufffd")


# 6. and 7. The address, and the model where none is set.


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("404 page not found", "OPENAI_BASE_URL"),
        ('{"detail":"Not Found"}', "OPENAI_BASE_URL"),
        ("", "OPENAI_BASE_URL"),
        ("<html>nginx: no such model of car</html>" + " " * 9, "OPENAI_BASE_URL"),
        ('{"error":{"message":"model \\"m\\" not found, try pulling it first","type":"api_error"}}', "does not exist"),
        ('{"object":"error","message":"The model `m` does not exist.","code":404}', "does not exist"),
        ('{"error":{"message":"x","code":"model_not_found"}}', "does not exist"),
        ('{"error":"unknown model: m"}', "does not exist"),
    ],
)
async def test_a_404_is_about_the_model_only_where_it_says_so(serving: Serving, body: str, said: str) -> None:
    kind = "application/json" if body.startswith("{") else "text/html" if "<" in body else "text/plain"
    sentence = await sentence_of(serving, sends(body, kind, 404))
    assert said in sentence
    assert "ry again" not in sentence


async def test_an_address_without_its_path_is_named(fake: FakeModel) -> None:
    async with ChatClient(base_url=fake.url.removesuffix("/v1"), api_key=fake.token, model="m") as client:
        with pytest.raises(ModelError, match="OPENAI_BASE_URL and its /v1"):
            await ask(client, ASK.fill({}))


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        (["text-embedding-nomic-embed-text-v1.5", "qwen3-8b"], "qwen3-8b"),
        (["bge-m3", "mxbai-embed-large:latest", "llama3.2:1b"], "llama3.2:1b"),
        (["whisper-large-v3", "dall-e-3", "tts-1", "gpt-image-1", "gpt-4o"], "gpt-4o"),
        (["omni-moderation-latest", "Qwen3-Reranker-0.6B", "llama-guard3", "SmolLM2-Instruct"], "SmolLM2-Instruct"),
        (["all-minilm", "stable-diffusion-xl", "intfloat/multilingual-e5-large", "gemma-3-4b"], "gemma-3-4b"),
        (["voyage-3", "xtts_v2", "distilbert-base", "splade", "imagen-4", "mistral-ocr", "qwen3-8b"], "qwen3-8b"),
        (["jina-embeddings-v3", "paraphrase-multilingual", "veo-3", "roberta-large", "albert-large"], "albert-large"),
        (["imagine-7b"], "imagine-7b"),
        (["nomic-embed-text"], None),
        ([], None),
    ],
)  # fmt: skip
async def test_a_model_that_does_not_chat_is_not_chosen(
    fake: FakeModel, client: ChatClient, listed: list[str], chosen: str | None
) -> None:
    fake.models = listed
    if chosen is None:
        with pytest.raises(ConfigError, match="set CHAT_MODEL"):
            await client.first_chat_model()
    else:
        assert await client.first_chat_model() == chosen


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("404 page not found", 404),
        ('{"detail":"Not Found"}', 404),
        ("<html></html>", 200),
        ("[]", 200),
        ('{"data": 5}', 200),
        ('{"data": [{"id": 7}, {}]}', 200),
        ('{"error": {"message": "Missing scopes: api.model.read"}}', 403),
        ('{"detail": "Not Implemented"}', 501),
        ('{"error": "unsupported"}', 200),
    ],
)
async def test_a_server_without_a_list_of_models_asks_for_the_setting(serving: Serving, body: str, status: int) -> None:
    kind = "text/html" if "<" in body else "application/json"
    async with serving(sends(body, kind, status)) as client:
        with pytest.raises(ConfigError, match="set CHAT_MODEL"):
            await client.first_chat_model()


async def test_a_server_that_cannot_be_reached_is_not_told_to_lack_models(unused_tcp_port: int) -> None:
    async with ChatClient(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1", api_key="none", model="m") as client:
        with pytest.raises(ModelError, match="cannot be reached"):
            await client.first_chat_model()


# Security: what a server reports and where it sends requests.


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": 10**9},
        {"prompt_tokens": -5, "completion_tokens": -(10**9)},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": "many", "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": True},
        {"prompt_tokens": 5, "completion_tokens": 2_000},
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -7}},
        [1],
        "lots",
    ],
)
async def test_usage_that_cannot_be_true_is_estimated(serving: Serving, usage: Any) -> None:
    body = (
        events("Bonjour").replace("data: [DONE]\n\n", "") + f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
    )
    async with serving(sends(body)) as client:
        answer = await ask(client, ASK.fill({}).with_limit(1_000))
    assert answer.usage.estimated
    assert 1 <= answer.usage.prompt <= 50
    assert 1 <= answer.usage.completion <= 50


@pytest.mark.parametrize("status", [307, 308])
async def test_a_prompt_is_not_carried_to_another_host(serving: Serving, fake: FakeModel, status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"http://localhost:{fake.port}/v1/chat/completions"})

    assert "another host" in await sentence_of(serving, handler)
    assert fake.calls == []


@pytest.mark.parametrize("credentials", ["user:pw@", "user:p%40w%2F@", "user@"])
async def test_credentials_in_the_address_are_sent_and_never_shown(credentials: str) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=401, text="who are you, user:pw?")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with listening(app, "127.0.0.1", 0) as port:
        url = f"http://{credentials}127.0.0.1:{port}/v1"
        async with ChatClient(base_url=url, api_key="none", model="m") as client:
            assert client.host == "127.0.0.1"
            with pytest.raises(ModelError, match="credentials") as caught:
                await read(ASK, client)
    assert "pw" not in str(caught.value)
    assert seen[0].startswith("Basic ")
