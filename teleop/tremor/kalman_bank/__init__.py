"""Joint Kalman observer of voluntary motion and a tremor bank: the filter Trocar recommends."""

from teleop.tremor.kalman_bank.bank import KalmanBank
from teleop.tremor.kalman_bank.table import GainTable, gain_table

__all__ = ["GainTable", "KalmanBank", "gain_table"]
