"""The container files agree with the bot and follow the rules for images; no container is built here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.metrics import SCRAPED, PrometheusMetrics
from bot.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {name.upper() for name in Settings.model_fields}
PORT = 8811
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE_TEXT = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
# The fields of a service that the file uses, as the Compose specification spells them (read 2026-11-28).
SERVICE_FIELDS = (
    "build image profiles command environment env_file volumes restart stop_signal stop_grace_period read_only tmpfs "
    "cap_drop security_opt healthcheck deploy depends_on"
)
# The objects of Kubernetes by kind and name.
OBJECTS: dict[tuple[str, str], Any] = {
    (each["kind"], each["metadata"]["name"]): each
    for file in (ROOT / "deploy" / "kubernetes").glob("*.yaml")
    for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))
}
# Fields that the API server of Kubernetes requires of each kind (API reference 1.34, 2026-11).
REQUIRED = {
    "ConfigMap": ("v1", ["data"]),
    "Service": ("v1", ["spec.ports", "spec.selector"]),
    "StatefulSet": ("apps/v1", ["spec.serviceName", "spec.selector.matchLabels", "spec.template.metadata.labels"]),
    "Deployment": ("apps/v1", ["spec.replicas", "spec.selector.matchLabels", "spec.template.metadata.labels"]),
    "PodDisruptionBudget": ("policy/v1", ["spec.selector", "spec.maxUnavailable"]),
}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def stage(number: int) -> list[tuple[str, str]]:
    """The instructions of one stage."""
    starts = [at for at, (name, _) in enumerate(instructions()) if name == "FROM"] + [None]
    return instructions()[starts[number] : starts[number + 1]]


def test_the_image_is_pinned_slim_and_not_root() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    users = [rest for name, rest in stage(1) if name == "USER"]
    assert users == ["10001"]
    assert [name for name, _ in stage(1)].index("USER") < [name for name, _ in stage(1)].index("ENTRYPOINT")


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}\n" in kept, source


def test_every_folder_that_the_bot_reads_is_in_the_image() -> None:
    copied = {source for name, rest in instructions() if name == "COPY" for source in rest.split()}
    assert {"bot", "cogs", "templates", "racing", "migrations"} <= copied


def test_the_image_holds_no_secret_and_stops_by_signal() -> None:
    for name, rest in instructions():
        if name in ("ENV", "ARG"):
            assert not re.search(r"TOKEN|KEY|PASSWORD", rest)
    ended = dict(stage(1))
    assert ended["ENTRYPOINT"] == '["fewshot"]', "the exec form makes the bot process 1, so that it gets SIGTERM"
    assert ended["VOLUME"] == "/data"
    assert "/livez" in ended["HEALTHCHECK"]
    assert str(PORT) in ended["HEALTHCHECK"]
    set_here = dict(re.findall(r"(\w+)=(\S+)", ended["ENV"]))
    assert set_here["DATA_DIR"] == "/data"
    assert set_here["HEALTH_PORT"] == str(PORT)


def test_the_compose_file_sets_only_what_exists() -> None:
    bot, worker = COMPOSE["services"]["bot"], COMPOSE["services"]["worker"]
    shared = {name: value for name, value in bot.items() if name != "build"}
    assert worker == {**shared, "profiles": ["workers"], "command": ["worker"]}
    assert set(bot["environment"]) <= SETTINGS
    assert [mount.split(":")[1] for mount in bot["volumes"]] == ["/data"]
    assert (ROOT / "deploy" / bot["build"]["context"] / "Dockerfile").exists()
    assert "profiles" not in bot
    for service in COMPOSE["services"].values():
        assert service.keys() <= set(SERVICE_FIELDS.split())
        assert all(mount.split(":")[0] in COMPOSE["volumes"] for mount in service.get("volumes", ()))
        assert service["restart"] == "unless-stopped"
        if service is not bot:
            (profile,) = service["profiles"]
            assert f"#   {profile} " in COMPOSE_TEXT, "the head of the file names it"
        if service["image"] != bot["image"]:
            assert ":" in service["image"].rpartition("/")[2], "a pinned version"
            assert not service["image"].endswith(":latest")


@pytest.mark.parametrize(("kind", "name"), sorted(OBJECTS))
def test_the_kubernetes_objects_have_what_their_kind_requires(kind: str, name: str) -> None:
    version, fields = REQUIRED[kind]
    found = OBJECTS[kind, name]
    assert found["apiVersion"] == version
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    for field in fields:
        value: Any = found
        for part in field.split("."):
            value = value[part]


@pytest.mark.parametrize(("kind", "name"), [("StatefulSet", "fewshot"), ("Deployment", "fewshot-worker")])
def test_the_pods_have_probes_volumes_and_a_budget_and_run_without_rights(kind: str, name: str) -> None:
    spec = OBJECTS[kind, name]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert OBJECTS["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"] == labels
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    volumes = {each["name"] for each in pod["volumes"]}
    assert mounts == volumes | {each["metadata"]["name"] for each in spec.get("volumeClaimTemplates", ())}
    assert [port["containerPort"] for port in container["ports"]] == [PORT]
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "health"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["terminationGracePeriodSeconds"] >= 30
    assert spec["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)


def test_the_kubernetes_objects_fit_together() -> None:
    spec, service = OBJECTS["StatefulSet", "fewshot"]["spec"], OBJECTS["Service", "fewshot"]
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    assert spec["serviceName"] == service["metadata"]["name"]
    assert spec["replicas"] == 1
    settings = OBJECTS["ConfigMap", "fewshot"]["data"]
    assert set(settings) <= SETTINGS
    assert all(isinstance(value, str) for value in settings.values())


def test_the_workflows_and_dependabot_are_whole() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [str(step.get("run", "")) for step in steps]
    assert ".ci/run" in commands
    assert any(command.startswith("docker build") for command in commands)
    assert "make drills" in commands
    assert "schedule" in workflow[True], "YAML reads the key `on` as true"
    assert all("@" in step["uses"] for step in steps if "uses" in step)
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"pip", "github-actions", "docker"}


def exported() -> dict[str, set[str]]:
    """The names of all metrics of the bot with their labels, as Prometheus stores them."""
    names = {name: {label} - {""} for name, (label, _about) in SCRAPED.items()}
    for family in PrometheusMetrics().registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        names |= {f"{family.name}{ending}": set() for ending in endings}
    return names


def queries() -> Iterator[str]:
    """The queries of the dashboard and of the rules."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "fewshot.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_every_query_of_dashboard_and_rules_names_what_the_bot_exports() -> None:
    known = exported()
    asked = {name for query in queries() for name in re.findall(r"\b(?:fewshot|gen_ai_client|process)_\w+", query)}
    assert asked <= known.keys()
    assert {name for name in known if name.startswith("fewshot") and not name.endswith(("_sum", "_count"))} <= asked


def test_the_documentation_names_every_metric() -> None:
    described = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported() if not name.startswith("process")}
    assert [name for name in sorted(families) if f"`{name}`" not in described] == []
