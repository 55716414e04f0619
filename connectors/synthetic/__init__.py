"""A rendered world: people who never lived, cameras that see them, and the exact truth."""

import warp

# warp greets, and warns of a GPU that is not there, wherever it is first used.
warp.config.quiet = True
warp.config.log_level = warp.LOG_ERROR
