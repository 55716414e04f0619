"""The watch-list page: people are enrolled by pictures or by a sighting, listed until a date, changed and taken off."""
