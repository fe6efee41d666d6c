"""The records that tuning hands out, for those who may not know the storage behind them."""

from bot.storage.calls import Bill
from bot.storage.datasets import DatasetRow, PairRow
from bot.storage.tuning import EventRow, JobRow, ModelRow, PromotionRow

__all__ = ["Bill", "DatasetRow", "EventRow", "JobRow", "ModelRow", "PairRow", "PromotionRow"]
