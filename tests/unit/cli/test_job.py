"""``passerby job``: one run at a time on a cluster, owned by its container. The cluster's client is a fake."""

import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pipeline.cli import job

ARGUMENTS = ["--address=http://head:8265", "--id=site", "--", "site=empty"]

LINE = "camera east: 7 frames\n"


def send(stop: signal.Signals) -> None:
    """Call what listens for a signal. A real one has ended the process of the tests; test_signals.py sends some."""
    handler = signal.getsignal(stop)
    assert callable(handler), "nothing listens"
    handler(stop, None)


@dataclass
class Cluster:
    """A Ray cluster; ``states`` are the answers to come about the newest submission of the run, the last for ever."""

    states: list[str | None]
    earlier: dict[str, str] = field(default_factory=lambda: {"site.3": "RUNNING"})
    calls: list[str] = field(default_factory=list)
    on_ask: dict[int, signal.Signals] = field(default_factory=dict)
    exit_code: int = 1
    is_stopped_after_its_end: bool = False
    asked: int = 0

    def __call__(self, address: str) -> "Cluster":
        if address != "http://head:8265":
            raise ConnectionError(address)
        return self

    def list_jobs(self) -> list[SimpleNamespace]:
        other = SimpleNamespace(submission_id=None, status=SimpleNamespace(value="RUNNING"))
        return [
            other,
            *(
                SimpleNamespace(submission_id=id_, status=SimpleNamespace(value=state))
                for id_, state in self.earlier.items()
            ),
        ]

    def get_job_status(self, job_id: str) -> SimpleNamespace:
        assert job_id == self.newest
        self.asked += 1
        if self.asked in self.on_ask:
            send(self.on_ask[self.asked])
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "away":
            raise ConnectionError("no route")
        if state is None:
            raise RuntimeError("Request failed with status code 404: Job site does not exist.")
        return SimpleNamespace(value=state)

    def get_job_info(self, job_id: str) -> SimpleNamespace:
        if self.is_stopped_after_its_end:
            send(signal.SIGTERM)
        return SimpleNamespace(driver_exit_code=self.exit_code)

    def get_job_logs(self, job_id: str) -> str:
        if self.is_stopped_after_its_end and self.states == ["SUCCEEDED"]:
            threading.Timer(0.3, send, [signal.SIGTERM]).start()
        return f"{LINE}the last line\n"

    @property
    def newest(self) -> str:
        """The id of the submission that this is about."""
        submitted = [call.split()[1].rstrip(":") for call in self.calls if call.startswith("submit")]
        return [*self.earlier, *submitted][-1]

    def submit_job(self, *, entrypoint: str, submission_id: str) -> None:
        assert submission_id not in self.earlier, "Ray takes the end of one for that of the other"
        self.calls.append(f"submit {submission_id}: {entrypoint}")

    def stop_job(self, job_id: str) -> None:
        self.calls.append(f"stop {job_id}")
        self.states[:] = ["RUNNING", "STOPPED"]

    def delete_job(self, job_id: str) -> None:
        self.calls.append(f"delete {job_id}")

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        yield LINE


def own(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *overrides: str, flags: Sequence[str] = ()) -> int:
    module = ModuleType("ray.job_submission")
    module.JobSubmissionClient = cluster  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray.job_submission", module)
    monkeypatch.setattr(job, "ASK_EVERY_S", 0.01)
    return job.main([*ARGUMENTS[:2], *flags, *ARGUMENTS[2:], *overrides])


SUBMIT = "submit site.{}: exec python /app/pipeline/run.py site=empty"


@pytest.mark.parametrize("end", ["FAILED", "STOPPED"])
def test_a_run_that_has_ended_is_submitted_again_under_another_id_and_resumes(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.sqlite").touch()
    cluster = Cluster(["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"], {"site.9": "FAILED", "site.10": end})
    assert own(cluster, monkeypatch, f"output_dir={tmp_path}") == 0
    submit = f"{SUBMIT.format(11)} output_dir={tmp_path} resume=true"
    assert cluster.calls == [submit, "delete site.9", "delete site.10"]
    assert "camera east: 7 frames" in capsys.readouterr().out


@pytest.mark.parametrize("left", ["ledger.sqlite", "sites.json"])
def test_a_run_that_a_lost_cluster_has_forgotten_is_submitted_and_resumes(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / left).touch()
    cluster = Cluster(["RUNNING", "SUCCEEDED"], {"another.1": "RUNNING"})
    assert own(cluster, monkeypatch, f"output_dir={tmp_path}") == 0
    assert cluster.calls == [f"{SUBMIT.format(1)} output_dir={tmp_path} resume=true"]


def test_the_first_run_of_a_folder_continues_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(["RUNNING", "SUCCEEDED"], {})
    assert own(cluster, monkeypatch, f"output_dir={tmp_path / 'new'}") == 0
    assert cluster.calls == [f"{SUBMIT.format(1)} output_dir={tmp_path / 'new'}"]


def test_a_run_that_goes_on_is_not_submitted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(["RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"])
    assert own(cluster, monkeypatch) == 0
    assert cluster.calls == []


def test_a_run_that_fails_is_a_failure_so_that_the_container_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own(Cluster(["RUNNING", "RUNNING", "FAILED"]), monkeypatch) == 1


def test_a_run_that_only_a_person_can_bring_to_go_on_is_submitted_once_until_the_container_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(
        ["RUNNING", "FAILED"], {"site.1": "FAILED"}, exit_code=3, is_stopped_after_its_end=True
    )  # the stop comes when the exit code is asked for
    assert own(cluster, monkeypatch) == 1
    assert [call for call in cluster.calls if call.startswith("submit")] == [SUBMIT.format(2)]
    assert capsys.readouterr().out.count("site: not submitted again; do what the error says") == 1


def test_a_run_that_is_refused_as_configured_is_not_submitted_again_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "REFUSED_S", 0.05)
    assert own(Cluster(["RUNNING", "RUNNING", "FAILED"], exit_code=2), monkeypatch) == 1
    assert "site: failed\nsite: refused as configured; submitted again in 0.05 s\n" in capsys.readouterr().out


def test_a_stop_need_not_wait_until_a_refused_run_is_submitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "REFUSED_S", 600.0)  # the stop comes when the exit code is asked for
    assert own(Cluster(["RUNNING", "RUNNING", "FAILED"], exit_code=2, is_stopped_after_its_end=True), monkeypatch) == 1


@pytest.mark.parametrize(("flags", "is_told"), [([], False), (["--stay"], True)])
def test_what_has_read_all_can_wait_to_be_stopped_so_that_its_container_is_not_started_again(
    flags: list[str], is_told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(["RUNNING", "RUNNING", "SUCCEEDED"], is_stopped_after_its_end=bool(flags))
    assert own(cluster, monkeypatch, flags=flags) == 0
    assert ("site: all is read; start this container again to go on" in capsys.readouterr().out) == is_told


def test_the_log_of_a_run_is_shown_to_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own(Cluster(["RUNNING", "RUNNING", "SUCCEEDED"], {"site.1": "FAILED"}), monkeypatch) == 0
    shown = f"site: submitted as site.2\n{LINE}the last line\nsite: succeeded\n"
    assert capsys.readouterr().out == shown


def test_stopping_the_container_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(["RUNNING"], on_ask={3: signal.SIGTERM})
    assert own(cluster, monkeypatch) == 0
    assert cluster.calls == ["stop site.3"]


def test_a_cluster_that_is_not_there_is_one_error_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "CLUSTER_S", 0.05)
    module = ModuleType("ray.job_submission")
    module.JobSubmissionClient = Cluster([None])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray.job_submission", module)
    monkeypatch.setattr(job, "ASK_EVERY_S", 0.01)
    assert job.main(["--address=http://nowhere:1", "--id=site", "--", "site=empty"]) == 1
    assert "error: http://nowhere:1: expected a Ray cluster within 0.05 s, got none" in capsys.readouterr().err


def test_a_cluster_that_is_cut_off_is_waited_for_and_the_run_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(["RUNNING", "RUNNING", "away", "away", "RUNNING", "RUNNING", "SUCCEEDED"])
    assert own(cluster, monkeypatch) == 0
    assert cluster.calls == []
    printed = capsys.readouterr().out
    assert printed.count("the cluster does not answer and is waited for: no route") == 1
    assert printed.count("the cluster answers again after") == 1
    assert printed.count("camera east: 7 frames") == 1  # its log goes on where it was


def test_a_stop_ends_the_container_although_the_cluster_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "STOP_S", 0.1)
    cluster = Cluster(["RUNNING", "RUNNING", "away"], on_ask={4: signal.SIGTERM})
    assert own(cluster, monkeypatch) == 1
    assert "error: site: expected it to end within 0.1 s, it did not" in capsys.readouterr().err


def test_a_cluster_made_anew_has_forgotten_the_run_and_it_is_a_failure_so_that_it_is_submitted_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own(Cluster(["RUNNING", "RUNNING", "away", None]), monkeypatch) == 1
    assert "site: forgotten by the cluster" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "is_refused"),
    [
        ("site.cameras.yard=rtsp://ann:hunter2@10.0.0.7/live", True),
        ("sink.webhook.secret=hunter2", True),
        ("site.cameras={yard: {uri: 'rtsp://10.0.0.7/live', opener: {username: ann, password: hunter2}}}", True),
        ("site.cameras.yard=rtsp://ann:${oc.env:YARD}@10.0.0.7/live", False),
        ("site.cameras={yard: {uri: 'rtsp://10.0.0.7/live', opener: {username: ann, password_env: YARD}}}", False),
    ],
)
def test_a_password_that_the_cluster_would_show_is_refused(
    word: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(["SUCCEEDED"], {})
    if not is_refused:
        assert own(cluster, monkeypatch, word) == 0
        return
    with pytest.raises(SystemExit, match="2"):
        own(cluster, monkeypatch, word)
    said = capsys.readouterr().err
    assert f"{word.partition('=')[0]}: expected no password" in said
    assert "hunter2" not in said
    assert cluster.calls == []
