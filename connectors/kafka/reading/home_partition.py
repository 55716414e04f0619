"""Which partition a camera's messages are in, learned from the messages."""

from collections import Counter
from collections.abc import Iterable, Sequence

NUM_PROOF = 20
"""Messages with the camera's key in one partition, and looked at in every other, before the others are left unread.

More read more of other cameras' messages. Fewer are wrong about a sender that chooses partitions at random.
"""


class HomePartition:
    """Finds the one partition of a camera whose messages bear its key: a partitioner, whichever, keeps them together.

    A camera whose messages bear no key, or were seen in several partitions, has no such partition.
    """

    def __init__(self) -> None:
        self._own: set[int] = set()
        self._num_own = 0
        self._is_keyed = True
        self._looked: Counter[int] = Counter()

    def look(self, partition: int, *, is_own: bool, is_keyed: bool) -> None:
        """Note a message.

        Args:
            partition: Its partition.
            is_own: Whether it is the camera's.
            is_keyed: Whether its key names the camera.
        """
        self._looked[partition] += 1
        if is_own:
            self._own.add(partition)
            self._num_own += 1
            self._is_keyed &= is_keyed

    def found(self, partitions: Sequence[int], drained: Iterable[int]) -> int | None:
        """Return the partition; None if it is not known.

        Args:
            partitions: Those of the topic.
            drained: Those that are read to their end.
        """
        if len(self._own) != 1 or not self._is_keyed or self._num_own < NUM_PROOF:
            return None
        at_end = set(drained)
        (home,) = self._own
        is_proven = all(
            number == home or number in at_end or self._looked[number] >= NUM_PROOF for number in partitions
        )
        return home if is_proven else None
