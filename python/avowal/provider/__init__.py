"""The provider: one client for every HTTP endpoint of OpenAI's shape, with a retry policy of our own.

Read :mod:`~avowal.provider.endpoint` (where requests go and with which key), :mod:`~avowal.provider.retry` (what is
sent again, and when), :mod:`~avowal.provider.client` (the one place that sends) and :mod:`~avowal.provider.reply` (what
a raw reply says, and the types of those that say nothing). No name of a model or a vendor decides anything here.
"""

from avowal.provider.client import Client, ProviderError, Reply
from avowal.provider.endpoint import Endpoint
from avowal.provider.reply import Completion, completion, usage
from avowal.provider.retry import Policy

__all__ = ["Client", "Completion", "Endpoint", "Policy", "ProviderError", "Reply", "completion", "usage"]
