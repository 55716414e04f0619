"""A writer killed at any moment leaves a ledger that opens and holds everything acknowledged."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.ledger import Ledger, LedgerReader
from pipeline.ledger.verification import faults_of

WRITER = """
import sys
from pathlib import Path
from factories import make_path, make_sighting
from pipeline.core import TrackId
from pipeline.ledger import Ledger, ledger

ledger.MIN_JOURNAL_BYTES = 3000
writer = Ledger(Path(sys.argv[1]))
batch = int(sys.argv[2])
while True:
    records = [make_sighting(1 + n, TrackId("east", batch, n), 0, make_path(0)) for n in range(3)]
    writer.append(records, entry=("window", b"x" * 1000))
    if batch % 3 == 0:
        writer.note_published({"jsonl": "{}"})
    if writer.wants_snapshot:
        writer.save(b"y" * 2000)
    print(batch, flush=True)
    batch += 1
"""


@pytest.mark.slow
def test_a_killed_writer_loses_no_acknowledged_record(tmp_path: Path) -> None:
    path, acknowledged, chance = tmp_path / "ledger.sqlite", -1, random.Random(7)
    for _ in range(25):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(acknowledged + 1)],
            cwd=Path(__file__).resolve().parents[3],
            env={"PYTHONPATH": ".:tests/support", "PATH": ""},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            acknowledged = int(process.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.05))
            process.kill()
            acknowledged = max([acknowledged, *(int(line) for line in process.stdout.read().split())])
        assert faults_of(path) == []
        reader = LedgerReader(path)
        batches = [event.part.track_id.session for event in reader.events(limit=-1) if event.part is not None]
        reader.close()
        whole = sorted(set(batches))
        assert batches == [batch for batch in whole for _ in range(3)]  # all or nothing of each
        assert whole == list(range(len(whole)))
        assert whole[-1] in (acknowledged, acknowledged + 1)
        acknowledged = whole[-1]
    Ledger(path).close()
