"""What can go wrong with a store of files, whichever it is."""


class TooManyBytes(Exception):
    """More came than was asked for."""


class FileMissing(Exception):
    """The store has no such file any more."""


class StoreUnavailable(Exception):
    """The store does not answer, or refuses us."""
