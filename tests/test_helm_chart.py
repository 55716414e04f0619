"""What can be said of the Helm chart where no cluster is: Helm renders it, and KubeRay and Kubernetes would take it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from pipeline.config.composition import load_config
from pipeline.config.schema import PipelineConfig

helm = pytest.importorskip("helm_python", reason="needs helm-python-sdk, which has no wheel for this machine")

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "docker/helm"
KUBERNETES = "1.34"
YARD = {"yard": "rtsp://ann:${oc.env:YARD_PASSWORD}@10.0.0.7/live"}
VALUES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without a GPU": {"gpus": 0, "image": "passerby", "worker": {"cpu": "2", "memory": "4Gi"}},
    "on several nodes": {"spread": True, "out": {"accessMode": "ReadWriteMany", "storageClass": "nfs"}},
    "with claims and a secret": {"out": {"claim": "mine"}, "weights": {"claim": "networks"}, "secret": "passwords"},
}


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    """Return what Helm makes of the chart and a camera as the release ``plaza``, by kind."""
    values = {"site": {"cameras": YARD}, **values}
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        texts = chart.render(values, name="plaza", namespace="cameras").values()
    return {each["kind"]: each for text in texts if (each := yaml.safe_load(text)) is not None}


@pytest.fixture(params=VALUES)
def release(request: pytest.FixtureRequest) -> dict[str, Any]:
    return rendered(VALUES[request.param])


def templates(release: dict[str, Any]) -> dict[str, Any]:
    """Return the templates of the pods, by group."""
    spec = release["RayJob"]["spec"]["rayClusterSpec"]
    (worker,) = spec["workerGroupSpecs"]
    return {"head": spec["headGroupSpec"]["template"], "worker": worker["template"]}


def test_the_chart_passes_helms_own_linter() -> None:
    found = helm.lint(str(CHART), {"site": {"cameras": YARD}})
    assert found["errors"] == []
    assert [each["error"] for each in found["messages"]] == ["icon is recommended"]


def test_the_ray_job_is_as_kuberay_knows_it(release: dict[str, Any]) -> None:
    schema = strict(kuberay_schema())
    schema["properties"]["metadata"] = {}
    validator = jsonschema.Draft202012Validator(schema)
    job = release["RayJob"]
    validator.validate(job)
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParamz"] = {}
    with pytest.raises(jsonschema.ValidationError, match="rayStartParamz"):
        validator.validate(job)


def kuberay_schema() -> Any:
    """Return KubeRay's own schema of a RayJob, from its public definition or from the development material."""
    if path := os.environ.get("PASSERBY_KUBERAY_CRD"):
        versions = yaml.load(Path(path).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["spec"]["versions"]
        return next(version for version in versions if version["name"] == "v1")["schema"]["openAPIV3Schema"]
    shared = Path(os.environ.get("PASSERBY_SHARED", ROOT.parent / "shared")) / "data/kuberay/rayjob_v1.schema.json"
    if not shared.exists():
        pytest.skip("PASSERBY_KUBERAY_CRD: expected KubeRay's ray.io_rayjobs.yaml, got nothing; see docs/deployment.md")
    return json.loads(shared.read_text())


def strict(schema: Any) -> Any:
    """Return a schema of Kubernetes in which an unknown key is an error, and a number or a text is either."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {}
    is_closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    closed = {"additionalProperties": False} if is_closed and "additionalProperties" not in schema else {}
    return {name: strict(each) for name, each in schema.items()} | closed


def test_everything_else_is_as_kubernetes_knows_it(release: dict[str, Any]) -> None:
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": group, **template["metadata"]},
            "spec": template["spec"],
        }
        for group, template in templates(release).items()
    ]
    others = [each for kind, each in release.items() if kind != "RayJob"]
    for each in (*pods, *others):
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    pods[0]["spec"]["containerz"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="containerz"):
        kubernetes_validate.validate(pods[0], KUBERNETES, strict=True)


def test_no_pod_may_more_than_it_has_to(release: dict[str, Any]) -> None:
    for template in templates(release).values():
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        assert template["spec"]["automountServiceAccountToken"] is False
        (container,) = template["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"] == container["resources"]["requests"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}
    assert release["RayJob"]["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_probes_call_what_the_image_has(release: dict[str, Any]) -> None:
    for template in templates(release).values():
        (container,) = template["spec"]["containers"]
        for probe in ("livenessProbe", "readinessProbe"):
            assert container[probe]["exec"]["command"][0] == "python"


def test_a_group_has_its_resources_in_one_place(release: dict[str, Any]) -> None:
    """KubeRay refuses ``resources`` beside those of ``rayStartParams``, and takes CPUs and GPUs from the limits."""
    spec = release["RayJob"]["spec"]["rayClusterSpec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert group["rayStartParams"].keys() == {"metrics-export-port"}


def test_ray_is_of_the_version_in_the_image() -> None:
    version = rendered({})["RayJob"]["spec"]["rayClusterSpec"]["rayVersion"]
    assert f"\nray=={version}\n" in (ROOT / "constraints.txt").read_text()


def test_gpus_are_those_of_the_worker() -> None:
    limits = {
        gpus: templates(rendered({"gpus": gpus}))["worker"]["spec"]["containers"][0]["resources"]["limits"]
        for gpus in (0, 2)
    }
    assert limits == {0: {"cpu": "8", "memory": "16Gi"}, 2: {"cpu": "8", "memory": "16Gi", "nvidia.com/gpu": "2"}}


def test_the_volume_is_made_as_asked_and_stays() -> None:
    assert "PersistentVolumeClaim" not in rendered({"out": {"claim": "mine"}})
    claim = rendered({"out": {"storageClass": "fast", "size": "1Ti"}})["PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Ti"}},
    }


def test_both_pods_share_a_node_unless_they_are_spread() -> None:
    assert "podAffinity" in templates(rendered({}))["worker"]["spec"]["affinity"]
    release = rendered(VALUES["on several nodes"])
    assert "affinity" not in templates(release)["worker"]["spec"]
    assert release["RayJob"]["spec"]["rayClusterSpec"]["headGroupSpec"]["resources"] == {"ledger": "1"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"spread": True}, "out.accessMode: expected ReadWriteMany where spread is true, got ReadWriteOnce"),
        ({"site": {"cameras": {}}}, "site.cameras: expected at least one camera, got none"),
        ({"gpu": 1}, "gpu"),
        ({"gpus": -1}, "gpus"),
        ({"head": {"cpu": 4}}, "cpu"),
        ({"overrides": ["alerting.exempt=['staff*']"]}, "overrides"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(named)):
        rendered(values)


def run_words(release: dict[str, Any], folder: Path, *, has_ledger: bool) -> list[str]:
    """Return the words that the run gets, through both shells that are on their way."""
    out = folder / "out/site"
    out.mkdir(parents=True)
    if has_ledger:
        (out / "ledger.sqlite").touch()
    python = folder / "python"
    python.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    python.chmod(0o755)
    entrypoint = release["RayJob"]["spec"]["entrypoint"].replace("/out/", f"{folder}/out/")
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    split = subprocess.run(["bash", "-ec", f"printf '%s\\0' {entrypoint}"], capture_output=True, check=True)
    line = subprocess.list2cmdline(split.stdout.decode().split("\0")[:-1])  # as `ray job submit` sends it
    ran = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=True)
    program, *words = ran.stdout.splitlines()
    assert program == "/app/pipeline/run.py"
    return [word.replace(f"{folder}/", "/") for word in words]


def composed(
    release: dict[str, Any], words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> PipelineConfig:
    """Return the configuration of the run, with the site where the pods have it."""
    (folder / "site").mkdir(parents=True)
    for name, text in release["ConfigMap"]["data"].items():
        (folder / "site" / name).write_text(text)
    monkeypatch.setenv("PASSERBY_CONFIG_DIR", str(folder))
    return load_config(words)


def test_the_run_has_the_words_and_the_site_of_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_PASSWORD", "secret")
    values = {
        **VALUES["on several nodes"],
        "gpus": 0,
        "overrides": ["sink=[jsonl,mot]", "alerts=[watchlist,camera_lost]", "enrol={lost child: /out/child}"],
        "site": {
            "cameras": YARD,
            "lines": {"gate": {"camera": "yard", "points": [[0, 0], [9, 9]]}},
        },
    }
    release = rendered(values)
    words = run_words(release, tmp_path, has_ledger=False)
    config = composed(release, words, tmp_path / "config", monkeypatch)
    assert config.site.cameras == {"yard": "rtsp://ann:secret@10.0.0.7/live"}
    assert config.site.lines.keys() == {"gate"}
    assert config.sink.keys() == {"jsonl", "mot"}
    assert config.enrol == {"lost child": "/out/child"}
    assert (config.output_dir, config.device, config.resume) == ("/out/site", "cpu", False)
    assert config.runtime.match.resources == {"ledger": 1}


def test_a_run_that_is_submitted_again_goes_on(tmp_path: Path) -> None:
    assert run_words(rendered({}), tmp_path, has_ledger=True)[-1] == "resume=true"
