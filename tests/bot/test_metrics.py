"""What Prometheus reads from the running bot after people used it."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bot.harness import BotHarness

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def scraped(harness: BotHarness) -> Counter[tuple[str, str]]:
    """All values by their names and labels."""
    address = f"http://127.0.0.1:{harness.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        text = await response.text()
    return Counter(
        {
            (sample.name, " ".join(value for value in sample.labels.values() if value)): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


async def test_what_people_do_is_counted_by_command_result_and_model(harness: BotHarness) -> None:
    before = await scraped(harness)
    message = await harness.answer("translate", text="Good morning", to="French")
    await harness.press(message, "Prompt")
    await harness.notice("trick use", name="unheard-of", text="Hi")
    for _ in range(100):  # People see an answer a moment before its handler ends.
        after = await scraped(harness)
        more = after - before
        if sum(count for (name, _), count in more.items() if name == "fewshot_interactions_total") == 3:
            break
        await asyncio.sleep(0.02)
    assert more["fewshot_interactions_total", "application_command translate ok"] == 1
    assert more["fewshot_interactions_total", "component prompt ok"] == 1
    assert more["fewshot_interactions_total", "application_command trick use refused"] == 1
    assert more["fewshot_interaction_seconds_count", "application_command translate"] == 1
    assert more["fewshot_acknowledgement_seconds_count", ""] == 3
    assert more["fewshot_discord_requests_total", "POST 200"] + more["fewshot_discord_requests_total", "POST 204"] >= 3
    assert more["gen_ai_client_operation_duration_seconds_count", "chat fake-model"] == 1
    assert more["gen_ai_client_token_usage_count", "chat fake-model input"] == 1
    assert more["gen_ai_client_token_usage_sum", "chat fake-model output"] > 0
    assert more["fewshot_cost_dollars_total", "fake-model"] > 0
    assert after["fewshot_gateway_connected", "0"] == 1
    assert after["fewshot_guilds", ""] >= 1
    assert after["fewshot_calls_waiting", "person"] == after["fewshot_interactions_running", ""] == 0
    assert ("fewshot_database_errors_total", "") in after
    assert after["process_resident_memory_bytes", ""] > 10_000_000
