"""Why a recording in a topic has no frame."""

from connectors.kafka.reading.frame_making import FrameMaking
from connectors.kafka.reading.message_form import MessageForm


def why_no_frames(form: MessageForm, making: FrameMaking, start: int | str) -> str:
    """Return in words why a recording that was read to its end has no frame.

    Args:
        form: Has looked at its messages.
        making: Has made no frame of them.
        start: Where the recording begins.
    """
    if not form.num_messages:
        return f"no message from start={start} on; check that frames are published there"
    num_own = form.num_messages - form.num_empty - sum(form.others.values())
    if not num_own:
        return form.instead(form.num_messages)
    num_bad = making.num_bad
    parts = [form.passed_over()]
    parts.append(f"{num_bad} faulty (the first: {making.first_fault})" if num_bad else "")
    parts.append(f"{num_own - num_bad} of them the mark of its end" if num_own > num_bad else "")
    came = "1 message" if form.num_messages == 1 else f"{form.num_messages} messages"
    return f"{came} came, {', '.join(part for part in parts if part)}; check what publishes them"
