"""What can stop an embedded server or `up`, each said in one sentence."""


class StartFailed(Exception):
    """Salescycle cannot start; the message is one sentence for whoever typed the command."""
