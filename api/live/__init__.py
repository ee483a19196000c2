"""The live hub of a process: one Redis subscription, fanned out to whoever watches, without a gap.

Positions are gapless per workspace, so the hub knows what it missed: it reads that from the table, and every second
it compares its positions with the heads of the log. Redis makes it fast; nothing here needs Redis to be right.

`subscriptions` says what an event is to those who watch and holds it until they take it, `feeds` brings a workspace's
events into their order, and `hubs` listens for all workspaces.
"""

from api.live.feeds import Feed
from api.live.hubs import Hub, Watching
from api.live.subscriptions import Message, Occurrence, Subscription

__all__ = ["Feed", "Hub", "Message", "Occurrence", "Subscription", "Watching"]
