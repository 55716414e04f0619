"""Groups of attributes that networks learn to name while they are trained.

Reference:
    "ASA-Net: Attribute Salience Assisted Network for video-based person re-identification", 2021, Sec. III-A.
"""

from torch import nn

from models.reid.networks.clip_network import initialise_new

RELEVANT, IRRELEVANT = GROUPS = ("id_relevant", "id_irrelevant")
"""What belongs to a person (clothes, age, gender), and what does not (motion, pose)."""
LOGITS = "attributes_"
"""Begins the name of a group's logits among the extras of an output."""
POSE_AND_MOTION = "pose_and_motion"
"""The vector of motion and pose among the extras, by which triplets of the same person are mined."""


def make_attribute_head(channels: int, num_classes: int) -> nn.Sequential:
    """Return what names attributes from vectors of ``channels`` numbers: one logit a class."""
    head = nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU(), nn.Linear(channels, num_classes))
    initialise_new(head)
    return head
