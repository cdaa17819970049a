"""Supervised actors on Trio, for any purpose.

An actor owns its state and takes its messages one batch after another. A supervisor restarts
it when it crashes; a registry finds it by its key, activates it when it is asked for and
passivates it when it is idle. Nothing here knows what the actors are for.
"""

from comanda.runtime.actor import Actor, Context
from comanda.runtime.breaker import Breaker, BreakerPolicy
from comanda.runtime.condition import ChildLimits, ChildState, ChildStatistics
from comanda.runtime.errors import (
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    MailboxFull,
    Outage,
    Quarantined,
    RuntimeRefusal,
    TooManyActors,
)
from comanda.runtime.events import (
    ActorEnded,
    ActorFailed,
    ActorOverstayed,
    ActorQuarantined,
    ActorStarted,
    HookFailed,
    OnEvent,
    OutageBegan,
    OutageEnded,
    ProbeFailed,
    QuarantineEnded,
    RuntimeEvent,
)
from comanda.runtime.mailbox import Envelope, Mailbox, MailboxStatistics, ReplySlot
from comanda.runtime.ref import Ref
from comanda.runtime.registry import Registry, RegistryStatistics
from comanda.runtime.restart import RestartPolicy, RestartWindow
from comanda.runtime.supervisor import Supervisor

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorEnded",
    "ActorFailed",
    "ActorOverstayed",
    "ActorQuarantined",
    "ActorStarted",
    "ActorStopped",
    "AskTimeout",
    "Breaker",
    "BreakerPolicy",
    "ChildLimits",
    "ChildState",
    "ChildStatistics",
    "Context",
    "Envelope",
    "HookFailed",
    "Mailbox",
    "MailboxFull",
    "MailboxStatistics",
    "OnEvent",
    "Outage",
    "OutageBegan",
    "OutageEnded",
    "ProbeFailed",
    "QuarantineEnded",
    "Quarantined",
    "Ref",
    "Registry",
    "RegistryStatistics",
    "ReplySlot",
    "RestartPolicy",
    "RestartWindow",
    "RuntimeEvent",
    "RuntimeRefusal",
    "Supervisor",
    "TooManyActors",
]
