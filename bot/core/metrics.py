"""What the process counts and times, for Prometheus.

Without HEALTH_PORT nothing is counted: `Metrics` does nothing, and `prometheus_client` is not imported. No label takes
what people write. Names of models come from servers, so only the first `MAX_MODELS` have a label of their own.

The names that begin with `gen_ai` are those of OpenTelemetry's semantic conventions 1.36.0 in Prometheus's spelling
(read 2026-11-28). They are not stable there: a later version renames some.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# The text format of https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-11-28).
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
MAX_MODELS = 50
OTHER = "other"
# Upper bounds of the buckets in seconds. Discord wants an acknowledgement within three.
ANSWER_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
ACKNOWLEDGEMENT_BUCKETS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2, 2.5, 3, 5)
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
# The buckets of the conventions: seconds and tokens.
CALL_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576)
# By name: the label of values that are read when Prometheus scrapes (empty for one value), and what they are.
SCRAPED: Mapping[str, tuple[str, str]] = {
    "fewshot_interactions_running": ("", "Interactions that are being answered"),
    "fewshot_calls_running": ("", "Model calls that count against CALLS_PER_PERSON"),
    "fewshot_calls_waiting": ("queue", "Model calls that wait for the person's earlier ones, or for CHAT_CONCURRENCY"),
    "fewshot_jobs": ("state", "Unfinished tuning jobs"),
    "fewshot_guilds": ("", "Servers that this process serves"),
    "fewshot_gateway_connected": ("shard", "1 while the shard is connected to Discord's gateway, else 0"),
    "fewshot_gateway_latency_seconds": ("shard", "Time of the shard's newest heartbeat"),
    "fewshot_database_errors_total": ("", "Errors of the database or its disk"),
}
# Returns one number, or a number for each value of the label.
Read = Callable[[], float | Mapping[str, float]]


class Metrics:
    """Counts nothing. `open_metrics` returns the class that does."""

    enabled = False

    def interaction(self, kind: str, name: str, result: str, seconds: float) -> None:
        """Count an interaction that was handled, and the time until its last message was delivered."""

    def acknowledged(self, seconds: float) -> None:
        """Count the time from an interaction's arrival until Discord had the first response."""

    def discord_request(self, method: str, status: str) -> None:
        """Count a request to Discord by its HTTP status, or `error` without one."""

    def call(self, model: str) -> AbstractContextManager[None]:
        """Count and time the model call in this block."""
        return nullcontext()

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        """Count the tokens of a model call."""

    def dollars(self, model: str, amount: float) -> None:
        """Count the price of a model call or of a tuning job in US dollars."""

    def lag(self, seconds: float) -> None:
        """Count how late the event loop was."""

    def on_scrape(self, name: str, read: Read) -> None:
        """Call `read` for the values of the metric `name` (see `SCRAPED`) when Prometheus scrapes."""

    def exposition(self) -> bytes:
        """All values in Prometheus's text format."""
        return b""


class PrometheusMetrics(Metrics):
    """Counts for Prometheus, in a registry of its own."""

    enabled = True

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics

        # They double the number of series. prometheus_client does not type this function.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._models: set[str] = set()
        self._reads: dict[str, Read] = {}
        self.registry.register(self)

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(name, about, labels, registry=self.registry)

        def histogram(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, about, labels, buckets=buckets, registry=self.registry)

        called = ("gen_ai_operation_name", "gen_ai_request_model")
        self._interactions = counter("fewshot_interactions", "Interactions handled", "kind", "name", "result")
        self._answers = histogram(
            "fewshot_interaction_seconds", "Time until the last message was delivered", ANSWER_BUCKETS, "kind", "name"
        )
        self._acknowledgements = histogram(
            "fewshot_acknowledgement_seconds", "Time until Discord had the first response", ACKNOWLEDGEMENT_BUCKETS
        )
        self._requests = counter("fewshot_discord_requests", "Requests to Discord", "method", "status")
        self._calls = histogram(
            "gen_ai_client_operation_duration_seconds", "Time of a model call", CALL_BUCKETS, *called, "error_type"
        )
        self._tokens = histogram(
            "gen_ai_client_token_usage", "Tokens of a model call", TOKEN_BUCKETS, *called, "gen_ai_token_type"
        )
        self._dollars = counter("fewshot_cost_dollars", "US dollars of model calls and tuning jobs", "model")
        self._lag = histogram("fewshot_event_loop_lag_seconds", "How late the event loop was", LAG_BUCKETS)

    def interaction(self, kind: str, name: str, result: str, seconds: float) -> None:
        self._interactions.labels(kind, name, result).inc()
        self._answers.labels(kind, name).observe(seconds)

    def acknowledged(self, seconds: float) -> None:
        self._acknowledgements.observe(seconds)

    def discord_request(self, method: str, status: str) -> None:
        self._requests.labels(method, status).inc()

    @contextmanager
    def call(self, model: str) -> Iterator[None]:
        began, error_type = perf_counter(), ""
        try:
            yield
        except BaseException as error:
            error_type = type(error).__name__
            raise
        finally:
            self._calls.labels("chat", self._label(model), error_type).observe(perf_counter() - began)

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        label = self._label(model)
        self._tokens.labels("chat", label, "input").observe(prompt)
        self._tokens.labels("chat", label, "output").observe(completion)

    def dollars(self, model: str, amount: float) -> None:
        self._dollars.labels(self._label(model)).inc(amount)

    def lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def on_scrape(self, name: str, read: Read) -> None:
        assert name in SCRAPED, name
        self._reads[name] = read

    def collect(self) -> "Iterator[Metric]":
        """The values of `SCRAPED`, for the registry."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, read in self._reads.items():
            label, about = SCRAPED[name]
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            metric, found = family(name, about, labels=[label] if label else []), read()
            for value, number in found.items() if isinstance(found, Mapping) else [("", found)]:
                metric.add_metric([value] if label else [], number)
            yield metric

    def exposition(self) -> bytes:
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def _label(self, model: str) -> str:
        if model not in self._models and len(self._models) >= MAX_MODELS:
            return OTHER
        self._models.add(model)
        return model


def open_metrics(*, enabled: bool) -> Metrics:
    """The process's metrics; they count nothing unless `enabled`."""
    return PrometheusMetrics() if enabled else Metrics()
