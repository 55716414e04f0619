"""Live video at the rate of a camera, from a server of live video that has the cameras as well, such as go2rtc."""
