"""Log level of warp, the library that compiles and runs the kernels."""

import warp


def silence_warp() -> None:
    """Let warp log errors only; otherwise it prints a banner and the compile time of each module.

    Call this before the first use of warp. Its native code still warns once on stderr if there is no CUDA driver.
    """
    warp.config.log_level = warp.LOG_ERROR
