"""The provider: one client for every HTTP endpoint of OpenAI's shape, with a retry policy of our own.

Read :mod:`~avowal.provider.endpoint` (where requests go), :mod:`~avowal.provider.keys` (with which key),
:mod:`~avowal.provider.failures` and :mod:`~avowal.provider.retry` (what is sent again, and when),
:mod:`~avowal.provider.client` (the one place that sends), :mod:`~avowal.provider.throttle` (how fast),
:mod:`~avowal.provider.reply` (what a raw reply says, and the types of those that say nothing) and what else is asked
for: :mod:`~avowal.provider.models`, :mod:`~avowal.provider.files`, :mod:`~avowal.provider.jobs`,
:mod:`~avowal.provider.batches`. No name of a model or a vendor decides anything here.
"""

from avowal.provider.client import Client, Reply
from avowal.provider.endpoint import Endpoint
from avowal.provider.failures import ProviderError
from avowal.provider.models import Model
from avowal.provider.reply import Completion, completion, usage
from avowal.provider.retry import Policy
from avowal.provider.throttle import Throttle

__all__ = [
    "Client",
    "Completion",
    "Endpoint",
    "Model",
    "Policy",
    "ProviderError",
    "Reply",
    "Throttle",
    "completion",
    "usage",
]
