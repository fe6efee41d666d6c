"""What providers answer in other forms than OpenAI's: jobs, events, files, refusals, and servers without space."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.tuning import job_runner, providers
from bot.tuning.scoring import Scorecard
from tests.cli.conftest import Run
from tests.tuning.conftest import Opened
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.test_jobs import ended, run

Alter = Callable[[dict[str, Any]], Any]
EVENTS = "/events"


def refused(message: str, **error: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None, **error}}


@pytest.fixture
def facts() -> int:
    """As few as can be trained: only what the provider answers is tested here."""
    return 4


@pytest.fixture
def chosen_provider(environment: dict[str, str], provider: FakeProvider, corpus: Path) -> None:
    """The provider and the corpus in the settings of the command line."""
    environment |= {
        "CORPORA": f"bakers={corpus}",
        "TUNING_PROVIDER": "custom",
        "TUNING_BASE_URL": provider.url,
        "TUNING_MODEL": "base-8b",
    }


# --- events are an extra


@pytest.mark.parametrize(
    "body",
    [
        (404, {"detail": "Not Found"}),
        (403, refused("no")),
        (405, {"detail": "Method Not Allowed"}),
        (400, refused("no", param="limit")),
        (200, {"object": "list"}),
        (200, {"object": "list", "data": None}),
        (200, {"events": []}),
        (200, []),
        (200, {"object": "list", "data": ["step 1", None, {"id": 7}], "has_more": False}),
    ],
    ids=str,
)
async def test_a_job_succeeds_whatever_its_events_answer(
    opened: Opened, provider: FakeProvider, body: tuple[int, Any]
) -> None:
    provider.instead = lambda method, path: body if path.endswith(EVENTS) else None
    async with opened() as tuning:
        job = await run(tuning)
        assert (job.state, job.error) == ("done", "")


async def test_a_job_succeeds_though_its_events_are_never_answered(
    opened: Opened, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "EVENTS_TIMEOUT", 0.1)
    provider.stalls.add("events")
    async with opened() as tuning:
        job = await run(tuning)
        provider.stalls.clear()
        assert (job.state, job.error) == ("done", "")


@pytest.mark.parametrize(
    ("alter", "at"),
    [
        (lambda event: event | {"created_at": "2026-01-01T00:00:00.000Z"}, 1767225600.0),
        (lambda event: event | {"created_at": "2026-01-01T01:00:00+01:00"}, 1767225600.0),
        (lambda event: event | {"created_at": None}, 0.0),
        (lambda event: event | {"created_at": "yesterday"}, 0.0),
        (lambda event: event | {"created_at": 1767225600000000000}, 0.0),
        (lambda event: {key: value for key, value in event.items() if key not in ("id", "level", "type")}, None),
        (lambda event: event | {"data": "step 1", "message": None, "level": 3}, None),
        (lambda event: event | {"data": {"step": "1", "total_steps": 10**30}}, None),
        (lambda event: event | {"message": "half \ud83d"}, None),
    ],
)
async def test_events_of_other_types_are_stored_as_far_as_they_go(
    opened: Opened, provider: FakeProvider, alter: Alter, at: float | None
) -> None:
    provider.alter_event = alter
    async with opened() as tuning:
        job = await run(tuning)
        assert (job.state, job.error) == ("done", "")
        events = await tuning.jobs.events(job.id, last=100)
        assert events
        if at is not None:
            assert {event.at for event in events} == {at}


async def test_a_provider_that_repeats_its_events_for_ever_is_read_once(opened: Opened, provider: FakeProvider) -> None:
    event = {"id": "e-1", "object": "fine_tuning.job.event", "created_at": 1, "level": "info", "message": "again"}
    page = {"object": "list", "data": [event], "has_more": True}
    provider.instead = lambda method, path: (200, page) if path.endswith(EVENTS) else None
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == "done"
        assert [event.message for event in await tuning.jobs.events(job.id, last=100)] == ["again"]


# --- the job's own look-up decides


@pytest.mark.parametrize(
    ("alter", "state", "said"),
    [
        (lambda job: job | {"error": "CUDA out of memory", "status": "failed"}, "failed", "CUDA out of memory"),
        (lambda job: job | {"error": {"detail": "no"}, "status": "failed"}, "failed", "gave no reason"),
        (lambda job: job | {"error": ["no"], "status": "error"}, "failed", "gave no reason"),
        (lambda job: job | {"error": {"message": "half \ud83d"}, "status": "failed"}, "failed", "half \ufffd"),
        (lambda job: job | {"status": "canceled"}, "cancelled", ""),
        (lambda job: job | {"status": "COMPLETED", "fine_tuned_model": "ft:base-8b:ftjob-3"}, "done", ""),
        (lambda job: job | {"status": "completed", "fine_tuned_model": "ft:base-8b:ftjob-3"}, "done", ""),
        (lambda job: job | {"error": 137, "status": "FAILED"}, "failed", "gave no reason"),
        (lambda job: job | {"error": {"message": ["no", "memory"]}, "status": "failed"}, "failed", "gave no reason"),
        (lambda job: job | {"error": "", "status": "succeeded"}, "done", ""),
        (lambda job: job | {"status": "success", "fine_tuned_model": "ft:base-8b:ftjob-3"}, "done", ""),
    ],
)
async def test_a_jobs_end_is_known_in_the_words_of_other_providers(
    opened: Opened, provider: FakeProvider, alter: Alter, state: str, said: str
) -> None:
    provider.alter_job = alter
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == state, job.error
        assert said in job.error


@pytest.mark.parametrize(
    "fields",
    [
        {"trained_tokens": "1,000"},
        {"trained_tokens": -5},
        {"trained_tokens": 12.5},
        {"metadata": "none"},
        {"metadata": [1]},
        {"status_history": [], "error": {}, "training_file": 5},
        {"object": None, "model": ["base-8b"], "organization_id": {}},
        {"created_at": "2026-01-01T00:00:00Z", "result_files": None, "seed": "one"},
        {"hyperparameters": "auto", "method": [], "integrations": {}},
        {"estimated_finish": "soon", "unknown_field": {"a": 1}},
    ],
    ids=str,
)
async def test_a_field_of_another_type_is_passed_over(
    opened: Opened, provider: FakeProvider, fields: dict[str, Any]
) -> None:
    provider.alter_job = lambda job: job | fields
    async with opened() as tuning:
        job = await run(tuning)
        assert (job.state, job.error) == ("done", "")
        assert job.trained_tokens in (None, 1_000_000)


async def test_an_unknown_status_is_told_while_the_job_goes_on(opened: Opened, provider: FakeProvider) -> None:
    provider.way = ("warming_the_oven",)
    async with opened() as tuning:
        job = await tuning.jobs.start((await tuning.datasets.newest("bakers")).id, 7)
        async for now in tuning.jobs.watch(job.id):
            if now.note:
                assert "“warming_the_oven”" in now.note
                break
        provider.way = ("succeeded",)
        assert (await ended(tuning, job.id)).note == ""


async def test_a_provider_that_lists_neither_files_nor_jobs_trains_a_model(
    opened: Opened, provider: FakeProvider
) -> None:
    lists = {("GET", "/v1/files"), ("GET", "/v1/fine_tuning/jobs")}
    provider.instead = lambda method, path: (404, {"detail": "Not Found"}) if (method, path) in lists else None
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == "done"
        card = Scorecard.from_json((await tuning.models.all("bakers"))[0].scorecard)
        assert card.share("train") == 1.0


# --- a file that is not ready


class Refusing:
    """Refuses so many jobs with an answer."""

    def __init__(self, times: int, status: int, body: Any) -> None:
        self.left, self.answer = times, (status, body)

    def __call__(self, method: str, path: str) -> tuple[int, Any] | None:
        if (method, path) == ("POST", "/v1/fine_tuning/jobs") and self.left:
            self.left -= 1
            return self.answer
        return None


NOT_READY = "The file file-1 is still being processed."


@pytest.mark.parametrize(
    ("refusing", "states"),
    [
        (Refusing(2, 400, refused(NOT_READY, param="training_file")), []),
        (Refusing(2, 400, refused(NOT_READY, param="training_file")), ["processed"]),
        (Refusing(2, 404, refused("No such file", param="validation_file")), ["uploaded", "processed"]),
        (Refusing(2, 409, {"detail": "file not ready"}), []),
        (Refusing(2, 400, refused("try again")), ["pending"]),
        (Refusing(2, 422, {"detail": [{"loc": ["body"], "msg": "wait"}]}), ["processing"]),
        (Refusing(1, 425, {"message": "Too Early"}), []),
        (Refusing(2, 400, {"message": "not yet", "code": "FILE_PENDING"}), ["validating"]),
        (Refusing(2, 400, refused("Invalid file")), ["received"]),
        (Refusing(2, 412, {"error": "file is being prepared"}), ["PREPARING"]),
        (Refusing(2, 404, {"detail": "File not found"}), ["uploaded"]),
    ],
    ids=range(11),
)
async def test_a_job_is_created_once_its_file_is_ready(
    opened: Opened, provider: FakeProvider, refusing: Refusing, states: list[str]
) -> None:
    provider.instead, provider.file_states = refusing, list(states)
    async with opened() as tuning:
        job = await run(tuning)
        assert (job.state, job.error, job.note) == ("done", "", "")
        assert len(provider.creating) == 1


@pytest.mark.parametrize("states", [["error"], ["processed"], []])
async def test_a_file_that_is_never_taken_ends_the_job_with_a_sentence(
    opened: Opened, provider: FakeProvider, states: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "FILE_TIMEOUT", 0.3)
    monkeypatch.setattr(job_runner, "READY_FILE_TIMEOUT", 0.2)
    provider.file_states = list(states)
    provider.instead = Refusing(10_000, 400, refused("The file is not good.", param="training_file"))
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == "failed"
        assert "did not take the uploaded file" in job.error
        assert "fewshot dataset check" in job.error
    assert provider.files == {}


# --- trouble that waiting does not cure


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "said"),
    [
        ("POST", "/v1/files", 507, {"detail": "Insufficient Storage"}, "has no space left"),
        ("POST", "/v1/files", 500, refused("disk full", code="storage_error"), "has no space left"),
        ("POST", "/v1/files", 402, {"detail": "Payment Required"}, "no credit left"),
        ("POST", "/v1/fine_tuning/jobs", 429, refused("quota", code="insufficient_quota"), "no credit left"),
        ("POST", "/v1/fine_tuning/jobs", 507, refused("full"), "has no space left"),
        ("POST", "/v1/files", 413, {"detail": "too large"}, "did not accept the request (413)"),
    ],
)
async def test_what_waiting_does_not_cure_ends_the_job_at_once(
    opened: Opened, provider: FakeProvider, method: str, path: str, status: int, body: Any, said: str
) -> None:
    provider.instead = lambda asked, where: (status, body) if (asked, where) == (method, path) else None
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == "failed"
        assert said in job.error


async def test_a_fault_that_lasts_ends_the_upload_after_a_time(
    opened: Opened, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "STEP_TIMEOUT", 0.5)
    provider.instead = lambda method, path: (
        (400, {})
        if path == "/v1/files" and method == "GET"
        else ((503, {}) if (method, path) == ("POST", "/v1/files") else None)
    )
    async with opened() as tuning:
        job = await run(tuning)
        assert job.state == "failed"
        assert "could not be asked for an hour" in job.error


@pytest.mark.usefixtures("chosen_provider")
async def test_the_command_line_says_that_there_is_no_space_and_ends(fewshot: Run, provider: FakeProvider) -> None:
    provider.instead = lambda method, path: (507, {}) if (method, path) == ("POST", "/v1/files") else None
    done = await fewshot("tune", "start", "bakers", "--yes")
    assert done.code == 1
    assert "has no space left to store this" in done.err


@pytest.mark.usefixtures("chosen_provider")
async def test_the_command_line_tells_what_holds_a_job_up(fewshot: Run, provider: FakeProvider) -> None:
    # So many that each note stays for longer than the command line waits between two looks.
    provider.way = (*["warming_the_oven"] * 24, "failed")
    provider.faults = {"POST jobs": [503] * 8}
    done = await fewshot("tune", "start", "bakers", "--yes")
    assert done.code == 1
    assert "is busy or has a fault (503)" in done.err
    assert "“warming_the_oven”" in done.err
    assert "The data is not good." in done.err
