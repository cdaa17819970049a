"""The client of a Python front end: the cart store, the connection that keeps it true, the staff's calls."""

from comanda.actors.domain.messages import (
    ClientSettings,
    JoinAnswer,
    MenuAnswer,
    MenuEntry,
    MenuSection,
    OrderList,
    RestaurantInfo,
    TableInfo,
)

from .api import Api
from .cart_store import CartStore, OrderUnderWay
from .connection import TableConnection, open_table, resume_table
from .errors import (
    ApiError,
    CartLockedError,
    ClientError,
    CommandLost,
    CommandRefused,
    CouldNotConnect,
    FellBehind,
    OrderPassed,
    TableClosed,
    TooManyCommands,
)
from .facts import (
    ConnectionLost,
    Ended,
    Fact,
    Happening,
    OrderTimedOut,
    Reconnected,
    Reconnecting,
    RetryCancelled,
    RetryScheduled,
    SeqGap,
)
from .happenings import Happenings
from .retry import AutoRetry, RetryPlan, plan_retry
from .settings import ClientLimits
from .staff import StaffClient
from .surroundings import Surroundings

__all__ = [
    "Api",
    "ApiError",
    "AutoRetry",
    "CartLockedError",
    "CartStore",
    "ClientError",
    "ClientLimits",
    "ClientSettings",
    "CommandLost",
    "CommandRefused",
    "ConnectionLost",
    "CouldNotConnect",
    "Ended",
    "Fact",
    "FellBehind",
    "Happening",
    "Happenings",
    "JoinAnswer",
    "MenuAnswer",
    "MenuEntry",
    "MenuSection",
    "OrderList",
    "OrderPassed",
    "OrderTimedOut",
    "OrderUnderWay",
    "Reconnected",
    "Reconnecting",
    "RestaurantInfo",
    "RetryCancelled",
    "RetryPlan",
    "RetryScheduled",
    "SeqGap",
    "StaffClient",
    "Surroundings",
    "TableClosed",
    "TableConnection",
    "TableInfo",
    "TooManyCommands",
    "open_table",
    "plan_retry",
    "resume_table",
]
