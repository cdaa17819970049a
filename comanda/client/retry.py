"""The automatic retry of a failed order (specification 4.2, 5.4, 7.2), as a pure decision."""

from decimal import Decimal

from msgspec import Struct

from comanda.actors.domain.messages import ClientSettings, LastOrder

from .cart_store import CartStore


class RetryPlan(Struct, frozen=True):
    """Place the failed order again after `after_seconds`; `attempt` counts the retries from 1."""

    order_id: str
    after_seconds: float
    attempt: int


CartSeen = tuple[tuple[tuple[str, int, int, str, Decimal, bool], ...], Decimal]


def plan_retry(
    last_order: LastOrder | None,
    *,
    member_id: str,
    seconds_to_failure: float,
    settings: ClientSettings,
) -> RetryPlan | None:
    """The retry that `last_order` deserves, None where it deserves none.

    `last_order.tries` counts on every device and through refreshes, so the limit is the table's.
    """
    if last_order is None or last_order.status != "failed" or not last_order.allow_retry:
        return None
    if last_order.placed_by != member_id or not 1 <= last_order.tries <= settings.retry_limit:
        return None
    if seconds_to_failure > settings.order_timeout_seconds:
        return None
    after_seconds = settings.retry_delay_seconds * 2 ** (last_order.tries - 1)
    return RetryPlan(last_order.order_id, after_seconds, last_order.tries)


class AutoRetry:
    """Holds at most one plan, and drops it as soon as the table has changed under it."""

    def __init__(self, member_id: str, settings: ClientSettings) -> None:
        self._member_id = member_id
        self._settings = settings
        self._cart: CartSeen | None = None
        self.plan: RetryPlan | None = None

    def order_failed(self, store: CartStore, seconds_to_failure: float) -> RetryPlan | None:
        """This member's order has failed; the plan, if there is to be a retry."""
        self.plan = plan_retry(
            store.last_order,
            member_id=self._member_id,
            seconds_to_failure=seconds_to_failure,
            settings=self._settings,
        )
        self._cart = _cart_seen(store)
        return self.plan

    def after_change(self, store: CartStore) -> bool:
        """Whether what has just changed ends the plan: an edit or an order by anyone, the menu, the end."""
        if self.plan is None or self._still_holds(self.plan, store):
            return False
        self.plan = None
        return True

    def cancel(self) -> bool:
        """Drop the plan; whether there was one."""
        had_one = self.plan is not None
        self.plan = None
        return had_one

    def fire(self, store: CartStore) -> bool:
        """The time has come: whether to order. The plan is used up."""
        plan, self.plan = self.plan, None
        return plan is not None and self._still_holds(plan, store)

    def _still_holds(self, plan: RetryPlan, store: CartStore) -> bool:
        last = store.last_order
        return (
            not store.cart_locked
            and store.closed_reason is None
            and last is not None
            and last.order_id == plan.order_id
            and last.status == "failed"
            and _cart_seen(store) == self._cart
        )


def _cart_seen(store: CartStore) -> CartSeen:
    lines = tuple(
        (
            item.public_id,
            item.menu_item_id,
            item.qty,
            item.note,
            item.unit_price,
            item.available,
        )
        for item in store.items
    )
    return lines, store.total
