"""The services that Comanda is measured beside, each as somebody would write it by hand.

All speak the same small part of Comanda's protocol: a websocket at `/ws/tables/NUMBER`, a `join` whose
token is taken as the member's name, a `cart_snapshot`, then `update_item` in and `cart_updated` out to
everybody at the table, with the same members as Comanda's. The Python ones run in an environment of
their own, so nothing is imported here.
"""
