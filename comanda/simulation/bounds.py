"""I14: what must stay bounded in a house, looked at now and then: mailboxes, outlets, tasks, connections."""

from collections.abc import Iterator

import trio

from .gateway import Gateway

LOOK_EVERY_SECONDS = 7.0
"""Between two looks: seldom enough to cost nothing, and not in step with the sweeps."""

HOUSE_TASKS = 24
"""Of a house without sessions: registry, sweeps, reconciliation, and the errands of one look."""

SESSION_TASKS = 6
"""Of one session: its actor, its order's call, and the same of an order in doubt."""

CONNECTION_TASKS = 6
"""Of one connection: reader, member, pings, writer, the wait for its end."""


def out_of_bounds(gateway: Gateway) -> Iterator[str]:
    """What is beyond its bound in this house now, in sentences."""
    children = gateway.front.house.registry.statistics().children
    for child in children:
        box = child.mailbox
        if box.high_water > box.capacity or box.own_depth > box.own_capacity:
            yield f"the mailbox of {child.key} holds {box.depth} and {box.own_depth}"
    for number, waiting_bytes in gateway.overfull.items():
        yield f"{waiting_bytes} bytes have waited for connection {number}"
    most = HOUSE_TASKS + SESSION_TASKS * len(children) + CONNECTION_TASKS * gateway.connections
    tasks = tasks_in(gateway.nursery)
    if tasks > most:
        yield (
            f"{tasks} tasks for {len(children)} sessions and {gateway.connections} connections: "
            f"more than {most}"
        )


def tasks_in(nursery: trio.Nursery) -> int:
    """The tasks of a nursery and of all nurseries below it."""
    return sum(
        1 + sum(tasks_in(below) for below in task.child_nurseries) for task in nursery.child_tasks
    )
