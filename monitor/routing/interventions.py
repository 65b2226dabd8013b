"""What people do about alerts, read from the store: they silence them, take them on, and subscribe to them."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from monitor.clock import Clock
from monitor.delivery.reception import Reception
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.errors import InputError
from monitor.routing.acknowledgement_log import AcknowledgementLog
from monitor.routing.dispatch import Dispatcher
from monitor.routing.known_alerts import KnownAlerts
from monitor.routing.plan import Plan
from monitor.routing.routes import Route
from monitor.routing.silence_log import SilenceLog
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from sinks.store.contract import Store

__all__ = ["Interventions"]

log = structlog.get_logger("leeway.route")


class Interventions:
    """Hands on to a dispatcher what people do.

    Parameters
    ----------
    store : Store
    clock : Clock
    plan : Plan
    senders : Senders
        Receivers of subscriptions come and go here.
    """

    def __init__(self, store: Store, clock: Clock, plan: Plan, senders: Senders) -> None:
        self._store, self._plan, self._senders = store, plan, senders
        self._silences, self._acknowledgements = SilenceLog(store, clock), AcknowledgementLog(store, clock)
        self._subscriptions = SubscriptionLog(store, clock)
        self._subscribed: Mapping[str, Subscription] = {}

    def read(self, dispatcher: Dispatcher, alerts: KnownAlerts) -> None:
        """Take up silences and acknowledgements.

        Raises
        ------
        StoreError
        """
        for silence in self._silences.all():
            dispatcher.silences.put(silence)
        acknowledged = alerts.acknowledged(self._acknowledgements.all())
        dispatcher.acknowledged.as_they_stand, dispatcher.acknowledged.ever = (
            acknowledged.as_they_stand,
            acknowledged.ever,
        )
        if self._plan.incidents is not None:
            self._plan.incidents.refresh()

    def subscribe(self, dispatcher: Dispatcher, now_ms: int) -> None:
        """Take up subscriptions that are new, and drop those that have ended.

        Raises
        ------
        StoreError
        """
        subscriptions = self._subscriptions.all()
        if subscriptions.keys() == self._subscribed.keys():
            return
        self._subscribed = subscriptions
        routes: list[Route] = []
        used, added = set(self._plan.receivers), list[Target]()
        for subscription in subscriptions.values():
            try:
                reached = self._plan.reached(subscription)
                for target in reached.keys() - used:
                    if target not in self._senders:
                        self._senders.add(target, reached[target]())
                        added.append(target)
            except (InputError, ValueError) as error:
                log.warning("a subscription notifies nobody", subscription=subscription.id, error=str(error))
                continue
            used |= reached.keys()
            routes.append(subscription.route)
        dispatcher.subscribe(routes, now_ms)
        for target in [target for entries in self._senders.targets.values() for target in entries]:
            if target not in used:
                self._senders.drop(target)
        # Nobody else may hear of what they do not take.
        Reception.of(self._store).meet(self._store, added)
