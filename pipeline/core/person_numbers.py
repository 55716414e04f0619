"""Numbers of people: the matcher and the ledger give the same next one."""


class PersonNumbers:
    """Gives each new person a number that no person has had, erased ones included.

    Args:
        upcoming: The number that the next new person gets.

    Example:
        >>> numbers = PersonNumbers()
        >>> numbers.reserve(7, 3)
        >>> numbers.last, numbers.upcoming
        (7, 8)
    """

    def __init__(self, upcoming: int = 1) -> None:
        self.upcoming = upcoming

    @property
    def last(self) -> int:
        """The highest number that a person has had; 0 before the first."""
        return self.upcoming - 1

    def reserve(self, *person_ids: int) -> None:
        """Never give these numbers, or lower ones, to a new person."""
        self.upcoming = max(self.upcoming, *(person_id + 1 for person_id in person_ids))
