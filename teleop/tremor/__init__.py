"""Removes hand tremor from a pose without lag: several published filters and a better one, one contract."""

from teleop.tremor.contract import AxisFilter, FilterCore
from teleop.tremor.factory import make_axis_filter, make_pose_filter
from teleop.tremor.guard import GuardedFilter
from teleop.tremor.pose import PoseFilter
from teleop.tremor.spec import (
    BmflcKfSpec,
    BmflcSpec,
    ButterworthSpec,
    FilterSpec,
    KalmanBankSpec,
    NoFilterSpec,
    NotchSpec,
    OneEuroSpec,
    WflcSpec,
)

__all__ = [
    "AxisFilter",
    "BmflcKfSpec",
    "BmflcSpec",
    "ButterworthSpec",
    "FilterCore",
    "FilterSpec",
    "GuardedFilter",
    "KalmanBankSpec",
    "NoFilterSpec",
    "NotchSpec",
    "OneEuroSpec",
    "PoseFilter",
    "WflcSpec",
    "make_axis_filter",
    "make_pose_filter",
]
