"""What every channel that leads out of the house says when a message could not be handed over."""


class Refused(Exception):
    """The receiver will never take this message. `bounced`: there is nobody at this address."""

    def __init__(self, reason: str, *, bounced: bool = False) -> None:
        super().__init__(reason)
        self.bounced = bounced


class Deferred(Exception):
    """The receiver may take this message later, not before `seconds`. `uncertain`: it may have it already."""

    def __init__(self, reason: str, *, uncertain: bool = False, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.uncertain = uncertain
        self.seconds = seconds


class Unavailable(Exception):
    """The whole channel does not work, since its server is away or we are set up wrongly: no message is to blame."""
