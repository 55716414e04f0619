"""Read who was where from the ledger of a run, during the run or after it.

python examples/read_a_ledger.py outputs/RUN
"""

import sys

import pipeline
from pipeline.core.errors import ReidError

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("error: expected the output folder of a run: python examples/read_a_ledger.py outputs/RUN")
    try:
        reader = pipeline.open_ledger(sys.argv[1])
        for person in reader.persons():
            name = person.name or "no name"
            print(f"person {person.person_id}, {name}: {', '.join(person.camera_ids)}")
            for event in reader.sightings_of(person.person_id):
                print(f"  {event.at:6.1f} s  {event.part}")
        for number, correction in reader.corrections():
            print(f"event {number}: {correction.kind} {correction.person_ids} by {correction.by}: {correction.reason}")
        reader.close()
    except ReidError as error:
        sys.exit(f"error: {error}")
