"""Faults at random moments in a run on four live cameras, and what must have been kept at the end.

    PYTHONPATH=.:tests/support python tests/benchmarks/chaos.py seconds=1800 seed=1 runtime=inline   # or runtime=ray
    PYTHONPATH=.:tests/support python tests/benchmarks/chaos.py seconds=240                          # while you develop

Two cameras by RTSP and two by Kafka show half a minute of the demo's rendered world, there and back, again and again
(``turn=60`` seconds), so that people never leap. A first run is left alone for as long as the second one is disturbed,
``seconds``; ``control=FOLDER`` takes the one that another test has left in its ``out`` by then, if it is long enough.
Both begin with a turn. Faults are drawn from a bag that holds each kind once, at random moments, ``every=25`` seconds
on average; none begins in the last ``SETTLE_S``. Another seed draws others; on a busy machine the same seed hits other
moments. The program is as it ships, but that it leaves out no part of a track for its poor pictures: so a part that
lacks is a part that was lost.

The folder ``out`` (outputs/chaos) gets ``faults.jsonl``, a line for each fault with when it began and ended and when
every camera was followed again; ``chaos.png``, the same as a picture; ``figures.json``; the folders and the logs of
both runs, and in ``watch.json`` what ``status.json`` said. With ``every=inf`` nothing happens, which shows what the
judge says of a run that is left alone. The exit code is 1, and a line says what is wrong, if

- a camera is not followed at the end, or the run does not stop in order;
- a part of a track lacks before its last one;
- somebody is lost: missing for 3 s in a row where the undisturbed run saw them in each of its first three turns, at a
  time that is not stated as blind. Who is missing is in no box of a sighting. Blind is when ``status.json`` says that a
  camera had less than half of its frames, or says nothing. The 5 s before that count too, with the parts of tracks that
  were not complete, and the 4 s after it, until there are tracks again. Where less than a fifth of the time is left to
  judge, that is wrong by itself;
- a sighting is twice, or lacks, in the ledger, in ``sightings.jsonl``, among the boxes of ``mot`` or in the topic; or
  the hashes of the ledger are wrong;
- memory, threads or descriptors of all processes of the run are larger in the last quarter than in the second by more
  than 15 % and a little (runs of at least four minutes);
- ids kept are below 95 % of the undisturbed run's. They are the share of the seconds of people (a person in a camera
  for a second) in which the number is that of the person, when people and numbers are assigned one to one for the whole
  run, as well as can be. The seconds that count are those since the start of the run in which the camera was not blind
  and both runs saw that person in it. ``same_number_after`` shows by kind of fault how many people have the number of
  the 30 s before it in the 30 s after the recovery; in the undisturbed run, at those times; and of how many.

Needs the extra ``kafka``, Apache Kafka and Java. Without the right to mount a small disk, no disk is full.
"""

import json
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from chaos_run.faults import FAULTS, Place, disk_full, small_disk
from chaos_run.feed import Feed
from chaos_run.job import Job
from chaos_run.judge import Control, judge
from chaos_run.plot import draw
from chaos_run.scene import CAMERAS, Scene
from chaos_run.sightings import Start, sightings_of
from chaos_run.watch import STEADY_S, Watch
from ray_cluster import TwoNodes

READY_S = 240.0
"""Seconds within which a run that starts follows every camera."""
BACK_S = 120.0
"""Seconds after a fault within which every camera is followed again; else that is said, and the next fault comes."""
SETTLE_S = 30.0
STOP_S = 90.0
MAX_BLIND = 0.1
"""Share of the time for which the undisturbed run may be blind. Where it is, nobody is expected to be seen."""
FIRST_S = 10.0
"""Seconds before the first fault."""

OPTIONS = {
    "seconds": "1800",
    "seed": "1",
    "runtime": "inline",
    "turn": "60",
    "every": "25",
    "out": "outputs/chaos",
    "control": "",
}


def main(words: list[str]) -> int:
    """Run, judge, and return the exit code."""
    given = dict(word.split("=", 1) for word in words)
    if unknown := given.keys() - OPTIONS.keys():
        raise SystemExit(f"{', '.join(sorted(unknown))}: expected one of {', '.join(OPTIONS)}; correct it")
    options = OPTIONS | given
    out = Path(options["out"]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        feed = stack.enter_context(Feed(folder, Scene(int(options["turn"]))))
        cluster = TwoNodes() if options["runtime"] == "ray" else None
        if cluster is not None:
            stack.callback(cluster.close)
        disk = stack.enter_context(small_disk(folder / "disk"))
        if not options["control"]:
            leave_alone(feed, options, out, cluster)
        start = Start(feed.began_at, feed.wait_for_turn())
        job = Job(words_for(feed, options["runtime"], "chaos"), (disk or folder) / "chaos", cluster)
        try:
            wrong, figures = disturb(Place(feed, job, cluster, disk), start, options, out)
        finally:
            job.stop(STOP_S)
            (out / "chaos.log").write_bytes(job.log.read_bytes())
            shutil.copytree(job.output, out / "run", dirs_exist_ok=True)
    (out / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures))
    print("\n".join(wrong) or "all well")
    return int(bool(wrong))


def words_for(feed: Feed, runtime: str, name: str) -> list[str]:
    """Return the overrides of a run, whose sightings go to the topic ``name.sightings``."""
    cameras = ", ".join(f"{camera_id}: '{uri}'" for camera_id, uri in feed.addresses().items())
    topics = [f"sink.kafka.topics.{kind}={name}.{kind}" for kind in ("sightings", "corrections", "alerts")]
    return [
        *("site=demo", f"site.cameras={{{cameras}}}", "site.truth=null", f"runtime={runtime}"),
        *("detector=passerby", "sink=[jsonl,mot,kafka]"),
        *(f"sink.kafka.servers={feed.servers}", *topics, "disk.min_free_gb=0.001", "embed.min_quality=0"),
        *(["runtime.silent_s=10", "runtime.max_restarts=1000"] if runtime == "ray" else []),
    ]


def leave_alone(feed: Feed, options: dict[str, str], out: Path, cluster: TwoNodes | None) -> None:
    """Let a run follow the cameras as long as the other one will be disturbed, and keep it."""
    with tempfile.TemporaryDirectory(prefix="plain-") as folder:
        start = Start(feed.began_at, feed.wait_for_turn())
        job = Job(words_for(feed, options["runtime"], "plain"), Path(folder) / "plain", cluster)
        watch = Watch(job)
        try:
            if watch.wait_until_well(0.0, READY_S) is None:
                raise SystemExit(f"the undisturbed run does not start:\n{job.log.read_text()[-3000:]}")
            first_at = time.time()
            time.sleep(float(options["seconds"]) + STEADY_S)
        finally:
            watch.close()
            last_at = time.time()
            code = job.stop(STOP_S)
            (out / "plain.log").write_bytes(job.log.read_bytes())
        spans = [span for name in CAMERAS for span in watch.blind(name) if span[0] > first_at]
        if blind_s := sum(end - begin for begin, end in spans):
            print(f"the undisturbed run was blind for {blind_s:.0f} s of camera time", flush=True)
        if blind_s > MAX_BLIND * len(CAMERAS) * (last_at - first_at):
            raise SystemExit("this machine is too busy: there is nothing to compare with")
        if code != 0 or job.ends:
            raise SystemExit(f"the undisturbed run ended with {code}, {job.ends}; see {out / 'plain.log'}")
        shutil.copytree(job.output, out / "plain", dirs_exist_ok=True)
    facts = {name: options[name] for name in ("runtime", "turn", "seconds")}
    facts |= {"start": asdict(start), "first_s": round(first_at - start.at), "last_s": int(last_at - start.at)}
    (out / "control.json").write_text(json.dumps(facts))


def read_control(scene: Scene, options: dict[str, str], folder: Path) -> Control:
    """Return the undisturbed run that a test left in a folder."""
    facts = json.loads((folder / "control.json").read_text())
    if any(facts[name] != options[name] for name in ("runtime", "turn")) or facts["last_s"] < float(options["seconds"]):
        raise SystemExit(f"control={folder}: is no run of {options['seconds']} s like this one; leave the option out")
    return Control(sightings_of(scene, folder / "plain", Start(**facts["start"])), facts["first_s"], facts["last_s"])


def disturb(place: Place, start: Start, options: dict[str, str], out: Path) -> tuple[list[str], dict[str, object]]:
    """Do something to a run again and again, and judge it."""
    job = place.job
    rng, seconds = random.Random(int(options["seed"])), float(options["seconds"])
    watch = Watch(job)
    if watch.wait_until_well(0.0, READY_S) is None:
        watch.close()
        return [f"the run does not start: {job.log.read_text()[-3000:]}"], {}
    began_at = time.time()
    count = round((seconds - FIRST_S - SETTLE_S) / float(options["every"]))
    moments = sorted(rng.uniform(FIRST_S, seconds - SETTLE_S) for _ in range(count))
    kinds = [kind for kind in FAULTS[options["runtime"]] if place.disk is not None or kind is not disk_full]
    bag: list[object] = []
    log: list[dict[str, object]] = []
    with (out / "faults.jsonl").open("w") as file:
        for moment in moments:
            if time.time() - began_at > seconds - SETTLE_S:
                break
            time.sleep(max(0.0, began_at + moment - time.time()))
            bag = bag or rng.sample(kinds, len(kinds))
            kind = bag.pop()
            begins_at = time.time()
            target = kind(place, rng)
            ends_at = time.time()
            back_at = watch.wait_until_well(ends_at, BACK_S)
            entry = {
                "fault": kind.__name__,
                "of": target,
                "begins_s": round(begins_at - began_at, 1),
                "ends_s": round(ends_at - began_at, 1),
                "back_s": None if back_at is None else round(back_at - began_at, 1),
                "lives": len(job.lives),
            }
            log.append(entry)
            file.write(json.dumps(entry) + "\n")
            file.flush()
            print(json.dumps(entry), flush=True)
    time.sleep(max(0.0, began_at + seconds - time.time()))
    is_back = watch.wait_until_well(time.time() - STEADY_S, BACK_S) is not None
    ended_at = time.time()
    watch.close()
    code = job.stop(STOP_S)
    watch.save(out / "watch.json")
    draw(out / "chaos.png", watch, log, began_at)
    span = began_at, ended_at
    control = read_control(place.feed.scene, options, Path(options["control"] or out))
    return judge(place.feed, job, watch, "chaos.sightings", start, span, log, control, is_back, code)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # end what was started
    sys.exit(main(sys.argv[1:]))
