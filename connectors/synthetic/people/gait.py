"""Gait: joint angles over a cycle of two steps, and small motions of standing people.

The angles of hip, knee and ankle are read at a few phases from Perry, "Gait Analysis" (1992), and joined by periodic
splines.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from connectors.synthetic.people.person import Gait
from connectors.synthetic.people.skeleton import BONE, BONES, Skeleton, turn, turn_towards

ACTIONS = ("walk", "stand", "phone", "talk")
NUM_PHASES = 32
"""Poses per cycle. More make the motion smoother and the clips larger."""
SECONDS_PER_CYCLE = {"stand": 5.0, "phone": 6.0, "talk": 2.8}
"""Length of one cycle of a standing person. A walking person's phase follows the distance walked."""

_X, _Y, _Z = np.eye(3)


def _periodic(phases: list[float], degrees: list[float]) -> CubicSpline:
    return CubicSpline([*phases, phases[0] + 1], [*degrees, degrees[0]], bc_type="periodic")


_HIP = _periodic([0, 0.15, 0.5, 0.62, 0.72, 0.85, 0.95], [28, 22, -10, -4, 15, 32, 31])
_KNEE = _periodic([0, 0.14, 0.4, 0.5, 0.6, 0.72, 0.85, 0.95], [5, 18, 5, 10, 36, 60, 32, 4])
_ANKLE = _periodic([0, 0.07, 0.3, 0.46, 0.56, 0.63, 0.75, 0.9], [0, -5, 6, 11, 0, -17, -4, 1])


def rotations(action: str, skeleton: Skeleton, gait: Gait, *, carries: str) -> NDArray[np.float64]:
    """Return the rotation of each bone over one cycle.

    Args:
        action: One of ``ACTIONS``.
        skeleton: Of the person.
        gait: Of the person.
        carries: ``L``, ``R`` or empty: the hand that holds a bag; it swings less.

    Returns:
        Shape ``(NUM_PHASES, B, 3, 3)``, as ``Skeleton.pose`` takes them.
    """
    phase = np.arange(NUM_PHASES) / NUM_PHASES
    turned = np.tile(np.eye(3), (NUM_PHASES, len(BONES), 1, 1))
    walks = 1.0 if action == "walk" else 0.0
    for side, sign, shift in (("L", 1.0, 0.0), ("R", -1.0, 0.5)):
        _move_leg(turned, skeleton, gait, side=side, sign=sign, phase=(phase + shift) % 1, amount=walks)
        held = side == carries
        _move_arm(turned, skeleton, gait, side=side, sign=sign, phase=(phase + shift) % 1, amount=walks, held=held)
    if action == "phone":
        _bend_arm(turned, skeleton, "L" if carries == "R" else "R", up=32.0, elbow=np.full(NUM_PHASES, 112.0))
    if action == "talk":
        _bend_arm(turned, skeleton, "R" if carries == "L" else "L", up=12.0, elbow=70 + 25 * np.sin(2 * np.pi * phase))
    nod = {"phone": 24.0, "talk": 4.0}.get(action, 0.0)
    _move_trunk(turned, gait, phase, walks=walks, nod=nod)
    return turned


def _move_leg(
    turned: NDArray[np.float64],
    skeleton: Skeleton,
    gait: Gait,
    *,
    side: str,
    sign: float,
    phase: NDArray[np.float64],
    amount: float,
) -> None:
    leg = skeleton.head(f"foot.{side}") - skeleton.head(f"upper_leg.{side}")
    straight = turn_towards(leg, np.array([sign * (gait.width + 0.03 * (1 - amount)), 0.0, -1.0]))
    hip, knee, ankle = (amount * np.radians(curve(phase)) for curve in (_HIP, _KNEE, _ANKLE))
    toes = amount * np.radians(26) * np.exp(-(((phase - 0.55) / 0.08) ** 2))
    turned[:, BONE[f"upper_leg.{side}"]] = turn(_X, -hip * gait.step) @ straight
    turned[:, BONE[f"lower_leg.{side}"]] = turn(_X, knee)
    turned[:, BONE[f"foot.{side}"]] = turn(_X, -ankle) @ turn(_Y, -sign * 0.03) @ turn(_Z, sign * gait.toe_out)
    turned[:, BONE[f"toes.{side}"]] = turn(_X, -toes)


def _move_arm(
    turned: NDArray[np.float64],
    skeleton: Skeleton,
    gait: Gait,
    *,
    side: str,
    sign: float,
    phase: NDArray[np.float64],
    amount: float,
    held: bool,
) -> None:
    upper, lower = _arm(skeleton, side)
    swing = -(0.3 if held else 1.0) * amount * gait.arms * np.cos(2 * np.pi * phase)
    hanging = turn_towards(upper, np.array([sign * gait.spread, 0.03, -1.0]))
    elbow = gait.elbow + 10 * amount * np.maximum(0, np.sin(2 * np.pi * (phase - 0.45)))
    if side == gait.raised_arm:
        elbow, swing = np.full_like(phase, 85.0), 0.3 * swing
    if held:
        elbow = np.full_like(phase, 6.0)
    turned[:, BONE[f"upper_arm.{side}"]] = turn(_X, -np.radians(swing + 4)) @ hanging
    turned[:, BONE[f"lower_arm.{side}"]] = turn(np.cross(upper, -_Y), np.radians(elbow)) @ turn_towards(lower, upper)


def _bend_arm(
    turned: NDArray[np.float64], skeleton: Skeleton, side: str, *, up: float, elbow: NDArray[np.float64]
) -> None:
    """Lift the upper arm by ``up`` degrees and bend the elbow, with the hand before the chest."""
    upper, lower = _arm(skeleton, side)
    sign = 1.0 if side == "L" else -1.0
    hanging = turn_towards(upper, np.array([sign * 0.10, 0.0, -1.0]))
    inwards = turn(_Z, -sign * np.radians(25.0))
    turned[:, BONE[f"upper_arm.{side}"]] = turn(_X, -np.radians(up)) @ inwards @ hanging
    turned[:, BONE[f"lower_arm.{side}"]] = turn(np.cross(upper, -_Y), np.radians(elbow)) @ turn_towards(lower, upper)


def _arm(skeleton: Skeleton, side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions of upper and lower arm at rest."""
    shoulder, elbow, wrist = (skeleton.head(f"{bone}.{side}") for bone in ("upper_arm", "lower_arm", "hand"))
    return elbow - shoulder, wrist - elbow


def _move_trunk(
    turned: NDArray[np.float64], gait: Gait, phase: NDArray[np.float64], *, walks: float, nod: float
) -> None:
    # A standing person sways a little.
    yaw = np.radians(5 * walks + 2.0 * (1 - walks)) * np.cos(2 * np.pi * phase)
    roll = np.radians(2.5 * gait.bounce * walks + 1.2 * (1 - walks)) * np.sin(2 * np.pi * phase)
    slouch = np.radians(gait.slouch)
    turned[:, BONE["root"]] = turn(_Z, -yaw) @ turn(_Y, 0.6 * roll) @ turn(_X, np.radians(gait.lean * walks))
    for bone in ("spine_low", "spine_mid", "spine_high"):
        turned[:, BONE[bone]] = turn(_Z, 1.9 * yaw / 3) @ turn(_Y, -0.8 * roll / 3) @ turn(_X, slouch / 3)
    turned[:, BONE["neck"]] = turn(_Z, -0.4 * yaw) @ turn(_X, -0.7 * slouch + np.radians(nod / 2))
    turned[:, BONE["head"]] = turn(_Z, -0.4 * yaw) @ turn(_X, np.radians(nod / 2))
